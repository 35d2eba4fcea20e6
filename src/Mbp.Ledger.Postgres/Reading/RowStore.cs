using Mbp.Ledger.Reading;
using Npgsql;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>
/// One projection's rows on their way between memory and the database: folds events over them, fetching what is not here, and writes what changed.
/// Not for two at once.
/// </summary>
internal sealed class RowStore : IRows, IRowRequests
{
    private readonly TableProjection _projection;
    private readonly string _schema;
    private readonly Dictionary<Table, TableRows> _tables;
    private readonly Dictionary<object, Cached> _tails = [];
    private readonly HashSet<Cached> _missing = [];
    private bool _isEmpty;

    /// <param name="projection">Whose rows.</param>
    /// <param name="schema">Where its tables are.</param>
    /// <param name="isEmpty">Whether the tables have no rows yet: then there is nothing to fetch until something was let go.</param>
    public RowStore(TableProjection projection, string schema, bool isEmpty)
    {
        (_projection, _schema, _isEmpty) = (projection, schema, isEmpty);
        _tables = projection.Tables.ToDictionary(table => table, table => table.Accept(new Maker(isEmpty)));
    }

    /// <summary>Rows in memory.</summary>
    public int Count => _tables.Values.Sum(rows => rows.Count) + _tails.Values.Sum(states => states.Count);

    /// <summary>Rows that are not in the database yet.</summary>
    public int Changes => _tables.Values.Sum(rows => rows.Changes);

    /// <summary>Folds events in order.</summary>
    /// <exception cref="ProjectionFaultException">An event cannot be folded. Nothing that is in memory counts any more.</exception>
    public async Task FoldAsync(IReadOnlyList<Recorded> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // Most of what is missing is fetched at once; what only an earlier event of these tells is fetched in its turn.
        foreach (var recorded in events)
        {
            Request(recorded);
        }

        await LoadAsync(connection, cancellationToken).ConfigureAwait(false);
        foreach (var recorded in events)
        {
            if (_projection.Partition(recorded) is null)
            {
                continue;
            }

            for (_projection.Reads(recorded, this); HasMissing; _projection.Reads(recorded, this))
            {
                await LoadAsync(connection, cancellationToken).ConfigureAwait(false);
            }

            ApplyTo(recorded);
        }
    }

    /// <summary>Folds events over tables that have no rows but those in memory.</summary>
    public void Fold(Recorded recorded)
    {
        if (_projection.Partition(recorded) is not null)
        {
            _projection.Reads(recorded, this);
            ApplyTo(recorded);
        }
    }

    // Asked for every event: kept beside the rows, not counted.
    private bool HasMissing => _missing.Count > 0;

    public void Send(NpgsqlBatch batch)
    {
        foreach (var rows in _tables.Values)
        {
            rows.Send(batch, _schema);
        }
    }

    /// <summary>Rows that were added and never change, and are not in the database yet.</summary>
    public int Appended => _tables.Values.Sum(rows => rows.Appended);

    /// <summary>Writes the rows that never change, by COPY. If that fails, nothing that is in memory counts any more.</summary>
    public async Task WriteAppendedAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        foreach (var rows in _tables.Values)
        {
            await rows.CopyAsync(connection, _schema, keepBack: true, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Writes what changed without a transaction of its own: for tables that nobody reads yet.</summary>
    public async Task WriteAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        foreach (var rows in _tables.Values)
        {
            await rows.CopyAsync(connection, _schema, keepBack: false, cancellationToken).ConfigureAwait(false);
        }

        if (_tables.Values.Any(rows => rows.HasReplacements))
        {
            await using var batch = new NpgsqlBatch(connection) { Timeout = 0 };
            Send(batch);
            await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }

        Written();
    }

    public void Written()
    {
        foreach (var rows in _tables.Values)
        {
            rows.Written();
        }
    }

    /// <summary>Lets all rows go, also what was not written.</summary>
    public void Clear()
    {
        _isEmpty = false;
        _missing.Clear();
        foreach (var rows in _tables.Values)
        {
            rows.Clear();
        }

        foreach (var states in _tails.Values)
        {
            states.Clear();
        }
    }

    /// <summary>Lets go of what can be fetched again; the states made of newest rows stay, as tables without indexes could not give them back.</summary>
    public void ClearRows()
    {
        foreach (var rows in _tables.Values)
        {
            rows.Clear();
        }
    }

    void IRowRequests.Add<TRow>(Table<TRow> table, RowKey key) => Ask(Of(table), key);

    void IRowRequests.Add<TRow, TState>(Tail<TRow, TState> tail, RowKey key) => Ask(Of(tail), key);

    TRow? IRowRequests.Peek<TRow>(Table<TRow> table, RowKey key)
        where TRow : class => Of(table).Peek(key);

    TRow? IRows.Find<TRow>(Table<TRow> table, RowKey key)
        where TRow : class => Of(table).Find(key);

    void IRows.Put<TRow>(Table<TRow> table, TRow row) => Of(table).Put(row);

    void IRows.Append<TRow>(Table<TRow> table, TRow row) => Of(table).Append(row);

    TState IRows.Find<TRow, TState>(Tail<TRow, TState> tail, RowKey key) => Of(tail).Find(key);

    private void Ask(Cached of, RowKey key)
    {
        if (!of.Request(key))
        {
            _missing.Add(of);
        }
    }

    private void Request(Recorded recorded)
    {
        if (_projection.Partition(recorded) is not null)
        {
            _projection.Reads(recorded, this);
        }
    }

    private void ApplyTo(Recorded recorded)
    {
        try
        {
            _projection.Apply(recorded, this);
        }
        catch (Exception e)
        {
            // Whatever a fold throws is about its event, and stops this projection there.
            throw new ProjectionFaultException(recorded.Position, recorded.Stored.Type, e.Message, e);
        }
    }

    private async Task LoadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        foreach (var cached in _missing)
        {
            await cached.LoadAsync(connection, _schema, cancellationToken).ConfigureAwait(false);
        }

        _missing.Clear();
    }

    private TableRows<TRow> Of<TRow>(Table<TRow> table)
        where TRow : class =>
        _tables.TryGetValue(table, out var rows) ? (TableRows<TRow>)rows : throw new InvalidOperationException($"{_projection.Name} does not write {table.Name}.");

    private TailStates<TRow, TState> Of<TRow, TState>(Tail<TRow, TState> tail)
        where TRow : class
        where TState : class
    {
        if (!_tails.TryGetValue(tail, out var states))
        {
            _tails[tail] = states = new TailStates<TRow, TState>(tail, _isEmpty);
        }

        return (TailStates<TRow, TState>)states;
    }

    private sealed class Maker(bool isEmpty) : ITableVisitor<TableRows>
    {
        public TableRows Visit<TRow>(Table<TRow> table)
            where TRow : class => new TableRows<TRow>(table, isEmpty);
    }
}

/// <summary>A projection stopped at an event that it cannot take.</summary>
/// <param name="position">The event's place in the ledger.</param>
/// <param name="type">Its wire name.</param>
/// <param name="cause">What is wrong, in words.</param>
/// <param name="inner">Where that came from.</param>
public sealed class ProjectionFaultException(long position, string type, string cause, Exception? inner = null)
    : Exception($"{type} at position {position}: {cause}", inner)
{
    public long Position { get; } = position;

    public string Type { get; } = type;

    public string Cause { get; } = cause;
}
