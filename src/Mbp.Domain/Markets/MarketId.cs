using Mbp.Domain.Units;
using Mbp.Ledger;
using System.Text.Json.Serialization;

namespace Mbp.Domain.Markets;

/// <summary>A market's id: 1 to 64 of letters, digits and <c>_ . : -</c>, starting with a letter or digit.</summary>
[JsonConverter(typeof(MarketIdConverter))]
public readonly record struct MarketId(string Value)
{
    /// <summary>Life cycle, pool, trades and liquidity.</summary>
    public StreamId Stream => StreamId.Of("market", Value);

    /// <summary>TWAP and benchmarks.</summary>
    public StreamId Quotes => StreamId.Of("quotes", Value);

    /// <summary>Truth evaluated, decided, finalized and paid.</summary>
    public StreamId Resolution => StreamId.Of("resolution", Value);

    /// <summary>What the anti-abuse rules saw, and what moderators did.</summary>
    public StreamId Abuse => StreamId.Of("abuse", Value);

    public static bool IsValid(string? value) => Identifier.IsValid(value);

    public override string ToString() => Value;
}

internal sealed class MarketIdConverter() : IdConverter<MarketId>(value => new MarketId(value), id => id.Value);
