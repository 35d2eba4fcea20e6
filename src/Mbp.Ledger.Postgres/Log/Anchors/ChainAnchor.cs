using System.Text;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Postgres.Log.Anchors;

/// <summary>A blockchain as far as an anchor needs one: 32 bytes in, the transaction's name out.</summary>
public interface IChain
{
    /// <summary>Which chain, as references begin.</summary>
    string Name { get; }

    Task<string> WriteAsync(MerkleHash root, CancellationToken ct);

    /// <summary>The 32 bytes of a transaction; null where the chain has no such one.</summary>
    Task<MerkleHash?> ReadAsync(string transaction, CancellationToken ct);
}

/// <summary>The root in a chain's transaction, once a release.</summary>
public sealed class ChainAnchor(IChain chain) : IAnchor
{
    public string Kind => "chain";

    public string Place { get; } = $"{chain.Name}:";

    public async Task<AnchorReceipt> PublishAsync(AnchoredCheckpoint checkpoint, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        var transaction = await chain.WriteAsync(checkpoint.Root, ct).ConfigureAwait(false);
        return new AnchorReceipt($"{Place}{transaction}", Encoding.UTF8.GetBytes(transaction));
    }

    public async Task<Verdict> VerifyAsync(AnchoredCheckpoint checkpoint, AnchorReceipt receipt, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(receipt);
        var transaction = Encoding.UTF8.GetString(receipt.Content.Span);
        return receipt.Ref != $"{Place}{transaction}" ? Verdict.Bad($"The receipt is not the one of {receipt.Ref}.")
            : await chain.ReadAsync(transaction, ct).ConfigureAwait(false) is not { } root ? Verdict.Bad($"The chain has no transaction {transaction}.")
            : root != checkpoint.Root ? Verdict.Bad($"The transaction {transaction} holds another root: {root}.")
            : Verdict.Good;
    }
}
