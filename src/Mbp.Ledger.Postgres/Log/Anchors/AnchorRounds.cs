using Mbp.Ledger.Log;

namespace Mbp.Ledger.Postgres.Log.Anchors;

/// <summary>What an anchor does with a receipt's row: the same by the host's schedule and by command.</summary>
public static class AnchorRounds
{
    /// <summary>Where a data folder keeps its anchors' settings.</summary>
    public static string SettingsIn(string data) => Path.Combine(data, "log", "anchors");

    /// <summary>Publishes, keeps the receipt, and asks for it back: a receipt that was never verified is a hope.</summary>
    /// <exception cref="AnchorException">The place refused, or what it gave does not verify; in that case the receipt is kept as not verified.</exception>
    public static async Task<AnchorReceipt> PublishAsync(AnchorStore store, IAnchor anchor, PublishedCheckpoint checkpoint, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(anchor);
        var anchored = AnchoredCheckpoint.Of(checkpoint);
        var receipt = await anchor.PublishAsync(anchored, ct).ConfigureAwait(false);
        await store.AddAnchorAsync(checkpoint, anchor.Kind, receipt.Ref, receipt.Content, ct).ConfigureAwait(false);
        var verdict = await anchor.VerifyAsync(anchored, receipt, ct).ConfigureAwait(false);
        if (!verdict.Holds)
        {
            throw new AnchorException($"{anchor.Kind} took the checkpoint, and its receipt does not verify: {verdict}");
        }

        await store.VerifiedAsync(checkpoint.Epoch, checkpoint.Size, anchor.Kind, receipt.Ref, ct).ConfigureAwait(false);
        return receipt;
    }

    /// <summary>Verifies a kept receipt against the checkpoint as it is stored now, and notes when it was good.</summary>
    /// <exception cref="AnchorException">The place cannot be asked.</exception>
    public static async Task<Verdict> VerifyAsync(AnchorStore store, IAnchor anchor, StoredAnchor kept, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(anchor);
        ArgumentNullException.ThrowIfNull(kept);
        if (await store.FindAsync(kept.Epoch, kept.Size, ct).ConfigureAwait(false) is not { } checkpoint)
        {
            return Verdict.Bad($"The checkpoint of size {kept.Size} is not in the ledger.");
        }

        // The columns beside the note are for queries; what was signed and left elsewhere is the note.
        if (Checkpoint.Of(checkpoint.Parsed) is var signed && (signed.Size != checkpoint.Size || signed.Root != checkpoint.Root))
        {
            return Verdict.Bad($"The checkpoint of size {kept.Size} is not the one that its note says.");
        }

        var verdict = await anchor.VerifyAsync(AnchoredCheckpoint.Of(checkpoint), new AnchorReceipt(kept.Ref, kept.Receipt), ct).ConfigureAwait(false);
        if (verdict.Holds)
        {
            await store.VerifiedAsync(kept.Epoch, kept.Size, kept.Kind, kept.Ref, ct).ConfigureAwait(false);
        }

        return verdict;
    }
}
