using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Writing;

/// <summary>Signs what a commit wrote: once for the whole batch, so that a receipt for every command costs one signature for each commit.</summary>
public interface IBatchSigner
{
    /// <summary>Called while the batch is being committed, on the writer's thread. If the commit fails, the signature is thrown away.</summary>
    /// <param name="root">The RFC 6962 root over the leaf hashes of the batch.</param>
    /// <param name="firstPosition">The position of its first event.</param>
    /// <param name="size">How many events it has.</param>
    BatchSignature Sign(MerkleHash root, long firstPosition, int size);
}

/// <summary>A signature and whose it is, taken together: the key may be rotated between two batches.</summary>
/// <param name="KeyId">The id of the key that signed (C2SP signed-note).</param>
/// <param name="Bytes">The signature.</param>
/// <param name="Origin">Whose log the key belongs to, where the signer has more than one in its time.</param>
public readonly record struct BatchSignature(uint KeyId, ReadOnlyMemory<byte> Bytes, string? Origin = null);

/// <summary>What a caller can hold against the operator if the event should ever be missing from the log (integrity.md, section 1.4).</summary>
/// <param name="Position">The position of the command's last event.</param>
/// <param name="Leaf">Its leaf hash.</param>
/// <param name="Path">From the leaf to the batch's root; its index is <c>Position - Batch.FirstPosition</c>.</param>
/// <param name="Batch">What was signed.</param>
public sealed record Receipt(long Position, MerkleHash Leaf, IReadOnlyList<MerkleHash> Path, BatchSeal Batch)
{
    /// <summary>Whether the path leads from the leaf to the signed root.</summary>
    public bool Holds => MerkleProof.VerifyInclusion(Leaf, Position - Batch.FirstPosition, Batch.Size, Path, Batch.Root);
}

/// <summary>A signed batch.</summary>
/// <param name="FirstPosition">The position of its first event.</param>
/// <param name="Size">How many events it has.</param>
/// <param name="Root">The root over their leaf hashes.</param>
/// <param name="KeyId">The id of the key that signed.</param>
/// <param name="Signature">The signer's, over the first three.</param>
/// <param name="Origin">Whose log, where the signer says so.</param>
public sealed record BatchSeal(long FirstPosition, int Size, MerkleHash Root, uint KeyId, ReadOnlyMemory<byte> Signature, string? Origin = null);

/// <summary>The receipts of one batch.</summary>
internal sealed class BatchReceipts
{
    private readonly MerkleLevels _tree;
    private readonly BatchSeal _seal;

    public BatchReceipts(IBatchSigner signer, LeafBatch leaves, long firstPosition)
    {
        _tree = new MerkleLevels(leaves.Hashes);
        var signature = signer.Sign(_tree.Root, firstPosition, _tree.Count);
        _seal = new BatchSeal(firstPosition, _tree.Count, _tree.Root, signature.KeyId, signature.Bytes, signature.Origin);
    }

    public Receipt Of(int index) => new(_seal.FirstPosition + index, _tree.Leaf(index), _tree.Path(index), _seal);
}
