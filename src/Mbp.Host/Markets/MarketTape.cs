using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mbp.Domain.Markets;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Host.Trading;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Host.Markets;

/// <param name="Position">The trade's place in the ledger.</param>
/// <param name="Trade">The trade.</param>
public sealed record TapeTrade(long Position, TradeExecuted Trade)
{
    private TradeItem? _shown;

    /// <summary>As pages show it. Fifty pages in a row show the same trade: its texts are made once, and only where somebody looks.</summary>
    internal TradeItem Show(string market) => _shown ??= TradeItem.Of(market, this);
}

/// <summary>A minute with quotes: prices of outcome 0.</summary>
public readonly record struct TapeMinute(Instant Minute, Price Open, Price High, Price Low, Price Close, Int128 Volume, int Trades);

/// <summary>A step of a market's life.</summary>
/// <param name="At">When.</param>
/// <param name="What">A word for it.</param>
/// <param name="Note">More about it.</param>
/// <param name="Position">Its place in the ledger.</param>
public sealed record TapeStep(Instant At, string What, string? Note, long Position);

/// <summary>
/// The newest of a market, for its page: kept in memory beside its state, bounded, and immutable like everything in the view. A trade adds a few
/// small objects to it and no copy of what is there.
/// </summary>
[JsonConverter(typeof(MarketTapeConverter))]
public sealed class MarketTape
{
    public const int MostTrades = 50;
    public const int MostMinutes = 120;

    // A market that is halted and resumed all day long keeps its beginning and the latest.
    private const int MostSteps = 50;

    private readonly Newest<TapeTrade> _trades;
    private readonly Newest<TapeMinute> _minutes;
    private readonly TapeMinute _minute;

    private MarketTape(Newest<TapeTrade> trades, Newest<TapeMinute> minutes, TapeMinute minute, ImmutableArray<TapeStep> steps) =>
        (_trades, _minutes, _minute, Steps) = (trades, minutes, minute, steps);

    public static MarketTape Empty { get; } = new(new Newest<TapeTrade>(MostTrades), new Newest<TapeMinute>(MostMinutes - 1), default, []);

    /// <summary>Oldest first.</summary>
    public ReadOnlySpan<TapeTrade> Trades => _trades.Items;

    /// <summary>Oldest first.</summary>
    public ImmutableArray<TapeStep> Steps { get; }

    /// <summary>The minutes with quotes, oldest first, the one under way at the end.</summary>
    public IEnumerable<TapeMinute> Minutes => _minute.Minute == default ? [] : [.. _minutes.Items, _minute];

    public MarketTape After(Recorded recorded)
    {
        ArgumentNullException.ThrowIfNull(recorded);
        if (recorded.Data is PoolEvent change)
        {
            var next = TwapDecider.LastTick(change.At);
            var (minutes, minute) = next == _minute.Minute || _minute.Minute == default ? (_minutes, _minute) : (_minutes.Add(_minute), default);
            var trade = change as TradeExecuted;
            return new MarketTape(
                trade is null ? _trades : _trades.Add(new TapeTrade(recorded.Position, trade)), minutes, With(minute, next, change.Prices[0], trade), Steps);
        }

        return StepOf(recorded.Data) is var (what, note)
            ? new MarketTape(
                _trades, _minutes, _minute, (Steps.Length == MostSteps ? Steps.RemoveAt(1) : Steps).Add(new TapeStep(recorded.At, what, note, recorded.Position)))
            : this;
    }

    /// <summary>With an event as it is stored now, its texts erased; the same object where its step is not here or says the same.</summary>
    public MarketTape Erased(Recorded erased)
    {
        ArgumentNullException.ThrowIfNull(erased);
        return StepOf(erased.Data) is var (what, note) && Steps.FirstOrDefault(step => step.Position == erased.Position) is { } step && step.Note != note
            ? new MarketTape(_trades, _minutes, _minute, Steps.Replace(step, new TapeStep(step.At, what, note, step.Position)))
            : this;
    }

    internal static MarketTape Of(IReadOnlyList<TapeTrade> trades, IReadOnlyList<TapeMinute> minutes, ImmutableArray<TapeStep> steps) => new(
        trades.Aggregate(new Newest<TapeTrade>(MostTrades), (tape, trade) => tape.Add(trade)),
        minutes.SkipLast(1).Aggregate(new Newest<TapeMinute>(MostMinutes - 1), (tape, minute) => tape.Add(minute)),
        minutes.Count > 0 ? minutes[^1] : default,
        steps);

    private static TapeMinute With(TapeMinute minute, Instant at, Price price, TradeExecuted? trade)
    {
        var (volume, trades) = (minute.Volume + (trade?.Amount.Units ?? 0), minute.Trades + (trade is null ? 0 : 1));
        return minute.Minute == default
            ? new TapeMinute(at, price, price, price, price, volume, trades)
            : minute with
            {
                High = price > minute.High ? price : minute.High,
                Low = price < minute.Low ? price : minute.Low,
                Close = price,
                Volume = volume,
                Trades = trades,
            };
    }

    private static (string What, string? Note)? StepOf(object @event) => @event switch
    {
        MarketCreated => ("created", null),
        MarketHalted e => ("halted", $"{Words.Of(e.Level)}: {e.Reason}"),
        MarketHaltEased e => ("halt_eased", Words.Of(e.Level)),
        MarketResumed e => ("resumed", e.Reason),
        RulesetActivated e when e.Reason != CreateMarketDecider.Created => ("ruleset_activated", $"{e.Name} {e.Version}: {e.Reason}"),
        RulesetRolledBack e => ("ruleset_rolled_back", $"{e.Name} {e.Version}: {e.Reason}"),
        MarketClosed e => ("closed", e.Reason),
        ResolutionStarted => ("resolution_started", null),
        RoundFailed e => ("round_failed", $"{e.Round}: {e.Reason}"),
        SourceEquivocated e => ("source_equivocated", e.Source),
        ResolutionPostponed e => ("postponed", null),
        DisputeOpened e => ("disputed", e.Value),
        DisputeRuled e => ($"dispute_{e.Outcome}", e.Value),
        ArbitrationOpened e => ("arbitration", e.Reason),
        ResolutionSlaBreached => ("sla_breached", null),
        RollbackProposed e => ("rollback_proposed", e.Reason),
        ResolutionRolledBack e => ("rolled_back", e.Reason),
        ManualProposed e => ("value_proposed", e.Value),
        ResolutionDetermined e => ("determined", e.Value),
        ResolutionFinished e => ("finalized", e.Value),
        MarketVoided e => ("voided", e.Reason),
        SettlementPlanned => ("settling", null),
        MarketSettled => ("settled", null),
        SettlementCorrectionProposed e => ("correction_proposed", $"{e.Value}: {e.Reason}"),
        SettlementCorrected e => ("correcting", e.Value),
        SettlementCorrectionDone => ("corrected", null),
        _ => null,
    };
}

/// <summary>For the checkpoint of the read models.</summary>
internal sealed class MarketTapeConverter : JsonConverter<MarketTape>
{
    public override MarketTape Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        JsonSerializer.Deserialize<Saved>(ref reader, options) is { } saved
            ? MarketTape.Of(saved.Trades, saved.Minutes, saved.Steps)
            : throw new JsonException("A tape is null.");

    public override void Write(Utf8JsonWriter writer, MarketTape value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, new Saved([.. value.Trades], [.. value.Minutes], value.Steps), options);

    private sealed record Saved(ImmutableArray<TapeTrade> Trades, ImmutableArray<TapeMinute> Minutes, ImmutableArray<TapeStep> Steps);
}
