using System.Text.Json;
using Mbp.Host.Anchoring;

namespace Mbp.Host.Governance;

public sealed record RulesetVersionItem(string Version, string PolicyHash);

/// <param name="Name">As in <c>ruleset</c> of a new market.</param>
/// <param name="Newest">The version that a new market gets: the highest.</param>
/// <param name="Versions">All of them, in the order in which they were published.</param>
public sealed record RulesetItem(string Name, string Newest, IReadOnlyList<RulesetVersionItem> Versions);

public sealed record RulesetListResponse(IReadOnlyList<RulesetItem> Items, string? NextCursor, long Position);

/// <summary>A version of a rule set.</summary>
/// <param name="Name">Of the rule set.</param>
/// <param name="Version">vMAJOR.MINOR.PATCH.</param>
/// <param name="PolicyHash">SHA-256 of the text, hex: what decisions carry.</param>
/// <param name="Rules">What it says.</param>
/// <param name="Text">Its one spelling, which is hashed.</param>
/// <param name="Signature">The signed note over name, version and hash; empty for one that a host without a key seeded.</param>
/// <param name="PublishedAt">When.</param>
/// <param name="PublishedPosition">The position of its event.</param>
/// <param name="Newest">The rule set's highest version.</param>
/// <param name="Versions">All of them, in the order in which they were published.</param>
/// <param name="Position">The ledger position that the answer shows.</param>
public sealed record RulesetResponse(
    string Name,
    string Version,
    string PolicyHash,
    JsonElement Rules,
    string Text,
    string Signature,
    string PublishedAt,
    long PublishedPosition,
    string Newest,
    IReadOnlyList<RulesetVersionItem> Versions,
    long Position);

/// <param name="Yaml">The file's content (specs/policies).</param>
/// <param name="Signature">The content of the file beside it that <c>mbp ruleset sign</c> wrote.</param>
public sealed record PublishRulesetRequest(string? Yaml, string? Signature = null);

public sealed record RulesetPublishedResponse(string Name, string Version, string PolicyHash, long Position, ReceiptItem? Receipt = null);

/// <param name="Name">The rule set.</param>
/// <param name="Version">Its version; the newest if absent.</param>
/// <param name="Reason">Why; kept in the ledger.</param>
public sealed record ActivateRulesetRequest(string? Name, string? Version = null, string? Reason = null);

/// <summary>What a market is decided by after a command.</summary>
/// <param name="Id">The market.</param>
/// <param name="Name">The rule set in force.</param>
/// <param name="Version">Its version.</param>
/// <param name="PolicyHash">Its hash.</param>
/// <param name="Changed">Whether the command changed it; false = it was so already.</param>
/// <param name="Position">Of the change.</param>
/// <param name="Receipt">For the change.</param>
public sealed record MarketRulesetChangedResponse(string Id, string Name, string Version, string PolicyHash, bool Changed, long Position, ReceiptItem? Receipt = null);

public sealed record MarketRulesetItem(string Name, string Version, string PolicyHash);

/// <param name="Id">The market.</param>
/// <param name="Name">The rule set in force.</param>
/// <param name="Version">Its version.</param>
/// <param name="PolicyHash">Its hash.</param>
/// <param name="Since">The event that put it in force; absent for a market from before rule sets were data.</param>
/// <param name="Earlier">What a rollback goes back to, newest first.</param>
/// <param name="Position">The ledger position that the answer shows.</param>
public sealed record MarketRulesetResponse(
    string Id, string Name, string Version, string PolicyHash, RulesetChangeItem? Since, IReadOnlyList<MarketRulesetItem> Earlier, long Position);

/// <param name="Position">The event's position.</param>
/// <param name="At">When.</param>
/// <param name="Action"><c>ruleset_activated</c> or <c>ruleset_rolled_back</c>.</param>
/// <param name="Actor">Who, pseudonymous.</param>
/// <param name="Reason">Why.</param>
public sealed record RulesetChangeItem(long Position, string At, string Action, string? Actor, string? Reason);
