using Mbp.Ledger.Log;

namespace Mbp.Ledger.Postgres.Log.Anchors;

/// <summary>A kind of anchor that is known and not configured, or not built: it says so, and never pretends.</summary>
public sealed class MissingAnchor(string kind, string why) : IAnchor
{
    public string Kind => kind;

    public string Place => "";

    public Task<AnchorReceipt> PublishAsync(AnchoredCheckpoint checkpoint, CancellationToken ct) => throw Missing();

    public Task<Verdict> VerifyAsync(AnchoredCheckpoint checkpoint, AnchorReceipt receipt, CancellationToken ct) => throw Missing();

    private AnchorNotConfiguredException Missing() => new($"{kind} is not configured: {why}");
}
