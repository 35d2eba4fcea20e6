using Mbp.Host.Pricing;
using Mbp.Host.Trading;

namespace Mbp.Host.Markets;

/// <summary>Everything that a market's page shows, at one position.</summary>
/// <param name="Market">As <c>GET /v2/markets/{id}</c> answers.</param>
/// <param name="Twap">Averages; absent before the first quote.</param>
/// <param name="Trades">The last 50, newest first.</param>
/// <param name="Candles">Outcome 0's minutes with quotes, oldest first: of the last 120, those within two hours of the last quote.</param>
/// <param name="Quality">How well it can be traded.</param>
/// <param name="Resolution">Where the resolution stands.</param>
/// <param name="Timeline">What happened, oldest first.</param>
/// <param name="Next">What comes next; absent where nothing does.</param>
/// <param name="Position">The ledger position that the page shows.</param>
public sealed record MarketPageResponse(
    MarketResponse Market,
    PageTwap? Twap,
    IReadOnlyList<TradeItem> Trades,
    IReadOnlyList<CandleItem> Candles,
    QualityNow Quality,
    PageResolution Resolution,
    IReadOnlyList<TimelineItem> Timeline,
    NextStep? Next,
    long Position);

/// <param name="At">The end of the windows: the last full half minute, at which every rule on prices is judged.</param>
/// <param name="Windows">1, 5 and 15 minutes; the divergence is the present price's.</param>
public sealed record PageTwap(string At, IReadOnlyList<TwapWindow> Windows);

/// <param name="Phase">As on the market's page.</param>
/// <param name="SourceKind">Who says what came true.</param>
/// <param name="Value">The determined value.</param>
/// <param name="Vector">What a share of each outcome pays.</param>
/// <param name="EvidenceUri">What backs it.</param>
/// <param name="FinalAt">When it can no longer be disputed.</param>
public sealed record PageResolution(string Phase, string SourceKind, string? Value, IReadOnlyList<string>? Vector, string? EvidenceUri, string? FinalAt);

/// <param name="At">When.</param>
/// <param name="What">
/// <c>created</c>, <c>halted</c>, <c>resumed</c>, <c>closed</c>, <c>resolution_started</c>, <c>value_proposed</c>, <c>determined</c>,
/// <c>round_failed</c>, <c>source_equivocated</c>, <c>postponed</c>, <c>disputed</c>, <c>dispute_upheld</c>, <c>dispute_overturned</c>, <c>dispute_unjudged</c>,
/// <c>arbitration</c>, <c>sla_breached</c>, <c>rollback_proposed</c>, <c>rolled_back</c>, <c>finalized</c>, <c>voided</c>, <c>settling</c>, <c>settled</c>.
/// </param>
/// <param name="Note">The reason or the value, where there is one.</param>
/// <param name="Position">Its place in the ledger.</param>
public sealed record TimelineItem(string At, string What, string? Note, long Position);

/// <param name="What"><c>close</c>, <c>start</c>, <c>round</c>, <c>value</c>, <c>finalization</c>, <c>arbitration</c>, <c>sla</c>, <c>void</c> or <c>settlement</c>.</param>
/// <param name="By">By when; absent where it is under way.</param>
/// <param name="Who">Who may act until then.</param>
public sealed record NextStep(string What, string? By, string? Who = null);
