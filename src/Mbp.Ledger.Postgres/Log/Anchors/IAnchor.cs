using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Postgres.Log.Anchors;

/// <summary>A checkpoint to be left elsewhere.</summary>
/// <param name="Note">The signed note as it was published, to the byte.</param>
/// <param name="Size">The leaves under it.</param>
/// <param name="Root">Their root.</param>
public sealed record AnchoredCheckpoint(string Note, long Size, MerkleHash Root)
{
    public static AnchoredCheckpoint Of(PublishedCheckpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return new AnchoredCheckpoint(checkpoint.Note, checkpoint.Size, checkpoint.Root);
    }
}

/// <summary>What an anchor gives for a checkpoint.</summary>
/// <param name="Ref">Where it is, for a person to find it: begins with <see cref="IAnchor.Place"/>.</param>
/// <param name="Content">What proves it, in the anchor's own form.</param>
public sealed record AnchorReceipt(string Ref, ReadOnlyMemory<byte> Content);

/// <summary>
/// A place that the log's operator cannot rewrite unseen (integrity.md, section 1.5). Publishing the same checkpoint twice is allowed: a crash can
/// come between the place's answer and the row for it.
/// </summary>
public interface IAnchor
{
    /// <summary><c>git</c>, <c>rfc3161</c>, <c>folder</c>, <c>ots</c> or <c>chain</c>.</summary>
    string Kind { get; }

    /// <summary>What all references of this anchor begin with, so that two of one kind can be told apart; empty where the kind has one place.</summary>
    string Place { get; }

    /// <exception cref="AnchorException">The place refused, or is not configured.</exception>
    Task<AnchorReceipt> PublishAsync(AnchoredCheckpoint checkpoint, CancellationToken ct);

    /// <summary>Whether the receipt is one for this checkpoint, and the place still has it where it can be asked.</summary>
    /// <exception cref="AnchorException">The place cannot be asked: nothing is known of the receipt.</exception>
    Task<Verdict> VerifyAsync(AnchoredCheckpoint checkpoint, AnchorReceipt receipt, CancellationToken ct);
}

/// <summary>An anchor could not do its work. The log is not at fault.</summary>
public class AnchorException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>Nobody has said where this kind of anchor is.</summary>
public sealed class AnchorNotConfiguredException(string message) : AnchorException(message);
