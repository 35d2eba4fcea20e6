using System.Globalization;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Payments;

/// <summary>A line of a rail's statement.</summary>
/// <param name="Key">The idempotency key that the order came with.</param>
/// <param name="Reference">The rail's own id of the payment.</param>
/// <param name="Movement">What it tells of.</param>
/// <param name="Amount">How much.</param>
/// <param name="At">When, by the rail's clock.</param>
public sealed record RailLine(string Key, string Reference, RailMovement Movement, Credits Amount, Instant At);

public enum RailMovement
{
    Settled,
    Reversed,
}

/// <summary>A movement that the two sides do not tell alike.</summary>
/// <param name="Class">How they differ.</param>
/// <param name="Key">The withdrawal, or the key that is none.</param>
/// <param name="Reference">The rail's id of the payment, where there is one.</param>
/// <param name="LedgerState">The withdrawal's state, where there is one.</param>
/// <param name="LedgerAmount">CE$, by the ledger.</param>
/// <param name="RailAmount">CE$, by the rail.</param>
/// <param name="At">The rail's time of the movement, or the ledger's of the request.</param>
public sealed record Discrepancy(DiscrepancyClass Class, string Key, string? Reference, string? LedgerState, Credits? LedgerAmount, Credits? RailAmount, Instant At);

/// <summary>How long failures of payouts lasted: from the first one of a withdrawal until it was settled or its credits were back.</summary>
/// <param name="Failures">Withdrawals with a failure that began on the day.</param>
/// <param name="Open">Those of them that have no end yet; they are in neither figure.</param>
/// <param name="MedianMs">Milliseconds, nearest rank; null = none has ended.</param>
/// <param name="P95Ms">Milliseconds, nearest rank.</param>
public sealed record RepairTimes(int Failures, int Open, long? MedianMs, long? P95Ms)
{
    public static RepairTimes Of(IEnumerable<WithdrawalRow> failed)
    {
        var all = failed.Where(row => row.FailedFirstAt is not null).ToList();
        var lasted = all.Where(row => row.EndedAt is not null).Select(row => (long)(row.EndedAt!.Value - row.FailedFirstAt!.Value).TotalMilliseconds).Order().ToList();
        return new RepairTimes(all.Count, all.Count - lasted.Count, Rank(lasted, 50), Rank(lasted, 95));
    }

    private static long? Rank(List<long> sorted, int percent) => sorted.Count == 0 ? null : sorted[Math.Max(0, ((sorted.Count * percent) + 99) / 100 - 1)];
}

/// <summary>
/// A day's statement of the rail against the ledger. A day is a UTC day of the rail's clock: a payment belongs to the day on which the rail made it,
/// whenever the ledger heard of it. A withdrawal that is still on its way belongs to the day on which it was requested, and to every day after it.
/// </summary>
/// <param name="Matched">Movements that both sides tell alike.</param>
/// <param name="Discrepancies">All others, in the order of their keys.</param>
/// <param name="Repeated">Lines that the statement has more than once: the same payment told twice, not made twice.</param>
public sealed record Reconciliation(int Matched, IReadOnlyList<Discrepancy> Discrepancies, int Repeated)
{
    public int Total => Matched + Discrepancies.Count;

    /// <summary>Two decimals, rounded down: <c>100.00</c> says that nothing is left.</summary>
    public string Percent
    {
        get
        {
            var hundredths = Total == 0 ? 10_000 : 10_000L * Matched / Total;
            return string.Create(CultureInfo.InvariantCulture, $"{hundredths / 100}.{hundredths % 100:00}");
        }
    }

    public IEnumerable<DiscrepancyCount> Counts => Discrepancies.GroupBy(one => one.Class).OrderBy(group => group.Key).Select(group => new DiscrepancyCount(group.Key, group.Count()));

    /// <param name="begin">The day's first instant.</param>
    /// <param name="end">The next day's.</param>
    /// <param name="statement">The rail's lines of the day.</param>
    /// <param name="withdrawals">Every withdrawal that a line names, that moved on the day, or that is open and was requested before its end; others do no harm.</param>
    public static Reconciliation Of(Instant begin, Instant end, IReadOnlyCollection<RailLine> statement, IReadOnlyCollection<WithdrawalRow> withdrawals)
    {
        ArgumentNullException.ThrowIfNull(statement);
        ArgumentNullException.ThrowIfNull(withdrawals);
        var lines = statement.OrderBy(line => line.Key, StringComparer.Ordinal).ThenBy(line => line.At).ThenBy(line => line.Movement).ThenBy(line => line.Reference, StringComparer.Ordinal)
            .DistinctBy(line => (line.Key, line.Reference, line.Movement, line.Amount)).ToList();
        var rows = withdrawals.ToDictionary(row => row.WithdrawalId, StringComparer.Ordinal);
        var (matched, found, told) = (0, new List<Discrepancy>(), new HashSet<(string Key, string Reference, RailMovement Movement)>());
        var claimed = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in lines)
        {
            var row = rows.GetValueOrDefault(line.Key);
            told.Add((line.Key, line.Reference, line.Movement));
            // Of several payments under one key, the first is the withdrawal's where the ledger does not say which.
            var own = row?.RailReference ?? (claimed.TryAdd(line.Key, line.Reference) ? line.Reference : claimed[line.Key]);
            if (Judge(line, row, own) is { } @class)
            {
                found.Add(new Discrepancy(@class, line.Key, line.Reference, row?.State, row is null ? null : new Credits(row.Amount), line.Amount, line.At));
            }
            else
            {
                matched++;
            }
        }

        var named = lines.Select(line => line.Key).ToHashSet(StringComparer.Ordinal);
        foreach (var row in rows.Values.OrderBy(row => row.WithdrawalId, StringComparer.Ordinal))
        {
            if (row.IsOpen && row.RequestedAt < end && !named.Contains(row.WithdrawalId))
            {
                found.Add(Lacking(DiscrepancyClass.Late, row, row.RequestedAt));
            }

            // Failed without a line: neither side has moved anything.
            matched += row.State == "failed" && Within(row.EndedAt) && !named.Contains(row.WithdrawalId) ? 1 : 0;
            if (Within(row.PaidAt) && !told.Contains((row.WithdrawalId, row.RailReference!, RailMovement.Settled)))
            {
                found.Add(Lacking(DiscrepancyClass.MissingAtRail, row, row.PaidAt!.Value));
            }

            if (Within(row.ReversedAt) && !told.Contains((row.WithdrawalId, row.RailReference!, RailMovement.Reversed)))
            {
                found.Add(Lacking(DiscrepancyClass.MissingAtRail, row, row.ReversedAt!.Value));
            }
        }

        return new Reconciliation(matched, [.. found.OrderBy(one => one.Key, StringComparer.Ordinal).ThenBy(one => one.Class).ThenBy(one => one.At)], statement.Count - lines.Count);

        bool Within(Instant? at) => at >= begin && at < end;
    }

    /// <summary>What the ledger has not heard of, as the answer that it lacks; null = no command mends it.</summary>
    public static RailAnswer? Repair(Discrepancy one)
    {
        ArgumentNullException.ThrowIfNull(one);
        return one.Class switch
        {
            DiscrepancyClass.SettledUnrecorded => new RailAnswer.Settled(one.Reference!, one.RailAmount!.Value, one.At),
            DiscrepancyClass.ReversedUnrecorded => new RailAnswer.Reversed(one.Reference!, one.RailAmount!.Value, "statement", one.At, one.At),
            _ => null,
        };
    }

    private static Discrepancy Lacking(DiscrepancyClass @class, WithdrawalRow row, Instant at) =>
        new(@class, row.WithdrawalId, row.RailReference, row.State, new Credits(row.Amount), RailAmount: null, at);

    private static DiscrepancyClass? Judge(RailLine line, WithdrawalRow? row, string own) => (line.Movement, row) switch
    {
        (_, null) => DiscrepancyClass.MissingInLedger,
        (_, { State: "requested" }) => DiscrepancyClass.StatusMismatch,
        (_, { State: not "failed" }) when line.Reference != own => DiscrepancyClass.DuplicateAtRail,
        _ when line.Amount.Units != row.Amount => DiscrepancyClass.AmountMismatch,
        // Paid and returned: somebody has both, unless the payment came back by itself.
        (RailMovement.Settled, { State: "failed" }) => DiscrepancyClass.StatusMismatch,
        (RailMovement.Reversed, { State: "failed" }) => null,
        (RailMovement.Settled, { IsOpen: true }) => DiscrepancyClass.SettledUnrecorded,
        (RailMovement.Reversed, { State: not "reversed" }) => DiscrepancyClass.ReversedUnrecorded,
        _ => null,
    };
}
