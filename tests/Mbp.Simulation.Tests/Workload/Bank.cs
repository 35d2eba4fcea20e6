using Mbp.Ledger;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Simulation.Tests.Workload;

// A domain made to tell: every event says what state it was decided on, so a decision on a wrong state is an event with a wrong number.
internal sealed record Moved(long By, long Balance, Instant At);

internal sealed record Counted(long N, Instant At);

internal sealed record Audited(long Balance, long Moves, long Turnover, Instant At);

internal sealed record Ticked(long Period, Instant At);

internal sealed record Account(long Balance);

/// <summary>A second fold over an account's stream, for commands that come to it late.</summary>
internal sealed record Activity(long Moves, long Turnover);

internal sealed record Count(long N);

internal sealed record Audits(long N);

internal sealed record Ticks(long Last);

internal sealed class PoisonException() : Exception("This command always throws.");

internal static class Bank
{
    public const long Most = 300;

    public static readonly Rejection TooLittle = new(RejectionKind.Refused, "bank.too_little", "The account does not hold as much.");
    public static readonly Rejection TooMuch = new(RejectionKind.Refused, "bank.too_much", "The account would hold more than it may.");
    public static readonly Rejection Enough = new(RejectionKind.Refused, "bank.enough", "It counted far enough.");

    public static readonly Fold<Account> Accounts = new("account", 1, new Account(0), EvolveAccount, snapshotEvery: 4);
    public static readonly Fold<Activity> Activities = new("activity", 1, new Activity(0, 0), EvolveActivity, snapshotEvery: 7);
    public static readonly Fold<Count> Counts = new("count", 1, new Count(0), (_, @event) => new Count(((Counted)@event).N), snapshotEvery: 3);
    public static readonly Fold<Audits> AuditLogs = new("audits", 1, new Audits(0), (audits, _) => new Audits(audits.N + 1));
    public static readonly Fold<Ticks> Ticker = new("ticks", 1, new Ticks(0), (_, @event) => new Ticks(((Ticked)@event).Period), snapshotEvery: 5);

    /// <summary>What each account holds, as a read model.</summary>
    public static readonly Projection<string, Row> Balances = new("balances", 1, KeyOf, ApplyTo);

    private static readonly StreamId _ticks = StreamId.Of("ticker", "main");

    public static EventCatalog Catalog() => new EventCatalog()
        .Add<Moved>("moved").Add<Counted>("counted").Add<Audited>("audited").Add<Ticked>("ticked").Freeze();

    /// <summary>Every fold that reads a stream.</summary>
    public static IFold[] FoldsOf(StreamId stream) => stream.Category switch
    {
        "account" => [Accounts, Activities],
        "counter" => [Counts],
        "audit" => [AuditLogs],
        "ticker" => [Ticker],
        _ => throw new ArgumentException($"No fold reads {stream}."),
    };

    public static Command Deposit(int account, long amount) => new(
        $"deposit {amount} on {account}", Operation.On(Accounts.Of(AccountOf(account)), (Instant at, Account state) => Put(AccountOf(account), state, amount, at)));

    public static Command Transfer(int from, int to, long amount) => new(
        $"transfer {amount} from {from} to {to}",
        Operation.On(Accounts.Of(AccountOf(from)), Accounts.Of(AccountOf(to)), (Instant at, Account source, Account target) =>
            source.Balance < amount ? TooLittle
            : target.Balance + amount > Most ? TooMuch
            : new Decision<StreamEvent>(
            [
                AccountOf(from).With(new Moved(-amount, source.Balance - amount, at)),
                AccountOf(to).With(new Moved(amount, target.Balance + amount, at)),
            ])));

    /// <summary>Of an empty account: already so.</summary>
    public static Command Empty(int account) => new(
        $"empty {account}",
        Operation.On(Accounts.Of(AccountOf(account)), (Instant at, Account state) =>
            state.Balance == 0 ? [] : new Decision<StreamEvent>([AccountOf(account).With(new Moved(-state.Balance, 0, at))])));

    public static Command CountOn(string counter, long most) => new(
        $"count {counter}",
        Operation.On(Counts.Of(CounterOf(counter)), (Instant at, Count state) =>
            state.N >= most ? Enough : new Decision<StreamEvent>([CounterOf(counter).With(new Counted(state.N + 1, at))])));

    /// <summary>Reads streams that it does not write: no expected version would catch a state that is out of date.</summary>
    public static Command Audit(int account) => new(
        $"audit {account}",
        Operation.On(
            Accounts.Of(AccountOf(account)), Activities.Of(AccountOf(account)), AuditLogs.Of(AuditOf(account)),
            (Instant at, Account state, Activity activity, Audits _) =>
                new Decision<StreamEvent>([AuditOf(account).With(new Audited(state.Balance, activity.Moves, activity.Turnover, at))])));

    public static Command Many(int account, int times) => new(
        $"deposit 1 on {account} {times} times",
        Operation.On(Accounts.Of(AccountOf(account)), (Instant at, Account state) => state.Balance + times > Most
            ? TooMuch
            : new Decision<StreamEvent>([.. Enumerable.Range(1, times).Select(i => AccountOf(account).With(new Moved(1, state.Balance + i, at)))])));

    public static Command Poison(int account) => new(
        $"poison {account}", Operation.On(Accounts.Of(AccountOf(account)), (Instant _, Account _) => throw new PoisonException()), Fails: true);

    /// <summary>Its first event folds and its second does not: nothing of it may stay, neither in the ledger nor in a state.</summary>
    public static Command Crooked(int account, int other) => new(
        $"crooked {account} {other}",
        Operation.On(Accounts.Of(AccountOf(account)), Accounts.Of(AccountOf(other)), (Instant at, Account state, Account next) => new Decision<StreamEvent>(
            [AccountOf(account).With(new Moved(1, state.Balance + 1, at)), AccountOf(other).With(new Moved(1, next.Balance + 1_000, at))])),
        Fails: true);

    /// <summary>It writes to a stream that it did not ask to read.</summary>
    public static Command Stray(int account) => new(
        $"stray {account}",
        Operation.On(Accounts.Of(AccountOf(account)), (Instant at, Account state) => new Decision<StreamEvent>(
            [AccountOf(account).With(new Moved(1, state.Balance + 1, at)), StreamId.Of("counter", "nobody-reads-it").With(new Counted(1, at))])),
        Fails: true);

    /// <summary>A worker's command: without a key, since it is already so when repeated.</summary>
    public static Command Tick(long period) => new(
        $"tick {period}",
        Operation.On(Ticker.Of(_ticks), (Instant at, Ticks state) => state.Last >= period ? [] : new Decision<StreamEvent>([_ticks.With(new Ticked(period, at))])));

    private static Decision<StreamEvent> Put(StreamId stream, Account state, long amount, Instant at) =>
        state.Balance + amount > Most ? TooMuch : new Decision<StreamEvent>([stream.With(new Moved(amount, state.Balance + amount, at))]);

    private static Account EvolveAccount(Account account, object @event) => @event is Moved moved && moved.Balance == account.Balance + moved.By
        ? new Account(moved.Balance)
        : throw new InvalidOperationException($"{@event} cannot follow {account}.");

    private static Activity EvolveActivity(Activity activity, object @event) => new(activity.Moves + 1, activity.Turnover + Math.Abs(((Moved)@event).By));

    private static string? KeyOf(Recorded recorded) => recorded.Data is Moved or Counted ? recorded.Stream.Value : null;

    private static Row? ApplyTo(Row? row, Recorded recorded) => recorded.Data switch
    {
        // An empty account leaves the board, so that rows also go.
        Moved { Balance: 0 } => null,
        Moved moved => new Row(moved.Balance, (row?.Events ?? 0) + 1),
        Counted counted => new Row(counted.N, (row?.Events ?? 0) + 1),
        _ => row,
    };

    private static StreamId AccountOf(int account) => StreamId.Of("account", $"{account}");

    private static StreamId CounterOf(string counter) => StreamId.Of("counter", counter);

    private static StreamId AuditOf(int account) => StreamId.Of("audit", $"{account % 2}");
}

/// <summary>A command with the words that it is hashed and traced by.</summary>
/// <param name="Text">What is asked.</param>
/// <param name="Operation">The decision.</param>
/// <param name="Fails">It throws, always: only its caller may notice.</param>
internal sealed record Command(string Text, Operation Operation, bool Fails = false);

internal sealed record Row(long Value, long Events);
