using Mbp.Domain.Units;

namespace Mbp.Domain.Trading;

/// <summary>Where prices may be after a trade, both ends included (spec 3.3 guards). A ruleset value.</summary>
public readonly record struct PriceBounds(Price Min, Price Max);
