using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using Mbp.Domain.Accounts;
using Mbp.Domain.Payments;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Json;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres.Reading;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Payments;

/// <summary>A UTC day.</summary>
/// <param name="Date">The day.</param>
internal readonly record struct UtcDay(LocalDate Date)
{
    public Instant Begin => Date.AtStartOfDayInZone(DateTimeZone.Utc).ToInstant();

    public Instant End => Date.PlusDays(1).AtStartOfDayInZone(DateTimeZone.Utc).ToInstant();

    public static UtcDay Of(Instant at) => new(at.InUtc().Date);

    public override string ToString() => NodaTime.Text.LocalDatePattern.Iso.Format(Date);
}

/// <summary>What a run found.</summary>
/// <param name="Day">The day.</param>
/// <param name="IsFinal">Whether it is over.</param>
/// <param name="Found">What is left after the repairs.</param>
/// <param name="Repaired">How many there were.</param>
/// <param name="Times">How long failures lasted.</param>
/// <param name="Sha256">Of the report file.</param>
/// <param name="Path">Where that is.</param>
internal sealed record ReconciledDay(UtcDay Day, bool IsFinal, Reconciliation Found, int Repaired, RepairTimes Times, string Sha256, string Path)
{
    public ReconciliationRecorded Event(string rail, Instant at) =>
        new(Day.ToString(), rail, Found.Matched, Found.Total, [.. Found.Counts], Repaired, Sha256, at);
}

/// <summary>
/// Holds a day's statement of the rail against the ledger, records what the ledger had not heard of, and leaves a report whose bytes follow from
/// the two sides alone: whoever has both makes the same file.
/// </summary>
internal sealed class ReconciliationRun(Payouts payouts, TableReads tables, IEventStore store, IClock clock, MbpOptions options) : IDisposable
{
    private const string Rows = """
        SELECT withdrawal_id, account_id, amount, payee, state, attempts, rail_reference, reason, requested_at, failed_first_at, next_at, paid_at, reversed_at, ended_at, position
        FROM mbp_withdrawals WHERE paid_at >= $1 AND paid_at < $2 OR reversed_at >= $1 AND reversed_at < $2 OR ended_at >= $1 AND ended_at < $2
          OR failed_first_at >= $1 AND failed_first_at < $2 OR ended_at IS NULL AND requested_at < $2 OR withdrawal_id = ANY ($3)
        """;

    private readonly SemaphoreSlim _gate = new(1);

    /// <summary>The last one of this process.</summary>
    public ReconciledDay? Last { get; private set; }

    public static Operation Record(ReconciledDay day, string rail)
    {
        var log = ReconciliationLog.Fold.Of(ReconciliationLog.StreamOf(day.Day.ToString()));
        return Operation.On(log, (at, before) => ReconciliationDecider.Record(day.Event(rail, at), before));
    }

    /// <summary>Reconciles a day that has begun. Recording it is the caller's: it has a name to do it in.</summary>
    public async Task<ReconciledDay> RunAsync(UtcDay day, CommandContext context, CancellationToken cancellationToken)
    {
        // Two at once would each count the other's repairs.
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var isFinal = day.End <= clock.GetCurrentInstant();
            var statement = await payouts.Rail.StatementAsync(day.Begin, day.End, cancellationToken).ConfigureAwait(false);
            var rows = await RowsAsync(day, statement, cancellationToken).ConfigureAwait(false);
            var found = Reconciliation.Of(day.Begin, day.End, statement, rows);
            var repaired = await RepairAsync(found, rows, context, cancellationToken).ConfigureAwait(false);
            if (repaired.Count > 0)
            {
                rows = await RowsAsync(day, statement, cancellationToken).ConfigureAwait(false);
                found = Reconciliation.Of(day.Begin, day.End, statement, rows);
            }

            var times = RepairTimes.Of(rows.Where(row => row.FailedFirstAt >= day.Begin && row.FailedFirstAt < day.End));
            var report = Report(day, isFinal, statement.Count, found, repaired, times);
            var sha256 = Convert.ToHexStringLower(SHA256.HashData(report));
            return Last = new ReconciledDay(day, isFinal, found, repaired.Count, times, sha256, await SaveAsync(day, sha256, report, cancellationToken).ConfigureAwait(false));
        }
        finally
        {
            _gate.Release();
        }
    }

    public void Dispose() => _gate.Dispose();

    private async Task<IReadOnlyList<WithdrawalRow>> RowsAsync(UtcDay day, IReadOnlyList<RailLine> statement, CancellationToken cancellationToken) => await tables.ReadAtAsync(
        await store.HeadAsync(cancellationToken).ConfigureAwait(false), WithdrawalTable.Projection.Name, Rows, Read,
        [day.Begin, day.End, statement.Select(line => line.Key).Distinct(StringComparer.Ordinal).ToArray()], cancellationToken).ConfigureAwait(false);

    /// <summary>What the rail has done and the ledger has not heard of; all else is for people.</summary>
    private async Task<List<Discrepancy>> RepairAsync(Reconciliation found, IReadOnlyList<WithdrawalRow> rows, CommandContext context, CancellationToken cancellationToken)
    {
        var (accounts, repaired) = (rows.ToDictionary(row => row.WithdrawalId, row => row.AccountId, StringComparer.Ordinal), new List<Discrepancy>());
        // In the order of time: a payment before its return.
        foreach (var one in found.Discrepancies.OrderBy(one => one.At))
        {
            if (Reconciliation.Repair(one) is { } answer)
            {
                var outcome = await payouts.RecordAsync(new WithdrawalId(one.Key), new AccountId(accounts[one.Key]), attempt: null, answer, context, cancellationToken).ConfigureAwait(false);
                if (outcome is { Rejection: null, Events.Count: > 0 })
                {
                    repaired.Add(one);
                }
            }
        }

        return repaired;
    }

    private byte[] Report(UtcDay day, bool isFinal, int lines, Reconciliation found, List<Discrepancy> repaired, RepairTimes times)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                Format = "mbp-reconciliation@v1", Day = day.ToString(), Zone = "UTC", Rail = payouts.Rail.Name, Final = isFinal, StatementLines = lines, RepeatedLines = found.Repeated, found.Matched,
                found.Total, MatchedPercent = found.Percent, found.Counts, found.Discrepancies, Repaired = repaired, RepairTimes = times,
            },
            LedgerJson.Options);
        var canonical = new ArrayBufferWriter<byte>(json.Length);
        CanonicalJson.Write(json, canonical);
        return canonical.WrittenSpan.ToArray();
    }

    // A run that found something else does not take the place of the one before it.
    private async Task<string> SaveAsync(UtcDay day, string sha256, byte[] report, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Path.GetFullPath(options.Data), "reconciliation")).FullName;
        var path = Path.Combine(folder, $"{day}-{sha256[..16]}.json");
        await File.WriteAllBytesAsync($"{path}.part", report, cancellationToken).ConfigureAwait(false);
        File.Move($"{path}.part", path, overwrite: true);
        return path;
    }

    private static WithdrawalRow Read(TableLine line) => new(
        line.Text(0), line.Text(1), (long)line.Units(2), line.Text(3), line.Text(4), line.Whole(5), line.TextOrNull(6), line.TextOrNull(7), line.Time(8), line.TimeOrNull(9), line.TimeOrNull(10),
        line.TimeOrNull(11), line.TimeOrNull(12), line.TimeOrNull(13), line.Whole(14));
}
