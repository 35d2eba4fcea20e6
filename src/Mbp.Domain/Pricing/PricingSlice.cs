using Mbp.Ledger;

namespace Mbp.Domain.Pricing;

public static class PricingSlice
{
    public static readonly Slice Slice = new("pricing", Wire);

    private static void Wire(EventCatalog catalog) => catalog.Add<TwapRecomputed>("twap_recomputed");
}
