using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Domain.Payments;
using Mbp.Domain.Units;
using Mbp.Ledger.Json;
using NodaTime;

namespace Mbp.Host.Payments;

/// <summary>
/// A PIX rail that pays nobody. What it has promised is in a journal of its own in the data folder, flushed to the disk before it answers: it
/// survives restarts and kills, as a real rail does not forget either. Whatever else it does wrong is by seed or by script (<see cref="RailBehaviours"/>).
/// </summary>
internal sealed class SimulatedPixRail : IPayoutRail
{
    private static readonly Duration Late = Duration.FromSeconds(30);
    private static readonly Duration Back = Duration.FromMinutes(1);
    private static readonly Duration Quietly = Duration.FromSeconds(1);
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(5);

    // So often an order fails that fails for a while.
    private const int Visits = 2;

    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly IClock _clock;
    private readonly long? _seed;
    private readonly Dictionary<string, Order> _orders = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _visits = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Order> _unfinished = new(StringComparer.Ordinal);
    private readonly Dictionary<string, MovementKind> _told = new(StringComparer.Ordinal);
    private readonly HashSet<string> _moved = new(StringComparer.Ordinal);
    private readonly List<Movement> _movements = [];
    private long _read;

    /// <param name="folder">Where its journal is; made if it is not there.</param>
    /// <param name="clock">The rail's clock.</param>
    /// <param name="seed">The faults' seed; null = only those that a payee asks for.</param>
    public SimulatedPixRail(string folder, IClock clock, long? seed)
    {
        Directory.CreateDirectory(folder);
        (_path, _clock, _seed) = (Path.Combine(folder, "journal.jsonl"), clock, seed);
    }

    public string Name => "pix-simulated";

    public async Task<RailAnswer> SendAsync(PayoutOrder order, CancellationToken cancellationToken)
    {
        var known = await FindAsync(order.Key, cancellationToken).ConfigureAwait(false);
        var answer = Send(order);
        if (known is RailAnswer.NotFound && answer is RailAnswer.Settled && RailBehaviours.Of(order.Payee, _seed) == RailBehaviour.HangsAfterPaying)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false);
        }

        return answer;
    }

    public Task<RailAnswer> FindAsync(string key, CancellationToken cancellationToken) =>
        Task.FromResult(Do((_, _) => _orders.GetValueOrDefault(key) is { } order ? AnswerOf(order) : new RailAnswer.NotFound()));

    public Task<IReadOnlyList<RailNotice>> NoticesAsync(long after, int most, CancellationToken cancellationToken) => Task.FromResult(Do<IReadOnlyList<RailNotice>>((_, _) =>
        [.. _movements.Where(moved => moved.Number > after && moved.IsTold).Take(most).Select(moved => new RailNotice(moved.Number, moved.Key, AnswerOf(_orders[moved.Key], moved.Kind)))]));

    public Task<IReadOnlyList<RailLine>> StatementAsync(Instant begin, Instant end, CancellationToken cancellationToken) => Task.FromResult(Do<IReadOnlyList<RailLine>>((_, _) =>
        [.. _movements.Where(moved => moved.Kind != MovementKind.Rejected && moved.At >= begin && moved.At < end).Select(moved => new RailLine(
            moved.Key, _orders[moved.Key].Reference, moved.Kind == MovementKind.Settled ? RailMovement.Settled : RailMovement.Reversed, _orders[moved.Key].Amount, moved.At))]));

    private RailAnswer Send(PayoutOrder order) => Do<RailAnswer>((now, journal) =>
    {
        if (_orders.GetValueOrDefault(order.Key) is { } known)
        {
            return known.Amount == order.Amount && known.Payee == order.Payee ? AnswerOf(known) : throw new InvalidOperationException($"The key {order.Key} is another order's.");
        }

        if (now > order.NotAfter)
        {
            return new RailAnswer.NotFound();
        }

        var behaviour = RailBehaviours.Of(order.Payee, _seed);
        if (behaviour == RailBehaviour.Dead || (behaviour is RailBehaviour.Unavailable or RailBehaviour.TimesOut && _visits.GetValueOrDefault(order.Key) < Visits))
        {
            journal.Add(new Entry(Visit: order.Key));
            return behaviour == RailBehaviour.TimesOut ? throw new TimeoutException("The rail does not answer.") : new RailAnswer.Unavailable();
        }

        var taken = new Order(
            order.Key, order.Amount, order.Payee, behaviour, string.Create(CultureInfo.InvariantCulture, $"E{_orders.Count + 1:00000000}"),
            behaviour == RailBehaviour.Rejects ? null : behaviour switch { RailBehaviour.SettlesLate => now + Late, RailBehaviour.SettlesSilently => now + Quietly, _ => now },
            behaviour == RailBehaviour.ReversesLater ? now + Back : null);
        journal.Add(new Entry(Order: taken));
        Take(journal[^1]);
        Advance(now, journal);
        // Not even the rail's own failure to answer makes the order undone.
        return behaviour == RailBehaviour.TimesOutAfterPaying ? throw new TimeoutException("The rail does not answer.") : AnswerOf(taken);
    });

    /// <summary>Reads what other processes wrote, lets time pass, does something, and has all of it on the disk before the answer.</summary>
    private TAnswer Do<TAnswer>(Func<Instant, List<Entry>, TAnswer> what)
    {
        lock (_gate)
        {
            using var file = Open();
            ReadOn(file);
            // What the ledger keeps of it has microseconds.
            var (now, journal) = (Instant.FromUnixTimeTicks(_clock.GetCurrentInstant().ToUnixTimeTicks() / 10 * 10), new List<Entry>());
            try
            {
                Advance(now, journal);
                return what(now, journal);
            }
            finally
            {
                Keep(file, journal);
            }
        }
    }

    // One process at a time; another host on the same folder waits its turn.
    private FileStream Open()
    {
        for (var until = TimeProvider.System.GetTimestamp(); ; Thread.Sleep(5))
        {
            try
            {
                return new FileStream(_path, OnlyOurs());
            }
            catch (IOException) when (TimeProvider.System.GetElapsedTime(until) < LockPatience)
            {
                // Another one has it.
            }
        }
    }

    private static FileStreamOptions OnlyOurs()
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return options;
    }

    private void ReadOn(FileStream file)
    {
        file.Position = _read;
        using var reader = new StreamReader(file, Encoding.UTF8, false, 1 << 16, leaveOpen: true);
        foreach (var line in reader.ReadToEnd().Split('\n')[..^1])
        {
            Take(JsonSerializer.Deserialize<Entry>(line, LedgerJson.Options) ?? throw new InvalidDataException($"{_path} is damaged."));
            _read += Encoding.UTF8.GetByteCount(line) + 1;
        }

        // Half a line is a promise that nobody was given: its writer died before it answered.
        if (file.Length > _read)
        {
            file.SetLength(_read);
        }
    }

    private void Keep(FileStream file, List<Entry> journal)
    {
        try
        {
            Write(file, journal);
        }
        catch
        {
            // It must not remember what is not in the journal.
            _orders.Clear();
            _visits.Clear();
            _unfinished.Clear();
            _told.Clear();
            _moved.Clear();
            _movements.Clear();
            _read = 0;
            throw;
        }
    }

    private void Write(FileStream file, List<Entry> journal)
    {
        if (journal.Count == 0)
        {
            return;
        }

        var bytes = Encoding.UTF8.GetBytes(string.Concat(journal.Select(entry => JsonSerializer.Serialize(entry, LedgerJson.Options) + "\n")));
        foreach (var entry in journal.Where(entry => entry.Visit is not null))
        {
            Take(entry);
        }

        file.Position = _read;
        file.Write(bytes);
        file.Flush(flushToDisk: true);
        _read += bytes.Length;
    }

    private void Take(Entry entry)
    {
        if (entry.Order is { } order)
        {
            _orders[order.Key] = _unfinished[order.Key] = order;
        }
        else if (entry.Movement is { } moved)
        {
            _movements.Add(moved);
            _moved.Add(moved.Key);
            if (_orders[moved.Key].Behaviour != RailBehaviour.SettlesSilently)
            {
                _told[moved.Key] = moved.Kind;
            }

            if (moved.Kind == MovementKind.Rejected || (moved.Kind == MovementKind.Reversed) == (_orders[moved.Key].ReversesAt is not null))
            {
                _unfinished.Remove(moved.Key);
            }
        }
        else if (entry.Visit is { } key)
        {
            _visits[key] = _visits.GetValueOrDefault(key) + 1;
        }
    }

    /// <summary>Everything that was due by now happens, at the time that it was due.</summary>
    private void Advance(Instant now, List<Entry> journal)
    {
        foreach (var order in _unfinished.Values.ToList())
        {
            var done = _moved.Contains(order.Key);
            if (order.SettlesAt is null && !done)
            {
                Move(order, MovementKind.Rejected, now, isTold: true);
            }
            else if (order.SettlesAt <= now && !done)
            {
                var isTold = order.Behaviour is not (RailBehaviour.SettlesSilently or RailBehaviour.TimesOutAfterPaying or RailBehaviour.HangsAfterPaying);
                for (var i = 0; i < (order.Behaviour == RailBehaviour.ReportsTwice ? 2 : 1); i++)
                {
                    Move(order, MovementKind.Settled, order.SettlesAt.Value, isTold);
                }
            }

            if (order.ReversesAt <= now && _unfinished.ContainsKey(order.Key))
            {
                Move(order, MovementKind.Reversed, order.ReversesAt.Value, isTold: true);
            }
        }

        void Move(Order order, MovementKind kind, Instant at, bool isTold)
        {
            journal.Add(new Entry(Movement: new Movement(_movements.Count + 1, order.Key, kind, at, isTold)));
            Take(journal[^1]);
        }
    }

    // How it is: a payment that nobody is told of looks as if it were still to come.
    private RailAnswer AnswerOf(Order order) => _told.TryGetValue(order.Key, out var last) ? AnswerOf(order, last) : new RailAnswer.Pending();

    private static RailAnswer AnswerOf(Order order, MovementKind kind) => kind switch
    {
        MovementKind.Rejected => new RailAnswer.Rejected("payee_unknown"),
        MovementKind.Settled => new RailAnswer.Settled(order.Reference, order.Amount, order.SettlesAt!.Value),
        _ => new RailAnswer.Reversed(order.Reference, order.Amount, "returned_by_payee", order.SettlesAt!.Value, order.ReversesAt!.Value),
    };

    private enum MovementKind
    {
        Settled,
        Rejected,
        Reversed,
    }

    private sealed record Order(string Key, Credits Amount, PayeeId Payee, RailBehaviour Behaviour, string Reference, Instant? SettlesAt, Instant? ReversesAt);

    private sealed record Movement(long Number, string Key, MovementKind Kind, Instant At, bool IsTold);

    private sealed record Entry(Order? Order = null, Movement? Movement = null, string? Visit = null);
}
