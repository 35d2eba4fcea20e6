using Mbp.Ledger.Merkle;
using Mbp.Ledger.Writing;

namespace Mbp.Ledger.Log;

/// <summary>
/// What the log's key signs for the receipts of one commit: the root over its leaves, before any checkpoint covers them. The first line is no
/// origin, so the signature can never be shown as one of a checkpoint.
/// </summary>
/// <param name="Origin">Whose log.</param>
/// <param name="FirstPosition">The position of the batch's first event, from 1.</param>
/// <param name="Size">How many events it has.</param>
/// <param name="Root">The RFC 6962 root over their leaf hashes.</param>
public sealed record BatchNote(string Origin, long FirstPosition, int Size, MerkleHash Root)
{
    private const string Version = "mbp-ledger/batch@v1";

    /// <summary>The text to be signed.</summary>
    public string ToText() => $"{Version}\n{Origin}\n{LogText.Number(FirstPosition)} {LogText.Number(Size)}\n{LogText.Base64(Root)}\n";

    /// <summary>The text as it is signed.</summary>
    public byte[] ToUtf8() => LogText.Utf8.GetBytes(ToText());
}

/// <summary>Signs batches with the log's key.</summary>
/// <param name="origin">Whose log.</param>
/// <param name="signer">The key of today.</param>
public sealed class BatchSigner(string origin, ICheckpointSigner signer) : IBatchSigner
{
    private volatile ICheckpointSigner _signer = signer;

    /// <summary>The key that signs the next batch. Setting it is a rotation: a batch that is being signed keeps the key it began with.</summary>
    public ICheckpointSigner Signer
    {
        get => _signer;
        set => _signer = value;
    }

    public BatchSignature Sign(MerkleHash root, long firstPosition, int size)
    {
        // Read once: the id and the signature belong to one key.
        var current = _signer;
        return new BatchSignature(current.Key.KeyId, current.Sign(new BatchNote(origin, firstPosition, size, root).ToUtf8()), origin);
    }
}
