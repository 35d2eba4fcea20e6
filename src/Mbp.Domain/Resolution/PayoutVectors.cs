using Mbp.Domain.Markets;
using Mbp.Domain.Settlement;
using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Resolution;

/// <summary>What a value means for a closed market: how much a share of each outcome pays.</summary>
public static class PayoutVectors
{
    /// <summary>The one vector of a value, or why this market cannot have that value.</summary>
    public static Decision<EquatableArray<Price>> For(Market.Closed market, string value)
    {
        ArgumentNullException.ThrowIfNull(market);
        var terms = market.Terms;
        if (value == ReservedValues.Invalid)
        {
            return [market.Twap24h];
        }

        if (terms.Kind == MarketKind.Scalar)
        {
            return ScalarValue.TryParse(value, out var number, out var rule)
                ? [PayoutVector.Scalar(terms.Lower!.Value.Units, terms.Upper!.Value.Units, number.Units).Shares]
                : ResolutionErrors.BadValue($"of a scalar market is a decimal number or {ReservedValues.Invalid}: {rule}");
        }

        var outcome = terms.Outcomes.AsSpan().IndexOf(value);
        return outcome >= 0
            ? [PayoutVector.Winner(outcome, terms.Outcomes.Count).Shares]
            : ResolutionErrors.BadValue($"is one of {string.Join(", ", terms.Outcomes)} or {ReservedValues.Invalid}");
    }
}
