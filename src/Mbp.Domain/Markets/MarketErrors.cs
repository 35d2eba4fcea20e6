using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime.Text;

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

    public static Rejection Halted(Market.Halted halted)
    {
        ArgumentNullException.ThrowIfNull(halted);
        var until = HaltJudge.ReopensAt(halted) is { } at ? $" It opens again by rule no earlier than {InstantPattern.General.Format(at)}." : " A person must lift it.";
        return new(RejectionKind.Conflict, "markets.halted", $"The market is halted ({halted.Level}): {halted.Reason}.{until}") { Rule = $"halts.{Words.Of(halted.Rule)}" };
    }

    public static readonly Rejection SlowMode = new(
        RejectionKind.Conflict, "markets.slow_mode", "The market is in slow mode: no liquidity leaves it until that ends.", "op") { Rule = "halts.slow_mode" };

    public static Rejection UnknownRuleset(string name) => new(
        RejectionKind.Invalid, "markets.unknown_ruleset", $"There is no rule set '{name}'.", "ruleset");

    public static Rejection Invalid(string field, string rule) => new(RejectionKind.Invalid, "markets.invalid", $"{field}: {rule.TrimEnd('.')}.", field);
}
