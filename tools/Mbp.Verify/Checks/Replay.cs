using System.Text.Json;
using Mbp.Domain;
using Mbp.Domain.Audit;
using Mbp.Domain.Governance.Custody;
using Mbp.Ledger;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Verify.Output;
using NodaTime;

namespace Mbp.Verify.Checks;

/// <summary>
/// The events of a log decided again by the deciders of this build, from nothing but what the log committed to. Commands are told apart by
/// their ledger time, which is in the log and grows with each of them.
/// </summary>
/// <param name="partial">Only some streams are there (a single market's).</param>
internal sealed class Replay(Report report, bool partial)
{
    private static readonly EventCatalog Catalog = Slices.Catalog();

    private readonly List<Recorded> _command = [];
    private readonly List<ExportedEvent> _erased = [];
    private readonly Dictionary<long, List<PayloadErased>> _erasures = [];
    private string? _stopped;

    public LedgerAudit Audit { get; } = new(partial);

    public MarketScopes Scopes { get; } = new(Catalog);

    /// <summary>Decodes; may be called on any thread. What no slice of this build folds is carried along unread.</summary>
    /// <returns>Null, and a fault, where the event cannot be read.</returns>
    public static Recorded? Decode(StoredEvent stored, Report report)
    {
        // The log does not say which trace or which command an event belongs to; the audit wants a trace for each resolution.
        var traced = stored with { CorrelationId = "log", CausationId = "log" };
        try
        {
            return Catalog.Decode(traced);
        }
        catch (UnknownEventTypeException) when (stored.Stream.Category is not ("market" or "quotes" or "resolution" or "account" or "template" or "truth" or "custody"))
        {
            return new Recorded(traced, new Opaque(stored.At));
        }
        catch (Exception e) when (e is UnknownEventTypeException or UnreadableEventException)
        {
            report.Fault(FaultKind.Event, e.Message, position: stored.Position);
            return null;
        }
    }

    /// <summary>Takes the next event in the log's order; null for one that could not be read, after which nothing can be decided again.</summary>
    public void Take(ExportedEvent exported, Recorded? recorded)
    {
        if (exported.IsVoid)
        {
            Flush();
            if (_stopped is null)
            {
                Audit.Skip(exported.Position);
            }

            return;
        }

        if (exported.IsErased)
        {
            _erased.Add(exported);
        }

        if (recorded is null)
        {
            _stopped ??= $"nothing from position {exported.Position} on could be decided again";
            return;
        }

        if (recorded.Data is PayloadErased erasure)
        {
            if (!_erasures.TryGetValue(erasure.Position, out var said))
            {
                _erasures[erasure.Position] = said = [];
            }

            said.Add(erasure);
        }

        if (_stopped is null)
        {
            if (_command.Count > 0 && _command[^1].At != recorded.At)
            {
                Flush();
            }

            _command.Add(recorded);
            Scopes.Observe(recorded);
        }
    }

    /// <summary>The end of the events: reports what was found.</summary>
    public void Finish()
    {
        Flush();
        foreach (var fault in Audit.Report.Faults)
        {
            report.Fault(FaultKind.Market, $"{fault.What} ({fault.Check})", position: fault.Position);
        }

        if (_stopped is not null)
        {
            report.Note($"{_stopped}");
        }

        CheckErased();
    }

    private void Flush()
    {
        if (_command.Count > 0)
        {
            Audit.Observe(_command);
            _command.Clear();
        }
    }

    private void CheckErased()
    {
        foreach (var exported in _erased)
        {
            if (WhyNotErased(exported.Event!, _erasures.GetValueOrDefault(exported.Position)) is { } why)
            {
                report.Fault(FaultKind.Erasure, why, position: exported.Position);
            }
        }

        if (_erased.Count == 0)
        {
            return;
        }

        report.Note($"{_erased.Count} events were erased in part and cannot be opened; what is left of them is taken on the operator's word: positions {string.Join(", ", _erased.Take(20).Select(e => e.Position))}{(_erased.Count > 20 ? ", ..." : "")}. Deciders read none of the texts that may be erased.");
        if (partial)
        {
            // The announcements are on a stream that is not here.
            report.Undecided = $"position {_erased[0].Position} was erased in part, and a market alone cannot show that this was announced and that nothing else was changed under it. Verify the whole log: verify_anchor log DIR.";
        }
    }

    /// <summary>An erasure is of texts that may be, announced for this very event, and left everything else as it was.</summary>
    private string? WhyNotErased(StoredEvent stored, List<PayloadErased>? announced)
    {
        var texts = Erasable.Of(stored.Type);
        if (texts.Count == 0)
        {
            return $"the salt is gone, and nothing of a {stored.Type} may be erased";
        }

        if (announced is null)
        {
            return partial ? null : "the salt is gone, and no payload_erased event names this position";
        }

        if (announced.Find(erasure => erasure.Type != stored.Type || erasure.Stream != stored.Stream.Value) is { } other)
        {
            return $"it is a {stored.Type} of {stored.Stream}, its payload_erased names a {other.Type} of {other.Stream}";
        }

        using var body = JsonDocument.Parse(stored.Data);
        foreach (var field in announced.SelectMany(erasure => erasure.Fields))
        {
            if (!texts.Contains(field) || !body.RootElement.TryGetProperty(field, out var value) || value.ValueKind != JsonValueKind.String || value.GetString() != Erased.Mark)
            {
                return $"its payload_erased names '{field}', which {(texts.Contains(field) ? "is still there" : $"may not be erased of a {stored.Type}")}";
            }
        }

        return RestOf(stored) is var rest && rest != announced[^1].RestSha256
            ? $"what is left of the erased event has the hash {rest}, its payload_erased says {announced[^1].RestSha256}: more was changed than the named texts"
            : null;
    }

    private static string RestOf(StoredEvent e)
    {
        try
        {
            return Erased.RestOf(e.Data.Span, e.Headers.Span);
        }
        catch (CanonicalJsonException exception)
        {
            return exception.Message;
        }
    }

    private sealed record Opaque(Instant At);
}
