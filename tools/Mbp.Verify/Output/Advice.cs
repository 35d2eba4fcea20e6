namespace Mbp.Verify.Output;

/// <summary>What can be wrong with a log, from the view of somebody who holds it to account.</summary>
internal enum FaultKind
{
    Format,
    Signature,
    Quorum,
    Stale,
    Shrunk,
    Fork,
    Root,
    Tile,
    Entry,
    Event,
    Erasure,
    Missing,
    Manifest,
    Market,
    Ruleset,
    Receipt,
    Proof,
}

/// <summary>What a fault means, and what to do next, for a reader who never saw a hash tree.</summary>
internal static class Advice
{
    private const string Keep = "Keep this copy and the checkpoint as evidence, fetch the file again from the operator and from a mirror, and compare.";

    public static (string Means, string Next) On(FaultKind kind) => kind switch
    {
        FaultKind.Format => ("The file is not in its published form, so nothing in it can be believed.", Keep),
        FaultKind.Signature => (
            "No key that you trust signed this: somebody else wrote it, it was changed after signing, or you have another log's key.",
            "Compare your verifier key (--vkey) with the one that the operator published; if it is right, treat the file as forged."),
        FaultKind.Quorum => (
            "The independent witnesses that your policy asks for have not confirmed this checkpoint: it may be a view that is shown to you alone.",
            "Wait for a later checkpoint; if it stays so, ask the witnesses for theirs (GET <sha256(origin)>/checkpoint) and compare."),
        FaultKind.Stale => (
            "The newest time at which witnesses saw this checkpoint is too long ago: you are shown an old state, or the log stands still.",
            "Fetch the checkpoint from the operator and from a witness; a newer one elsewhere shows that this source hides events."),
        FaultKind.Shrunk => (
            "The log shows fewer events than it had already signed. Either this source is an old copy, or the end of the log was cut off.",
            "Fetch again. If it stays smaller than your older checkpoint, publish both notes: two signatures of the operator prove it."),
        FaultKind.Fork => (
            "The operator signed two histories that cannot both be true: what was there was changed, deleted or inserted afterwards.",
            "Keep both checkpoints. Together they are the proof, and need no further one; publish them and inform the witnesses."),
        FaultKind.Root => (
            "The entries as a whole are not those that were signed: at least one was changed, deleted, inserted or moved.",
            "Look at the other faults, which may say where; use --old with an older checkpoint to narrow it down. " + Keep),
        FaultKind.Tile => ("A file of hashes is not the one that the signed tree is made of.", Keep),
        FaultKind.Entry => ("The log's own entry at this place is not the one that its tree commits to.", Keep),
        FaultKind.Event => ("The event that you were given is not the event that the log committed to when it happened.", Keep),
        FaultKind.Erasure => (
            "An event cannot be opened, and the log does not say that it was erased by the rules: it was hidden.",
            "Ask the operator for the event and its salt; without them, and without an erasure in the log, treat it as suppressed."),
        FaultKind.Missing => ("A file that must be there, by what was signed or listed, is not.", "Fetch it again; if the operator does not serve it, it is withheld. Keep the checkpoint."),
        FaultKind.Manifest => ("A file of the folder is not the one that was exported, or was added, or the list itself was changed.", Keep),
        FaultKind.Market => (
            "The rules of the market, applied again to its own events, do not give what the operator recorded: a decision or a payout is not by the rules.",
            "Compare this position with `verify_anchor market`; the signed events are the proof that it was recorded so."),
        FaultKind.Ruleset => ("The rules that you were given are not those that the market was opened under.", "Ask for the rule set with the hash that the market's first event names."),
        FaultKind.Receipt => (
            "The operator promised, signed, that an event is in the log, and the log does not have it there: it was left out or replaced.",
            "Keep the receipt and this checkpoint: the two signatures together convict the log."),
        FaultKind.Proof => ("The proof does not show that the entry is in the log.", "Ask for a new proof of the same position; if that fails as well, the entry is not in the log that was signed."),
        _ => throw new InvalidOperationException($"{kind} has no advice."),
    };
}
