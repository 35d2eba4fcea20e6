using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Units;
using Mbp.Host.Platform;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Host.Markets;

/// <summary>How a market is shown: the published status and the finer phase (rules part 2), prices and quality.</summary>
internal static class MarketPage
{
    private static readonly Credits SpreadReference = Credits.FromUnits(100 * Decimal8.One);

    public static MarketResponse Page(MarketView view, long position)
    {
        var (terms, pool, policy) = (view.Terms!, view.Pool, view.Market.Policy());
        var depth = pool.IsOpen ? Depth.Of(pool.Reserves.AsSpan(), 0) : null;
        Spread? spread = null;
        _ = pool.IsOpen ? Spread.Of(pool, 0, SpreadReference, out spread) : null;
        return new MarketResponse(
            terms.MarketId.Value, terms.TemplateId, terms.TemplateVersion, terms.Question, terms.Category, Words.Of(terms.Kind),
            Status(view), Phase(view), HaltLevel(view), policy?.Rules.Name ?? terms.Ruleset, policy?.Rules.Version, policy?.Hash ?? terms.PolicyHash,
            [.. terms.Outcomes], Prices(view), [.. pool.Reserves.Select(r => r.ToString())], pool.LpSupply.ToString(), pool.Locked.ToString(),
            pool.FeePool.ToString(), pool.FeePpm, terms.Lower?.ToString(), terms.Upper?.ToString(), ScalarQuote(terms, pool.Prices),
            depth?.Shares.ToString(), depth?.Cash.ToString(), spread?.Ppm, pool.OpenInterest.ToString(), pool.Holders.Count, Words.Of(terms.TruthSource),
            Text(terms.ClosesAt), Text(terms.ResolutionDeadline), Text(terms.CreatedAt), view.Version, position, view.Resolution.IsFinal ? null : Halt(view.Market));
    }

    public static MarketListItem Item(MarketView view)
    {
        var terms = view.Terms!;
        return new MarketListItem(
            terms.MarketId.Value, terms.TemplateId, terms.Question, terms.Category, Status(view), Phase(view), HaltLevel(view),
            [.. terms.Outcomes], Prices(view), Text(terms.ClosesAt));
    }

    public static string Phase(MarketView view) => (view.Market, view.Resolution, view.Settlement) switch
    {
        (Market.Unknown, _, _) => "Draft",
        (_, MarketResolution.Voided, MarketSettlement.NotPlanned) => "Voided",
        (_, _, MarketSettlement.Settled) => "Settled",
        (_, _, MarketSettlement.Paying) => "Settling",
        (_, MarketResolution.Finished, _) => "Finalized",
        (_, MarketResolution.Determined, _) => "Determined",
        (_, MarketResolution.Disputed, _) => "Disputed",
        (_, MarketResolution.Arbitration, _) => "Arbitration",
        (_, MarketResolution.Collecting, _) => "Collecting",
        (Market.Closed, _, _) => "Closed",
        _ => "Open",
    };

    public static string Status(MarketView view) => (view.Market, view.Resolution) switch
    {
        (_, MarketResolution.Voided) => "canceled",
        (_, MarketResolution.Finished) => "resolved",
        (Market.Open, _) or (Market.Halted { Level: not Domain.Markets.Halts.HaltLevel.Hard }, _) => "open",
        _ => "paused",
    };

    public static string Text(Instant at) => InstantPattern.ExtendedIso.Format(at);

    /// <summary>The value that a scalar market's prices stand for: L + floor((U - L) p_LONG) (D2).</summary>
    public static string? ScalarQuote(MarketTerms terms, EquatableArray<Price> prices) =>
        terms is { Lower: { } lower, Upper: { } upper } && prices.Count > 0
            ? ScalarValue.FromUnits(lower.Units + (long)((Int128)(upper.Units - lower.Units) * prices[0].Units / Decimal8.One)).ToString()
            : null;

    // A freeze for want of a value ends with the value.
    private static string HaltLevel(MarketView view) => view.Resolution.IsFinal ? "none" : Words.Of(view.Market.HaltLevel());

    private static HaltState? Halt(Market market) => market switch
    {
        Market.Halted halted => new HaltState(
            Words.Of(halted.Level), Words.Of(halted.Rule), halted.Reason, Text(halted.Since), Words.Of(halted.HeldAt), HaltJudge.ReopensAt(halted) is { } at ? Text(at) : null,
            HaltHook.Of(halted.Rule, halted.Level)),
        Market.Closed { FrozenSince: { } since } => new HaltState("hard", "sla", "no final value in time", Text(since), "hard", null, HaltHook.Of(HaltRule.Sla, Domain.Markets.Halts.HaltLevel.Hard)),
        _ => null,
    };

    private static List<string> Prices(MarketView view) => [.. view.Pool.Prices.Select(p => p.ToString())];
}
