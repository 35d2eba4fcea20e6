using Mbp.Ledger;

namespace Mbp.Domain.Markets;

public static class MarketErrors
{
    public static readonly Rejection NotFound = new(RejectionKind.NotFound, "markets.not_found", "There is no such market.", "id");

    public static readonly Rejection AlreadyExists = new(RejectionKind.Conflict, "markets.already_exists", "A market with this id exists already.", "id");

    public static readonly Rejection Closed = new(RejectionKind.Conflict, "markets.closed", "The market is closed to trading.");

    public static readonly Rejection NotHalted = new(RejectionKind.Conflict, "markets.not_halted", "The market is not halted.");

    public static readonly Rejection AlreadyClosed = new(RejectionKind.Conflict, "markets.already_closed", "The market was closed before.");

    public static readonly Rejection ByTemplateDisabled = new(
        RejectionKind.Forbidden, "markets.by_template_disabled", "Creating markets by template is switched off (flag mbp.create.by_template).");

    public static Rejection Halted(HaltLevel level, string reason) => new(
        RejectionKind.Conflict, "markets.halted", $"The market is halted ({level}): {reason}.");

    public static Rejection Invalid(string field, string rule) => new(RejectionKind.Invalid, "markets.invalid", $"{field}: {rule.TrimEnd('.')}.", field);

    public static Rejection UnknownRuleset(string name) => new(
        RejectionKind.Invalid, "markets.unknown_ruleset", $"There is no rule set '{name}'.", "ruleset");
}
