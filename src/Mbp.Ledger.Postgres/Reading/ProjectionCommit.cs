using Npgsql;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>Writes what projections have in memory, and where they are by it, in one transaction.</summary>
internal static class ProjectionCommit
{
    // COPY takes a row for a third of what it costs in arrays, and two round trips for each table.
    private const int WorthCopying = 100;

    /// <exception cref="PostgresException">Nothing was written: MBP20 = other tables serve, or another process follows.</exception>
    public static async Task SendAsync(IReadOnlyList<ProjectionFollower> of, long position, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (of.Sum(follower => follower.Rows.Appended) < WorthCopying)
        {
            await using var all = new NpgsqlBatch(connection) { Timeout = 0, BatchCommands = { Advance(of, position) } };
            AddRows(of, all);
            await all.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            // First, as whoever replaces tables takes the same lock first.
            await using var advance = new NpgsqlBatch(connection) { Timeout = 0, BatchCommands = { Advance(of, position) } };
            await advance.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            foreach (var follower in of)
            {
                await follower.Rows.WriteAppendedAsync(connection, cancellationToken).ConfigureAwait(false);
            }

            await using var rest = new NpgsqlBatch(connection) { Timeout = 0 };
            AddRows(of, rest);
            if (rest.BatchCommands.Count > 0)
            {
                await rest.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }

            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static NpgsqlBatchCommand Advance(IReadOnlyList<ProjectionFollower> of, long position) => new("SELECT mbp_projections_advance($1, $2, $3, $4)")
    {
        Parameters =
        {
            new() { Value = of.Select(follower => follower.Projection.Name).ToArray() },
            new() { Value = of.Select(follower => follower.Generation).ToArray() },
            new() { Value = of.Select(follower => follower.Stored).ToArray() },
            new() { Value = position },
        },
    };

    private static void AddRows(IReadOnlyList<ProjectionFollower> of, NpgsqlBatch batch)
    {
        foreach (var follower in of)
        {
            follower.Rows.Send(batch);
        }
    }
}
