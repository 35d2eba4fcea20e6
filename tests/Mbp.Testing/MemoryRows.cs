using Mbp.Ledger;
using Mbp.Ledger.Reading;

namespace Mbp.Testing;

/// <summary>A projection's rows in memory: what it is to a test that has no database. Only rows that were asked for can be found, as everywhere.</summary>
public sealed class MemoryRows(TableProjection projection) : IRows, IRowRequests
{
    private readonly Dictionary<(Table, RowKey), object> _rows = [];
    private readonly List<(Table Table, object Row)> _appended = [];
    private readonly Dictionary<(object, RowKey), object> _tails = [];
    private readonly HashSet<(object, RowKey)> _asked = [];

    /// <summary>Folds one event.</summary>
    public MemoryRows Fold(Recorded recorded)
    {
        if (projection.Partition(recorded) is not null)
        {
            _asked.Clear();
            projection.Reads(recorded, this);
            projection.Apply(recorded, this);
        }

        return this;
    }

    /// <summary>A table's rows, in no order.</summary>
    public IReadOnlyList<TRow> Of<TRow>(Table<TRow> table)
        where TRow : class =>
        [.. _rows.Where(row => row.Key.Item1 == table).Select(row => (TRow)row.Value), .. _appended.Where(row => row.Table == table).Select(row => (TRow)row.Row)];

    void IRowRequests.Add<TRow>(Table<TRow> table, RowKey key) => _asked.Add((table, key));

    void IRowRequests.Add<TRow, TState>(Tail<TRow, TState> tail, RowKey key) => _asked.Add((tail, key));

    TRow? IRowRequests.Peek<TRow>(Table<TRow> table, RowKey key)
        where TRow : class => (TRow?)_rows.GetValueOrDefault((table, key));

    TRow? IRows.Find<TRow>(Table<TRow> table, RowKey key)
        where TRow : class => _asked.Contains((table, key))
        ? (TRow?)_rows.GetValueOrDefault((table, key))
        : throw new InvalidOperationException($"{key} of {table.Name} was not asked for.");

    TState IRows.Find<TRow, TState>(Tail<TRow, TState> tail, RowKey key)
    {
        if (!_asked.Contains((tail, key)))
        {
            throw new InvalidOperationException($"The newest rows of {key} were not asked for.");
        }

        if (!_tails.TryGetValue((tail, key), out var state))
        {
            _tails[(tail, key)] = state = tail.Begin();
        }

        return (TState)state;
    }

    void IRows.Put<TRow>(Table<TRow> table, TRow row) => _rows[(table, table.KeyOf(row))] = row;

    void IRows.Append<TRow>(Table<TRow> table, TRow row) => _appended.Add((table, row));
}
