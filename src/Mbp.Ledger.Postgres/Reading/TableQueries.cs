using System.Numerics;
using NodaTime;
using Npgsql;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>Rows of read models' tables, and how far those tables were when they were read.</summary>
public sealed record TableRead<TRow>(long Position, IReadOnlyList<TRow> Rows);

/// <summary>There are no tables of a read model yet: they are being made.</summary>
public sealed class TablesMissingException(string message, Exception cause) : Exception(message, cause);

/// <summary>
/// Questions to the read models' tables, as the role that may read and do nothing else. Each is one statement in one round trip, so that its rows
/// and their position belong together; it is planned once for each connection and goes by index, whatever the planner believes of the tables' size.
/// </summary>
public sealed class TableQueries : IAsyncDisposable
{
    private readonly NpgsqlDataSource _pool;

    public TableQueries(RoleConnections connections)
    {
        ArgumentNullException.ThrowIfNull(connections);
        _pool = RoleConnections.Pool("mbp_tables", connections.Reader, c =>
        {
            c.Options = $"{c.Options} -c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off -c enable_hashjoin=off -c enable_mergejoin=off".Trim();
            c.MaxAutoPrepare = 60;
            c.AutoPrepareMinUsages = 2;
            c.NoResetOnClose = true;
        });
    }

    /// <param name="projections">Whose tables the statement reads.</param>
    /// <param name="sql">The statement; its parameters are <c>$1</c>, <c>$2</c> and so on.</param>
    /// <param name="read">Makes a row of a line.</param>
    /// <param name="values">The parameters' values: texts, whole numbers, instants, and arrays of them.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="TablesMissingException">The tables are not there yet.</exception>
    public async Task<TableRead<TRow>> ReadAsync<TRow>(
        IReadOnlyList<string> projections, string sql, Func<TableLine, TRow> read, IReadOnlyList<object> values, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(projections);
        ArgumentNullException.ThrowIfNull(read);
        ArgumentNullException.ThrowIfNull(values);
        await using var command = _pool.CreateCommand(WithPosition(projections, sql));
        foreach (var value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value switch
            {
                Instant at => at.ToTimestamp(),
                Instant[] times => times.Select(at => at.ToTimestamp()).ToArray(),
                _ => value,
            } });
        }

        try
        {
            var (position, rows) = (0L, new List<TRow>());
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                position = reader.GetInt64(0);
                if (!reader.IsDBNull(1))
                {
                    rows.Add(read(new TableLine(reader)));
                }
            }

            return new TableRead<TRow>(position, rows);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            throw new TablesMissingException($"The tables of {string.Join(" and ", projections)} are being made.", e);
        }
    }

    public ValueTask DisposeAsync() => _pool.DisposeAsync();

    // One statement sees one state of the database: the rows are those of that very position. Without rows there is still a line, for the position.
    private static string WithPosition(IReadOnlyList<string> projections, string sql) => $"""
        SELECT p.position, t.* FROM (
          SELECT coalesce(least({string.Join(", ", projections.Select(name => $"(SELECT last_seq_id FROM mt_event_progression WHERE name = 'mbp:{name}')"))}), 0) AS position
        ) p LEFT JOIN LATERAL (SELECT true AS is_row, q.* FROM ({sql}) q) t ON true
        """;
}

/// <summary>One line of an answer; columns count from 0.</summary>
public readonly struct TableLine(NpgsqlDataReader reader)
{
    // The position and the mark of a row come first.
    private const int Own = 2;

    public string Text(int column) => reader.GetString(column + Own);

    public string? TextOrNull(int column) => reader.IsDBNull(column + Own) ? null : reader.GetString(column + Own);

    public byte[] Bytes(int column) => reader.GetFieldValue<byte[]>(column + Own);

    public long Whole(int column) => reader.GetInt64(column + Own);

    public long? WholeOrNull(int column) => reader.IsDBNull(column + Own) ? null : reader.GetInt64(column + Own);

    public Instant Time(int column) => reader.GetDateTime(column + Own).ToInstant();

    public Instant? TimeOrNull(int column) => reader.IsDBNull(column + Own) ? null : reader.GetDateTime(column + Own).ToInstant();

    /// <summary>A decimal number of at most 8 decimals, in units of 1e-8.</summary>
    public Int128 Units(int column) => reader.GetDecimal(column + Own).ToUnits();

    /// <summary>A whole number that outgrows 64 bits.</summary>
    public Int128 Integral(int column) => (Int128)reader.GetFieldValue<BigInteger>(column + Own);
}
