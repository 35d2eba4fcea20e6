using System.Text.Json;
using Mbp.Domain.Markets.Halts;
using Mbp.Host.Anchoring;

namespace Mbp.Host.Markets;

/// <summary>A market from a template.</summary>
/// <param name="Template">Such as <c>TPL-YESNO-01</c>; <c>GET /v2/templates</c> lists them.</param>
/// <param name="Question">What is asked.</param>
/// <param name="Account">Who opens the pool and holds the credits for it.</param>
/// <param name="Liquidity">The first liquidity, CE$.</param>
/// <param name="Probability">Two outcomes: the opening price of the first; even odds if absent.</param>
/// <param name="Probabilities">More outcomes: the opening price of each; they add up to 1.</param>
/// <param name="ClosesAt">No trade at or after this instant; the template's default if absent.</param>
/// <param name="Params">The template's parameters: <c>lower</c> and <c>upper</c>, <c>outcomes</c>, <c>feePpm</c>, <c>truthSource</c>, ...</param>
/// <param name="Ruleset"><c>default</c>, or <c>replay</c> for histories that already happened.</param>
/// <param name="Id">The market's id; made up if absent.</param>
public sealed record CreateMarketRequest(
    string? Template,
    string? Question,
    string? Account,
    string? Liquidity,
    string? Probability = null,
    IReadOnlyList<string>? Probabilities = null,
    string? ClosesAt = null,
    Dictionary<string, JsonElement>? Params = null,
    string? Ruleset = null,
    string? Id = null);

public sealed record MarketCreatedResponse(string Id, long Position, ReceiptItem? Receipt = null);

/// <summary>What the market would be, with nothing written. <c>funded</c> tells whether the account holds the credits for it now.</summary>
public sealed record MarketPreviewResponse(
    string Template,
    int TemplateVersion,
    string Question,
    IReadOnlyList<string> Outcomes,
    IReadOnlyList<string> Prices,
    IReadOnlyList<string> Reserves,
    IReadOnlyList<string> Back,
    int FeePpm,
    string Ruleset,
    string ClosesAt,
    string ResolutionDeadline,
    string Depth2pct,
    string Depth2pctCe,
    bool Funded);

/// <summary>A market's page.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Template">The template that it was made from.</param>
/// <param name="TemplateVersion">That template's version.</param>
/// <param name="Question">What is asked.</param>
/// <param name="Category">From the template.</param>
/// <param name="Kind"><c>binary</c>, <c>scalar</c> or <c>categorical</c>.</param>
/// <param name="Status"><c>open</c>, <c>paused</c>, <c>resolved</c> or <c>canceled</c>.</param>
/// <param name="Phase">Finer: Open, Closed, Collecting, Determined, Disputed, Arbitration, Finalized, Settling, Settled, Voided.</param>
/// <param name="HaltLevel"><c>none</c>, <c>warn</c>, <c>soft</c> or <c>hard</c>.</param>
/// <param name="Ruleset">The rule set in force.</param>
/// <param name="RulesetVersion">Its version.</param>
/// <param name="PolicyHash">Its hash, which decisions carry.</param>
/// <param name="Outcomes">Names, in order.</param>
/// <param name="Prices">Marginal prices; they add up to 1.</param>
/// <param name="Reserves">The pool's shares of each outcome.</param>
/// <param name="LpSupply">LP shares in existence.</param>
/// <param name="Locked">CE$ held against complete sets.</param>
/// <param name="FeePool">Fees collected and not yet claimed.</param>
/// <param name="FeePpm">Fee, parts per million of the gross amount.</param>
/// <param name="Lower">Scalar: the value at which LONG pays nothing.</param>
/// <param name="Upper">Scalar: the value at which LONG pays all.</param>
/// <param name="ScalarQuote">Scalar: the value that the prices stand for.</param>
/// <param name="Depth2pct">Shares that move outcome 0's price by 2 %, the thinner side.</param>
/// <param name="Depth2pctCe">The same in CE$.</param>
/// <param name="SpreadPpm">Cost of buying for 100 CE$ and selling at once, parts per million; absent where the pool is too small for it.</param>
/// <param name="OpenInterest">Complete sets that are not in the pool.</param>
/// <param name="Holders">Accounts that ever held something here.</param>
/// <param name="TruthSource">Who says what came true.</param>
/// <param name="ClosesAt">No trade at or after this instant.</param>
/// <param name="ResolutionDeadline">When the resolution is overdue.</param>
/// <param name="CreatedAt">When it opened.</param>
/// <param name="Version">The version of its stream.</param>
/// <param name="Position">The ledger position that the page shows.</param>
/// <param name="Halt">The halt in force; absent without one.</param>
public sealed record MarketResponse(
    string Id,
    string Template,
    int TemplateVersion,
    string Question,
    string Category,
    string Kind,
    string Status,
    string Phase,
    string HaltLevel,
    string Ruleset,
    string? RulesetVersion,
    string PolicyHash,
    IReadOnlyList<string> Outcomes,
    IReadOnlyList<string> Prices,
    IReadOnlyList<string> Reserves,
    string LpSupply,
    string Locked,
    string FeePool,
    int FeePpm,
    string? Lower,
    string? Upper,
    string? ScalarQuote,
    string? Depth2pct,
    string? Depth2pctCe,
    long? SpreadPpm,
    string OpenInterest,
    int Holders,
    string TruthSource,
    string ClosesAt,
    string ResolutionDeadline,
    string CreatedAt,
    long Version,
    long Position,
    HaltState? Halt = null);

/// <summary>A halt that is in force.</summary>
/// <param name="Level"><c>warn</c>, <c>soft</c> (slow mode: trade rates halved, no liquidity leaves) or <c>hard</c> (the freeze).</param>
/// <param name="Rule">What halted it: <c>distance</c>, <c>window</c>, <c>divergence</c> (R1), <c>band</c> (R2), <c>depth</c>, <c>abuse</c>, <c>sla</c>, <c>moderation</c> or <c>manual</c>.</param>
/// <param name="Reason">In words.</param>
/// <param name="Since">Since when.</param>
/// <param name="HeldAt">Below this level only a person takes it.</param>
/// <param name="ReopensAt">A freeze by rule ends no earlier, and only near the average; absent where a person must end it.</param>
/// <param name="Hook">The decision hook: which watcher, what it does, whom it tells; absent for what a person did.</param>
public sealed record HaltState(string Level, string Rule, string Reason, string Since, string HeldAt, string? ReopensAt, HaltHook? Hook);

public sealed record MarketListItem(
    string Id, string Template, string Question, string Category, string Status, string Phase, string HaltLevel, IReadOnlyList<string> Outcomes, IReadOnlyList<string> Prices, string ClosesAt);

public sealed record MarketListResponse(IReadOnlyList<MarketListItem> Items, string? NextCursor, long Position);

/// <param name="Position">Its place in the ledger.</param>
/// <param name="Type">The event's wire name.</param>
/// <param name="Version">Its place in the market's stream.</param>
/// <param name="At">Ledger time.</param>
/// <param name="Data">Its body.</param>
/// <param name="Actor">Who did it, pseudonymous.</param>
/// <param name="TraceId">The trace that it belongs to.</param>
/// <param name="CommandId">The command that caused it; all of one command's events share it.</param>
public sealed record EventItem(long Position, string Type, long Version, string At, JsonElement Data, string? Actor, string TraceId, string CommandId);

public sealed record EventListResponse(IReadOnlyList<EventItem> Items, string? NextCursor, long Position);

/// <param name="Level"><c>warn</c>, <c>soft</c> or <c>hard</c>; <c>hard</c> if absent.</param>
/// <param name="Reason">Why; kept in the ledger.</param>
public sealed record HaltRequest(string? Level = null, string? Reason = null);

/// <param name="Reason">Why; kept in the ledger.</param>
public sealed record ReasonRequest(string? Reason = null);

public sealed record MarketStateResponse(string Id, long Position, ReceiptItem? Receipt = null);

public sealed record TemplateItem(
    string Id,
    int Version,
    string Name,
    string Category,
    string Kind,
    string TruthSource,
    string MinLiquidity,
    int FeePpm,
    int MaxFeePpm,
    long TradingWindowMinutes,
    long ResolutionWindowMinutes,
    int MinQuestion,
    int MaxQuestion,
    int MaxOutcomes);

public sealed record TemplateListResponse(IReadOnlyList<TemplateItem> Items, string? NextCursor, long Position);

/// <summary>Publishes a template, or the next version of one.</summary>
public sealed record PublishTemplateRequest(
    string? Id,
    string? Name,
    string? Category,
    string? Kind,
    string? TruthSource = null,
    string? MinLiquidity = null,
    int? FeePpm = null,
    int? MaxFeePpm = null,
    long? TradingWindowMinutes = null,
    long? ResolutionWindowMinutes = null,
    int? MinQuestion = null,
    int? MaxQuestion = null,
    int? MaxOutcomes = null);

public sealed record TemplatePublishedResponse(string Id, int Version, long Position, ReceiptItem? Receipt = null);
