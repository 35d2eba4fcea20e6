using NodaTime;

namespace Mbp.Ledger.Reading;

/// <summary>
/// A read model in tables, as a pure fold of events to rows. What it needs to know of the past is in its own rows, so it can stop at any event
/// and go on in another process; and the same fold fills the tables live, in a rebuild, and in a test.
/// </summary>
/// <param name="Name">Names it to operators.</param>
/// <param name="Version">Raise it when the meaning or the shape of a row changes: the tables are then built again beside the old ones.</param>
/// <param name="Tables">What it writes; no other projection writes them.</param>
/// <param name="Partition">
/// What the event is about (a market's id, an account's), or null where it is none of this projection's business. Events of different partitions
/// never touch the same row: a rebuild folds them at the same time.
/// </param>
/// <param name="Reads">The rows that <paramref name="Apply"/> will look for; which ones may depend on rows that it asked for before.</param>
/// <param name="Apply">Folds one event. It throws where the event cannot follow: then the projection stops there, and says so.</param>
public sealed record TableProjection(
    string Name,
    int Version,
    IReadOnlyList<Table> Tables,
    Func<Recorded, string?> Partition,
    Action<Recorded, IRowRequests> Reads,
    Action<Recorded, IRows> Apply)
{
    /// <summary>A projection whose rows are only ever added.</summary>
    public static TableProjection Flat<TRow>(string name, int version, Table<TRow> table, Func<Recorded, string?> partition, Func<Recorded, TRow?> row)
        where TRow : class => new(
        name, version, [table], partition,
        static (_, _) => { },
        (recorded, rows) =>
        {
            if (row(recorded) is { } added)
            {
                rows.Append(table, added);
            }
        });

    /// <summary>A projection with one row for each partition.</summary>
    public static TableProjection Keyed<TRow>(
        string name, int version, Table<TRow> table, Func<Recorded, string?> key, Func<TRow?, Recorded, TRow?> apply)
        where TRow : class => new(
        name, version, [table], key,
        (recorded, requests) => requests.Add(table, new RowKey(key(recorded)!)),
        (recorded, rows) =>
        {
            var before = rows.Find(table, new RowKey(key(recorded)!));
            if (apply(before, recorded) is { } after && !ReferenceEquals(before, after))
            {
                rows.Put(table, after);
            }
        });
}

/// <summary>The rows that an event will be folded over; they are fetched for many events at once.</summary>
public interface IRowRequests
{
    /// <summary>A row that was asked for before; null where it is not there, or not there yet: then the question comes again.</summary>
    TRow? Peek<TRow>(Table<TRow> table, RowKey key)
        where TRow : class;

    void Add<TRow>(Table<TRow> table, RowKey key)
        where TRow : class;

    void Add<TRow, TState>(Tail<TRow, TState> tail, RowKey key)
        where TRow : class
        where TState : class;
}

/// <summary>A projection's rows, as they stand after the events so far.</summary>
public interface IRows
{
    /// <summary>The row of a key that was asked for; null where there is none.</summary>
    TRow? Find<TRow>(Table<TRow> table, RowKey key)
        where TRow : class;

    /// <summary>Adds the row, or replaces the one of its key.</summary>
    void Put<TRow>(Table<TRow> table, TRow row)
        where TRow : class;

    /// <summary>Adds a row that is never changed.</summary>
    void Append<TRow>(Table<TRow> table, TRow row)
        where TRow : class;

    /// <summary>What the newest rows of a key fold to. It is the caller's to change, and to keep in step with the rows that it appends.</summary>
    TState Find<TRow, TState>(Tail<TRow, TState> tail, RowKey key)
        where TRow : class
        where TState : class;
}

/// <summary>
/// A state made of the newest rows of a key: those within <paramref name="Back"/> of its newest one, and the one before them.
/// </summary>
/// <param name="Table">Whose key is the text column that names the whole, then the time.</param>
/// <param name="Back">How far back the state reaches.</param>
/// <param name="Begin">The state of no rows.</param>
/// <param name="Add">Takes the next row, in the order of time.</param>
public sealed record Tail<TRow, TState>(Table<TRow> Table, Duration Back, Func<TState> Begin, Action<TState, TRow> Add)
    where TRow : class
    where TState : class;
