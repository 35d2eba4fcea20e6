using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Units;
using Mbp.Ledger.Reading;
using NodaTime;

namespace Mbp.Domain.Markets;

/// <summary>A row of <c>mbp_markets</c> (C3): the published status and, beside it, the finer phase and the halt's level.</summary>
public sealed record MarketRow(
    string MarketId,
    string TemplateId,
    string Name,
    string Category,
    string TruthSource,
    Instant ResolutionDeadline,
    string Status,
    Instant CreatedAt,
    Instant UpdatedAt,
    string Phase,
    string HaltLevel);

/// <summary>Every market's terms and where it stands.</summary>
public static class MarketTable
{
    public static readonly Table<MarketRow> Table = new Table<MarketRow>("mbp_markets")
        .Text("market_id", r => r.MarketId)
        .Text("template_id", r => r.TemplateId)
        .Text("name", r => r.Name)
        .Text("category", r => r.Category)
        .Text("truth_source", r => r.TruthSource)
        .Time("resolution_deadline", r => r.ResolutionDeadline)
        .Text("status", r => r.Status)
        .Time("created_at", r => r.CreatedAt)
        .Time("updated_at", r => r.UpdatedAt)
        .Text("phase", r => r.Phase)
        .Text("halt_level", r => r.HaltLevel)
        .Key("market_id")
        .Index("created_at, market_id")
        .Found(
            r => new RowKey(r.MarketId),
            read => new MarketRow(
                read.Text(), read.Text(), read.Text(), read.Text(), read.Text(), read.Time(), read.Text(), read.Time(), read.Time(), read.Text(), read.Text()));

    public static readonly TableProjection Projection = TableProjection.Keyed(
        "markets", 3, Table,
        recorded => recorded.Data is MarketEvent or ResolutionEvent or SettlementEvent ? recorded.Stream.Key : null,
        (row, recorded) => recorded.Data switch
        {
            MarketCreated e => Created(e),
            _ when row is null => throw new InvalidOperationException($"{recorded.Data.GetType().Name} comes before the market is created."),
            _ => Next(row, recorded.Data) is var next && ReferenceEquals(next, row) ? row : next with { UpdatedAt = recorded.At },
        });

    private static MarketRow Created(MarketCreated e) => new(
        e.MarketId.Value, TemplateId: "", e.Question, e.Category, Words.Of(e.TruthSource), e.ResolutionDeadline, "open", e.At, e.At, "Open", "none");

    private static MarketRow Next(MarketRow row, object @event) => @event switch
    {
        MarketCreatedTemplate e => row with { TemplateId = e.TemplateId },
        MarketHalted e => row with { HaltLevel = Words.Of(e.Level), Status = e.Level == HaltLevel.Hard ? "paused" : "open" },
        MarketHaltEased e => row with { HaltLevel = Words.Of(e.Level), Status = "open" },
        MarketResumed => row with { HaltLevel = "none", Status = "open" },
        MarketClosed => row with { HaltLevel = "none", Status = "paused", Phase = "Closed" },
        ResolutionStarted or ResolutionRolledBack => row with { Phase = "Collecting", Status = "paused" },
        ResolutionPostponed => row with { Phase = "Closed" },
        DisputeOpened => row with { Phase = "Disputed" },
        ArbitrationOpened => row with { Phase = "Arbitration" },
        DisputeRuled => row with { Phase = "Determined" },
        ResolutionDetermined => row with { Phase = "Determined" },
        // A freeze for want of a value ends with the value.
        ResolutionFinished => row with { Phase = "Finalized", Status = "resolved", HaltLevel = "none" },
        MarketVoided => row with { Phase = "Voided", Status = "canceled", HaltLevel = "none" },
        SettlementPlanned => row with { Phase = "Settling" },
        MarketSettled => row with { Phase = "Settled" },
        _ => row,
    };
}
