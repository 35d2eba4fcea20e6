using FsCheck;
using FsCheck.Fluent;
using Mbp.Domain.Audit;
using Mbp.Domain.Pricing;
using Mbp.Domain.Tests.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Tests.Pricing;

public sealed class RecentQuotesTests
{
    /// <summary>The audit keeps a market's last day in its own way; it must be the day that the live fold keeps, whatever the quotes.</summary>
    [Fact]
    public void The_audits_last_day_is_that_of_the_fold() => Prop.ForAll(Gen.Choose(0, 255).ArrayOf(400).ToArbitrary(), bytes =>
    {
        var (history, states, at) = (PriceFolds.LastDay.Initial, new AuditStates(), Terms.Noon);
        Apply(Terms.Decide(Terms.Create()).Events.Where(e => e.Stream == Terms.Rain.Stream).Select(e => e.Event));
        foreach (var b in bytes)
        {
            // Often the same instant, mostly minutes, at times the better part of a day.
            at += b % 4 == 0 ? Duration.Zero : b % 16 == 1 ? Duration.FromHours(b % 30) : Duration.FromSeconds(b);
            var first = Price.FromUnits(Decimal8.One / 4 + b);
            Apply([new TradeExecuted(
                "t", Terms.Ana, TradeSide.Buy, "YES", Shares.FromUnits(2), Credits.FromUnits(1), Credits.Zero, Credits.FromUnits(1), first, first,
                [first, Price.FromUnits(Decimal8.One - first.Units)], at)]);
        }

        var kept = states.Market(Terms.Rain).LastDay;
        Assert.Equal(history.First, kept.First);
        Assert.Equal(history.Points.Select(p => (p.At, p.Prices)), kept.Points.Select(p => (p.At, p.Prices)));
        foreach (var later in new[] { Duration.Zero, Duration.FromTicks(1), Duration.FromHours(5), Duration.FromDays(3) })
        {
            Assert.Equal(history.Twap(at + later, history.Horizon), kept.Twap(at + later, kept.Horizon));
        }

        void Apply(IEnumerable<object> events)
        {
            foreach (var e in events)
            {
                history = PriceFolds.LastDay.Apply(history, e);
                states.Apply(Terms.Rain.Stream, e);
            }
        }
    }).QuickCheckThrowOnFailure();
}
