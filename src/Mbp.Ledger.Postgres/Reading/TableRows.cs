using System.Data;
using Mbp.Ledger.Reading;
using NodaTime;
using Npgsql;
using NpgsqlTypes;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>What a fold has in memory of something that lies in the database: loaded when first asked for, dropped as a whole.</summary>
internal abstract class Cached
{
    public abstract int Count { get; }

    /// <summary>Asks for what a key names; false where it has to be fetched.</summary>
    public abstract bool Request(RowKey key);

    /// <summary>Fetches what was asked for and is not here.</summary>
    public abstract Task LoadAsync(NpgsqlConnection connection, string schema, CancellationToken cancellationToken);

    public abstract void Clear();
}

/// <summary>One table's rows in memory, and the changes that are not yet in the database.</summary>
internal abstract class TableRows : Cached
{
    public abstract int Changes { get; }

    public abstract int Appended { get; }

    /// <summary>Adds what changed to a batch that is sent in one round trip.</summary>
    public abstract void Send(NpgsqlBatch batch, string schema);

    /// <summary>
    /// Writes new rows by COPY, which knows no conflict; rows that lie in the database already go by <see cref="Send"/>. Rows that may still change
    /// are worth keeping back: most are written once then.
    /// </summary>
    public abstract Task CopyAsync(NpgsqlConnection connection, string schema, bool keepBack, CancellationToken cancellationToken);

    public abstract void Written();

    /// <summary>Whether <see cref="CopyAsync"/> would leave something out.</summary>
    public abstract bool HasReplacements { get; }
}

/// <inheritdoc/>
internal sealed class TableRows<TRow>(Table<TRow> table, bool isEmpty) : TableRows
    where TRow : class
{
    private const int CopyAtOnce = 1 << 15;

    private readonly ColumnBinding<TRow>[] _columns = [.. table.Columns.Select(ColumnBinding<TRow>.Of)];
    private readonly Dictionary<RowKey, TRow?> _known = [];
    private readonly Dictionary<RowKey, TRow> _added = [];
    private readonly Dictionary<RowKey, TRow> _replaced = [];
    private readonly HashSet<RowKey> _missing = [];
    private readonly List<TRow> _appended = [];

    // Keys that the database is known not to have: their rows may go by COPY.
    private readonly HashSet<RowKey> _absent = [];
    private readonly CopyBuffer _copy = new();
    private bool _isEmpty = isEmpty;

    public override int Count => _known.Count;

    public override int Changes => _appended.Count + _added.Count + _replaced.Count;

    public override int Appended => _appended.Count;

    public override bool HasReplacements => _replaced.Count > 0;

    public override bool Request(RowKey key)
    {
        if (_known.ContainsKey(key))
        {
            return true;
        }

        if (!_isEmpty)
        {
            _missing.Add(key);
            return false;
        }

        _known[key] = null;
        _absent.Add(key);
        return true;
    }

    public TRow? Peek(RowKey key) => _known.GetValueOrDefault(key);

    public TRow? Find(RowKey key) =>
        _known.TryGetValue(key, out var row) ? row : throw new InvalidOperationException($"A row of {table.Name} is looked for that was not asked for: {key}.");

    public void Put(TRow row)
    {
        var key = table.KeyOf(row);
        if (_isEmpty && !_known.ContainsKey(key))
        {
            _absent.Add(key);
        }

        _known[key] = row;
        (_absent.Contains(key) ? _added : _replaced)[key] = row;
    }

    public void Append(TRow row) => _appended.Add(row);

    public override async Task LoadAsync(NpgsqlConnection connection, string schema, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(table.Find(schema), connection);
        command.Parameters.AddRange(KeyParameters([.. _missing]).ToArray());
        foreach (var key in _missing)
        {
            _known[key] = null;
            _absent.Add(key);
        }

        _missing.Clear();
        await using var reader = await command.ExecuteReaderAsync(CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
        var row = new RowReader(reader);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            var found = table.Read(row.Next());
            _known[table.KeyOf(found)] = found;
            _absent.Remove(table.KeyOf(found));
        }
    }

    public override void Send(NpgsqlBatch batch, string schema)
    {
        Send(batch, _appended, replacing: false);
        Send(batch, [.. _added.Values, .. _replaced.Values], replacing: true);

        void Send(NpgsqlBatch to, IReadOnlyList<TRow> rows, bool replacing)
        {
            if (rows.Count > 0)
            {
                var command = new NpgsqlBatchCommand(table.Insert(schema, replacing));
                command.Parameters.AddRange(_columns.Select(column => column.ToParameter(rows)).ToArray());
                to.BatchCommands.Add(command);
            }
        }
    }

    public override async Task CopyAsync(NpgsqlConnection connection, string schema, bool keepBack, CancellationToken cancellationToken)
    {
        if (_appended.Count == 0 && (keepBack || _added.Count == 0))
        {
            return;
        }

        var stream = await connection.BeginRawBinaryCopyAsync(table.Copy(schema), cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            try
            {
                _copy.Begin();
                foreach (var row in keepBack ? _appended : _appended.Concat(_added.Values))
                {
                    Write(row);
                    if (_copy.Length >= CopyAtOnce)
                    {
                        await stream.WriteAsync(_copy.Written, cancellationToken).ConfigureAwait(false);
                        _copy.Clear();
                    }
                }

                _copy.End();
                await stream.WriteAsync(_copy.Written, cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                await stream.CancelAsync().ConfigureAwait(false);
                throw;
            }
            finally
            {
                _copy.Clear();
            }
        }

        _appended.Clear();
        if (!keepBack)
        {
            Settle(_added);
        }
    }

    public override void Written()
    {
        _appended.Clear();
        Settle(_added);
        Settle(_replaced);
    }

    public override void Clear()
    {
        _known.Clear();
        _absent.Clear();
        _missing.Clear();
        _added.Clear();
        _replaced.Clear();
        _appended.Clear();
        // What was written and let go is there from now on.
        _isEmpty = false;
    }

    private void Settle(Dictionary<RowKey, TRow> rows)
    {
        foreach (var key in rows.Keys)
        {
            _absent.Remove(key);
        }

        rows.Clear();
    }

    private void Write(TRow row)
    {
        _copy.Row(_columns.Length);
        foreach (var column in _columns)
        {
            column.Write(_copy, row);
        }
    }

    private List<NpgsqlParameter> KeyParameters(RowKey[] keys)
    {
        var texts = 0;
        return [.. table.KeyColumns.Select(name => table.Columns.Single(column => column.Name == name)).Select(column => column.Kind switch
        {
            ColumnKind.Time => Parameter(keys.Select(key => Instant.FromUnixTimeTicks(key.Number).ToTimestamp()).ToArray(), NpgsqlDbType.TimestampTz),
            ColumnKind.Whole => Parameter(keys.Select(key => key.Number).ToArray(), NpgsqlDbType.Bigint),
            _ => Parameter(TextAt(texts++), NpgsqlDbType.Text),
        })];

        string[] TextAt(int place) => [.. keys.Select(key => place switch { 0 => key.First, 1 => key.Second, _ => key.Third })];

        static NpgsqlParameter Parameter(Array values, NpgsqlDbType type) => new() { Value = values, NpgsqlDbType = NpgsqlDbType.Array | type };
    }
}

/// <summary>States that are made of a table's newest rows.</summary>
internal sealed class TailStates<TRow, TState>(Tail<TRow, TState> tail, bool isEmpty) : Cached
    where TRow : class
    where TState : class
{
    private readonly Dictionary<RowKey, TState> _known = [];
    private readonly HashSet<RowKey> _missing = [];
    private bool _isEmpty = isEmpty;

    public override int Count => _known.Count;

    public override bool Request(RowKey key)
    {
        if (_known.ContainsKey(key))
        {
            return true;
        }

        if (!_isEmpty)
        {
            _missing.Add(key);
            return false;
        }

        _known[key] = tail.Begin();
        return true;
    }

    public TState Find(RowKey key) =>
        _known.TryGetValue(key, out var state) ? state : throw new InvalidOperationException($"The newest rows of {tail.Table.Name} are looked for and were not asked for: {key}.");

    public override async Task LoadAsync(NpgsqlConnection connection, string schema, CancellationToken cancellationToken)
    {
        foreach (var key in _missing)
        {
            await using var command = new NpgsqlCommand(tail.Table.Newest(schema), connection)
            {
                Parameters = { new() { Value = key.First }, new() { Value = tail.Back.BclCompatibleTicks / NodaConstants.TicksPerMillisecond * 1_000 } },
            };
            var state = tail.Begin();
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            var row = new RowReader(reader);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                tail.Add(state, tail.Table.Read(row.Next()));
            }

            _known[key] = state;
        }

        _missing.Clear();
    }

    public override void Clear()
    {
        _known.Clear();
        _missing.Clear();
        _isEmpty = false;
    }
}
