using Mbp.Ledger;

namespace Mbp.Domain.Markets;

public static class MarketSlice
{
    public static readonly Slice Slice = new("markets", Wire);

    private static void Wire(EventCatalog catalog) => catalog
        .Add<MarketCreated>("market_created")
        .Add<MarketCreatedTemplate>("market_created_template")
        .Add<MarketHalted>("market_halted")
        .Add<MarketHaltEased>("market_halt_eased")
        .Add<MarketResumed>("market_resumed")
        .Add<RulesetActivated>("ruleset_activated")
        .Add<RulesetRolledBack>("ruleset_rolled_back")
        .Add<MarketClosed>("market_closed")
        .Add<TemplatePublished>("template_published");
}
