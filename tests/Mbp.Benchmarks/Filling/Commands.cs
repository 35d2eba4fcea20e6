using Mbp.Domain.Accounts;
using Mbp.Domain.Governance;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Benchmarks.Filling;

/// <summary>The operations behind the API's commands, for what writes to a ledger without HTTP: the same deciders over the same states.</summary>
internal static class Commands
{
    public static Operation Seed(Template template) =>
        Operation.On(TemplateDecider.Decider, TemplateEntry.Fold.Of(Template.StreamOf(template.Id)), at => new SeedTemplate(template, at));

    public static Operation OpenAccount(string id) => On(new AccountId(id), at => new OpenAccount(new AccountId(id), at));

    public static Operation Grant(string id, Credits amount, string reason) => On(new AccountId(id), at => new GrantCredits(amount, reason, at));

    /// <summary>A market of two outcomes, at even odds, under the rule set without bounds.</summary>
    public static Operation CreateMarket(string id, string question, string payer, Credits liquidity)
    {
        var (market, account) = (new MarketId(id), new AccountId(payer));
        var states = (
            Template: TemplateEntry.Fold.Of(Template.StreamOf("TPL-YESNO-01")), Market: Market.Fold.Of(market.Stream),
            Pool: Pool.Fold.Of(market.Stream), Account: Account.Fold.Of(account.Stream));
        return Operation.On([states.Template, states.Market, states.Pool, states.Account], (read, at) => CreateMarketDecider.Decide(
            new CreateMarket(market, question, account, liquidity, [], null, new Dictionary<string, string>(), Rulesets.Replay.Name, at),
            read.Get(states.Template), read.Get(states.Market), read.Get(states.Pool), read.Get(states.Account)));
    }

    public static Operation Trade(MarketId market, AccountId account, Func<Instant, TradeCommand> command) => Operation.On(
        Market.Fold.Of(market.Stream), Pool.Fold.Of(market.Stream), Account.Fold.Of(account.Stream),
        (at, lifecycle, pool, holder) => TradeDecider.Decide(command(at), lifecycle, pool, holder));

    private static Operation On(AccountId account, Func<Instant, AccountCommand> command) =>
        Operation.On(AccountDecider.Decider, Account.Fold.Of(account.Stream), command);
}
