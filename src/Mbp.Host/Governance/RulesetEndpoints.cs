using Mbp.Domain.Governance.Rulesets;
using Mbp.Ledger.Writing;

namespace Mbp.Host.Governance;

internal static class RulesetEndpoints
{
    public static Operation Seed(Policy policy) => Operation.On(
        RulesetDecider.Decider, RulesetLibrary.Fold.Of(RulesetLibrary.StreamOf(policy.Rules.Name)), at => new SeedRuleset(policy, "", at));
}
