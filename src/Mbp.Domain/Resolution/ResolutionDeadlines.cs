using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution.Disputes;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Resolution;

/// <summary>Something that happens to a market by itself at an instant, unless somebody acts before.</summary>
/// <param name="What">A word for it.</param>
/// <param name="At">When.</param>
/// <param name="Who">Who may act until then.</param>
public sealed record Deadline(string What, Instant At, string Who);

/// <summary>What is due in a closed market, from its states alone: a host that was down finds all of it again (durable timers).</summary>
public static class ResolutionDeadlines
{
    /// <summary>Who takes the steps that are due, as their events say.</summary>
    public const string Clock = "worker:market-clock";

    /// <summary>Every deadline ahead, the next one first.</summary>
    public static IEnumerable<Deadline> Of(Market.Closed market, MarketResolution resolution)
    {
        ArgumentNullException.ThrowIfNull(market);
        ArgumentNullException.ThrowIfNull(resolution);
        return All(market, resolution).OrderBy(deadline => deadline.At);
    }

    /// <summary>When the next step is due; null = only people act.</summary>
    public static Instant? NextAt(Market.Closed market, MarketResolution resolution)
    {
        Instant? next = null;
        foreach (var deadline in All(market, resolution))
        {
            next = next is { } sooner && sooner <= deadline.At ? sooner : deadline.At;
        }

        return next;
    }

    /// <summary>When the resolution of a closed market runs out of time (S3, resolution SLA); null = it cannot, or it has already.</summary>
    public static Instant? OverdueAt(Market market, MarketResolution resolution) =>
        market is Market.Closed { FrozenSince: null } closed && !resolution.IsFinal
        && closed.Rules.Policy?.Rules.Resolution.SlaHours is { } hours
            ? closed.Since + Duration.FromHours(hours)
            : null;

    private static IEnumerable<Deadline> All(Market.Closed market, MarketResolution resolution)
    {
        if (resolution.IsFinal)
        {
            yield break;
        }

        var rules = (market.Rules.Policy ?? FirstRulesets.Default).Rules;
        var times = rules.Resolution;

        if (OverdueAt(market, resolution) is { } overdue)
        {
            yield return new Deadline("sla", overdue, "operators");
        }

        if (times.VoidHours is { } hours)
        {
            yield return new Deadline("void", market.Since + Duration.FromHours(hours), "operators");
        }

        var step = resolution switch
        {
            MarketResolution.NotStarted when times.AutoStart == true => new Deadline("start", market.Since, "operators"),
            MarketResolution.Postponed s => new Deadline("start", s.Until, "nobody"),
            MarketResolution.Collecting { Round: { } round } => new Deadline("round", round.Until + Duration.FromSeconds(rules.Oracle?.LateSeconds ?? 0), "sources, operators"),
            MarketResolution.Determined s => new Deadline("finalization", s.Decision.DisputableUntil, rules.Disputes is null ? "nobody" : "anybody with a bond"),
            MarketResolution.Disputed s => new Deadline("arbitration", s.Dispute.Until, "panel"),
            MarketResolution.Arbitration s => new Deadline("finalization", s.Until, "arbitrators"),
            _ => null,
        };
        if (step is not null)
        {
            yield return step;
        }
    }
}

/// <summary>Takes the step whose time has come.</summary>
internal static class ResolutionClock
{
    public static Decision<StreamEvent> Advance(AdvanceResolution c, Market.Closed market, ResolutionBooks books)
    {
        var (resolution, at) = (books.Resolution, c.At);
        if (resolution.IsFinal)
        {
            return [];
        }

        if (books.Rules.Resolution.VoidHours is { } hours && market.Since + Duration.FromHours(hours) <= at)
        {
            return [.. Void(c, market, books)];
        }

        return resolution switch
        {
            MarketResolution.NotStarted when books.Rules.Resolution.AutoStart == true => [c.MarketId.Resolution.With(ResolutionDecider.Started(c.MarketId, market, books, at))],
            MarketResolution.Postponed s when s.Until <= at => [c.MarketId.Resolution.With(ResolutionDecider.Started(c.MarketId, market, books, at))],
            MarketResolution.Collecting { Round: { } round } s when books.Rules.Oracle is { } rules => round.Until + Duration.FromSeconds(rules.LateSeconds) > at ? []
                : books.OracleOf != books.Rules.Name ? OracleErrors.RulesChanged
                : [.. OracleDecider.Close(c.MarketId, market, s.Course, round, rules, books, at)],
            MarketResolution.Determined s when s.Decision.DisputableUntil <= at => [.. ResolutionDecider.Final(c.MarketId, market, s.Course, s.Decision, books, at)],
            MarketResolution.Disputed s when s.Dispute.Until <= at => [.. DisputeDecider.Escalate(c.MarketId, s, books, at)],
            MarketResolution.Arbitration s when s.Until <= at && books.Disputer == s.Dispute.By =>
            [
                .. DisputeDecider.Release(c.MarketId, s.Dispute, s.Decision.Value, books, at),
                .. ResolutionDecider.Final(c.MarketId, market, s.Course, s.Decision, books, at),
            ],
            _ => [],
        };
    }

    // Whoever has a bond in it has it back: nobody was judged.
    private static IEnumerable<StreamEvent> Void(AdvanceResolution c, Market.Closed market, ResolutionBooks books)
    {
        var hours = books.Rules.Resolution.VoidHours;
        if (books.Resolution.OpenDispute is { } dispute)
        {
            if (books.Disputer != dispute.By)
            {
                yield break;
            }

            foreach (var @event in DisputeDecider.Release(c.MarketId, dispute, Markets.ReservedValues.Invalid, books, c.At))
            {
                yield return @event;
            }
        }

        yield return c.MarketId.Resolution.With(new MarketVoided($"no final value within {hours} hours", market.Twap24h, c.At));
    }
}
