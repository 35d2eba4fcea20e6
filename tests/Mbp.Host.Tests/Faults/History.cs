using System.Collections.Immutable;
using System.Globalization;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Ledger;

namespace Mbp.Host.Tests.Faults;

internal enum Verdict
{
    /// <summary>The trade was carried out, and is at its position.</summary>
    Acknowledged,

    /// <summary>A rule refused it.</summary>
    Refused,

    /// <summary>The last word was "nothing was written", no earlier try was left open, and the client gave up.</summary>
    NotWritten,
}

/// <summary>What one client was finally told about one trade, under one key; times are Stopwatch ticks.</summary>
/// <param name="Client">Who asked.</param>
/// <param name="Key">Its idempotency key, the same in every try.</param>
/// <param name="Market">Where.</param>
/// <param name="Start">Before the first try was sent.</param>
/// <param name="End">After the last answer came.</param>
/// <param name="Verdict">The last answer.</param>
/// <param name="Position">Of an acknowledged trade: where it says it is.</param>
/// <param name="TradeId">Of an acknowledged trade.</param>
internal sealed record Told(int Client, string Key, string Market, long Start, long End, Verdict Verdict, long Position = 0, string TradeId = "");

/// <summary>What one client saw of a market, having asked for nothing older than a position.</summary>
/// <param name="Client">Who asked.</param>
/// <param name="Market">Of what.</param>
/// <param name="Start">Before it was sent.</param>
/// <param name="End">After the answer came.</param>
/// <param name="MinPosition">What was asked for.</param>
/// <param name="Position">The position of the market's last event in the answer.</param>
/// <param name="Price">The first outcome's price in the answer.</param>
internal sealed record Seen(int Client, string Market, long Start, long End, long MinPosition, long Position, string Price);

/// <summary>One event of the ledger, as far as a client could have seen it.</summary>
/// <param name="Position">Its place.</param>
/// <param name="Causation">The command that caused it.</param>
/// <param name="Market">Whose page it moves; null for an account's event and the like.</param>
/// <param name="Prices">Of that market, all outcomes' prices after it.</param>
/// <param name="TradeId">Of a trade.</param>
/// <param name="Outcome">Of a trade: the place of the traded outcome.</param>
/// <param name="Before">Of a trade: that outcome's price before it.</param>
/// <param name="Posting">Of an account's side of a trade: the trade's id.</param>
internal sealed record Entry(
    long Position, string Causation, string? Market = null, ImmutableArray<string> Prices = default, string? TradeId = null, int Outcome = 0, string? Before = null, string? Posting = null)
{
    public static IReadOnlyList<Entry> Of(IEnumerable<Recorded> ledger)
    {
        var (entries, prices, outcomes) = (new List<Entry>(), new Dictionary<string, ImmutableArray<string>>(), new Dictionary<string, List<string>>());
        foreach (var recorded in ledger)
        {
            var market = recorded.Stream.Category is "market" or "quotes" or "resolution" or "abuse" ? recorded.Stream.Key : null;
            if (recorded.Data is MarketCreated created)
            {
                outcomes[market!] = [.. created.Outcomes];
            }

            if (recorded.Data is PoolEvent moved)
            {
                prices[market!] = [.. moved.Prices.Select(price => price.ToString())];
            }

            var entry = new Entry(recorded.Position, recorded.Stored.CausationId, market, market is null ? default : prices.GetValueOrDefault(market, []));
            entries.Add(recorded.Data switch
            {
                TradeExecuted e => entry with { TradeId = e.TradeId, Outcome = outcomes[market!].IndexOf(e.Outcome), Before = e.PriceBefore.ToString() },
                AccountDebited { Kind: PostingKind.Trade } e => entry with { Posting = e.Reference },
                AccountCredited { Kind: PostingKind.Trade } e => entry with { Posting = e.Reference },
                _ => entry,
            });
        }

        return entries;
    }
}

/// <summary>
/// Holds what concurrent clients were told and saw against what the ledger has. One writer decides everything in one order, and that order is the
/// positions': whatever was over before something else began must come before it, on every market and across them.
/// </summary>
internal static class History
{
    private const int Enough = 20;

    /// <returns>Everything that cannot be, in words; empty = the history holds.</returns>
    public static IReadOnlyList<string> Complaints(IReadOnlyList<Entry> ledger, IReadOnlyList<Told> told, IReadOnlyList<Seen> seen) =>
    [
        .. Whole(ledger).Take(Enough), .. Chained(ledger).Take(Enough), .. OnceEach(ledger, told).Take(Enough), .. InRealTime(told).Take(Enough),
        .. NeverBack(seen).Take(Enough), .. AsItWas(ledger, told, seen).Take(Enough),
    ];

    /// <summary>No gap, and no half command: a trade comes right after its posting, caused by the same command.</summary>
    private static IEnumerable<string> Whole(IReadOnlyList<Entry> ledger)
    {
        for (var i = 0; i < ledger.Count; i++)
        {
            var (before, entry, after) = (i > 0 ? ledger[i - 1] : null, ledger[i], i + 1 < ledger.Count ? ledger[i + 1] : null);
            if (entry.Position != i + 1)
            {
                yield return $"Event {i + 1} of the ledger has position {entry.Position}.";
            }

            if (entry.TradeId is { } trade && (before?.Posting != trade || before.Causation != entry.Causation))
            {
                yield return $"Half a command: trade {trade} at {entry.Position} moved no cash.";
            }

            if (entry.Posting is { } posting && (after?.TradeId != posting || after.Causation != entry.Causation))
            {
                yield return $"Half a command: cash moved at {entry.Position}, and the trade {posting} is missing.";
            }
        }
    }

    /// <summary>Each trade was decided on the prices that the event before it left.</summary>
    private static IEnumerable<string> Chained(IReadOnlyList<Entry> ledger)
    {
        var last = new Dictionary<string, Entry>();
        foreach (var entry in ledger.Where(e => e.Market is not null))
        {
            if (entry.TradeId is not null && last.TryGetValue(entry.Market!, out var before) && before.Prices[entry.Outcome] != entry.Before)
            {
                yield return $"The trade at {entry.Position} was decided at {entry.Before}, and {before.Position} had left the price at {before.Prices[entry.Outcome]}.";
            }

            last[entry.Market!] = entry;
        }
    }

    /// <summary>What was acknowledged is there once, at its position; what was not is not there.</summary>
    private static IEnumerable<string> OnceEach(IReadOnlyList<Entry> ledger, IReadOnlyList<Told> told)
    {
        var written = ledger.Where(e => e.TradeId is not null).ToLookup(e => e.TradeId!);
        foreach (var twice in written.Where(trades => trades.Count() > 1))
        {
            yield return $"Trade {twice.Key} is in the ledger more than once: at {string.Join(" and ", twice.Select(e => e.Position))}.";
        }

        foreach (var twice in told.GroupBy(t => t.Key).Where(answers => answers.Count() > 1))
        {
            yield return $"Key {twice.Key} was answered for good more than once.";
        }

        var acknowledged = told.Where(t => t.Verdict == Verdict.Acknowledged).ToList();
        foreach (var twice in acknowledged.GroupBy(t => t.TradeId).Where(answers => answers.Count() > 1))
        {
            yield return $"Keys {string.Join(" and ", twice.Select(t => t.Key))} were told of the same trade {twice.Key}.";
        }

        foreach (var lost in acknowledged.Where(t => !written[t.TradeId].Any(e => e.Position == t.Position && e.Market == t.Market)))
        {
            yield return $"Key {lost.Key} was told that trade {lost.TradeId} is at {lost.Position} of {lost.Market}, and it is not there.";
        }

        var known = acknowledged.Select(t => t.TradeId).ToHashSet();
        foreach (var unknown in written.Where(trades => !known.Contains(trades.Key)))
        {
            yield return $"Trade {unknown.Key} at {unknown.First().Position} was acknowledged to nobody: its client was told that nothing was written, or refused.";
        }
    }

    /// <summary>If A's answer came before B was sent, A is before B in the ledger.</summary>
    private static IEnumerable<string> InRealTime(IReadOnlyList<Told> told)
    {
        Told? latest = null;
        foreach (var trade in told.Where(t => t.Verdict == Verdict.Acknowledged).OrderBy(t => t.Position))
        {
            if (latest is not null && trade.End < latest.Start)
            {
                yield return $"Key {trade.Key} was answered before key {latest.Key} was sent, and is after it: {trade.Position} and {latest.Position}.";
            }

            latest = latest is null || trade.Start > latest.Start ? trade : latest;
        }
    }

    /// <summary>A client that asks for what it saw last never sees less.</summary>
    private static IEnumerable<string> NeverBack(IReadOnlyList<Seen> seen)
    {
        var last = new Dictionary<(int, string), long>();
        foreach (var read in seen.OrderBy(s => s.End))
        {
            if (last.TryGetValue((read.Client, read.Market), out var before) && read.Position < before)
            {
                yield return $"Client {read.Client} saw {read.Market} at {before}, and then at {read.Position}.";
            }

            last[(read.Client, read.Market)] = read.Position;
        }
    }

    /// <summary>A read shows the market as it was at one position: not older than asked for, not newer than what anybody had sent.</summary>
    private static IEnumerable<string> AsItWas(IReadOnlyList<Entry> ledger, IReadOnlyList<Told> told, IReadOnlyList<Seen> seen)
    {
        var markets = ledger.Where(e => e.Market is not null).GroupBy(e => e.Market!).ToDictionary(group => group.Key, group => group.ToList());
        var sent = told.Where(t => t.Verdict == Verdict.Acknowledged).ToLookup(t => t.Position, t => t.Start);
        foreach (var read in seen)
        {
            var events = markets[read.Market];
            if (LastUpTo(events, read.Position) is not { } shown || shown.Position != read.Position)
            {
                yield return string.Create(CultureInfo.InvariantCulture, $"Client {read.Client} saw {read.Market} at {read.Position}, where no event of it is.");
            }
            else if (LastUpTo(events, read.MinPosition) is { } due && read.Position < due.Position)
            {
                yield return $"Client {read.Client} asked for {read.MinPosition} and saw {read.Market} at {read.Position}, without its event at {due.Position}.";
            }
            else if (shown.Prices[0] != read.Price)
            {
                yield return $"Client {read.Client} saw {read.Market} at {read.Position} with the price {read.Price} instead of {shown.Prices[0]}.";
            }
            else if (sent[read.Position].Any(start => start > read.End))
            {
                yield return $"Client {read.Client} saw the trade at {read.Position} before it was sent.";
            }
        }
    }

    private static Entry? LastUpTo(List<Entry> events, long position)
    {
        var (from, to) = (0, events.Count);
        while (from < to)
        {
            var middle = (from + to) / 2;
            (from, to) = events[middle].Position <= position ? (middle + 1, to) : (from, middle);
        }

        return from == 0 ? null : events[from - 1];
    }
}
