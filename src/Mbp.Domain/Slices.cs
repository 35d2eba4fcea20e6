using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Custody;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Governance.Slo;
using Mbp.Domain.Markets;
using Mbp.Domain.Payments;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Ledger;

namespace Mbp.Domain;

/// <summary>The table of contents: every slice of the domain. Each names its own events.</summary>
public static class Slices
{
    public static IReadOnlyList<Slice> All { get; } =
    [
        AccountSlice.Slice,
        MarketSlice.Slice,
        TradingSlice.Slice,
        PricingSlice.Slice,
        ResolutionSlice.Slice,
        SettlementSlice.Slice,
        PaymentSlice.Slice,
        AbuseSlice.Slice,
        RulesetSlice.Slice,
        SloSlice.Slice,
        CustodySlice.Slice,
    ];

    /// <summary>The catalogue of every event that this build reads and writes.</summary>
    public static EventCatalog Catalog() => All.Aggregate(new EventCatalog(), (catalog, slice) =>
    {
        slice.Wire(catalog);
        return catalog;
    }).Freeze();
}
