using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Audit;
using Mbp.Domain.Markets;
using Mbp.Domain.Payments;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Trading;
using Mbp.Ledger.Reading;

namespace Mbp.Domain;

/// <summary>Every read model that is kept in tables. Each goes its own way: one that stops holds up no other.</summary>
public static class ReadModels
{
    public static IReadOnlyList<TableProjection> All { get; } =
    [
        MarketTable.Projection,
        PriceProjection.Projection,
        TradeTable.Projection,
        BalanceTables.Projection,
        PositionTables.Projection,
        ResolutionTable.Projection,
        WithdrawalTable.Projection,
        AbuseTable.Projection,
        AuditTrail.Projection,
    ];
}
