using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Benchmarks.Filling;

/// <summary>The operations behind the API's commands, for what writes to a ledger without HTTP: the same deciders over the same states.</summary>
internal static class Commands
{
    public static Operation Seed(Template template) =>
        Operation.On(TemplateDecider.Decider, TemplateEntry.Fold.Of(Template.StreamOf(template.Id)), at => new SeedTemplate(template, at));

    public static Operation Seed(Policy policy) => Operation.On(
        RulesetDecider.Decider, RulesetLibrary.Fold.Of(RulesetLibrary.StreamOf(policy.Rules.Name)), at => new SeedRuleset(policy, "", at));

    public static Operation OpenAccount(string id) => On(new AccountId(id), at => new OpenAccount(new AccountId(id), at));

    public static Operation Grant(string id, Credits amount, string reason) => On(new AccountId(id), at => new GrantCredits(amount, reason, at));

    /// <summary>A market of two outcomes, at even odds, under the rule set without bounds.</summary>
    public static Operation CreateMarket(string id, string question, string payer, Credits liquidity)
    {
        var (market, account) = (new MarketId(id), new AccountId(payer));
        return CreateMarketOperation.Of("TPL-YESNO-01", at => new CreateMarket(
            market, question, account, liquidity, [], null, new Dictionary<string, string>(), RulesetLibrary.ReplayName, at));
    }

    private static Operation On(AccountId account, Func<Instant, AccountCommand> command) =>
        Operation.On(AccountDecider.Decider, Account.Fold.Of(account.Stream), command);
}
