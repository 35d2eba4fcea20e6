using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Trading;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Domain.Markets;

/// <summary>The operation behind a new market: everything that <see cref="CreateMarketDecider"/> reads.</summary>
public static class CreateMarketOperation
{
    /// <param name="template">The template's id.</param>
    /// <param name="command">The command at the ledger's time; its ids do not depend on the time.</param>
    public static Operation Of(string template, Func<Instant, CreateMarket> command)
    {
        ArgumentNullException.ThrowIfNull(command);
        var sample = command(Instant.MinValue);
        var stream = sample.MarketId.Stream;
        var (mould, rulesets, market, pool, account) = (
            TemplateEntry.Fold.Of(Template.StreamOf(template)), RulesetLibrary.Fold.Of(RulesetLibrary.StreamOf(sample.Ruleset)),
            Market.Fold.Of(stream), Pool.Fold.Of(stream), Account.Fold.Of(sample.Account.Stream));
        return Operation.On(
            [mould, rulesets, market, pool, account],
            (states, at) => CreateMarketDecider.Decide(
                command(at), states.Get(mould), states.Get(rulesets), states.Get(market), states.Get(pool), states.Get(account)));
    }
}
