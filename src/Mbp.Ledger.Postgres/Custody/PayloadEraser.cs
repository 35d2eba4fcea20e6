using Mbp.Ledger.Merkle;
using Npgsql;

namespace Mbp.Ledger.Postgres.Custody;

/// <summary>
/// Carries out what <c>payload_erased</c> announced, in the ledger and in the tables of read models, as roles that can do no more than that. Doing it
/// again is no harm: whoever was interrupted begins anew.
/// </summary>
public sealed class PayloadEraser(RoleConnections connections) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    // Read models are built beside those that serve, and kept for a moment after.
    private static readonly string[] Schemas = ["public", "mbp_build", "mbp_old"];

    private readonly NpgsqlDataSource _vault = connections.Open(RoleConnections.VaultRole);
    private readonly NpgsqlDataSource _projector = connections.Open(RoleConnections.ProjectorRole);

    /// <summary>Takes the texts and the salt out of the ledger; false where that had been done.</summary>
    /// <exception cref="PostgresException"><c>MBP11</c>: not announced. <c>MBP12</c>: there is no such text.</exception>
    public async Task<bool> EraseAsync(Erasure erasure, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(erasure);
        await using var command = _vault.CreateCommand("SELECT ledger_erase($1, $2)");
        command.Parameters.AddRange(new NpgsqlParameter[] { new() { Value = erasure.Position }, new() { Value = erasure.Fields.ToArray() } });
        return (bool)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>Kept states of the event's stream go; they are made again from the events. After every process has let go of the state itself.</summary>
    public async Task ForgetSnapshotsAsync(Erasure erasure, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(erasure);
        await using var command = _vault.CreateCommand("SELECT ledger_forget_snapshots($1)");
        command.Parameters.Add(new() { Value = erasure.Position });
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Puts the mark in the text's place in a read model's table. A projection that is not at the event yet is waited for, so that it does not write the
    /// text after this; one that stands still will read the erased event.
    /// </summary>
    /// <param name="erasure">Whose text.</param>
    /// <param name="place">Where it is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task EraseAsync(Erasure erasure, ErasedPlace place, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(erasure);
        ArgumentNullException.ThrowIfNull(place);
        await UntilAtAsync(place.Projection, erasure.Position, cancellationToken).ConfigureAwait(false);
        foreach (var schema in Schemas)
        {
            // Names are our own; what may come from outside is a parameter.
            await using var find = _projector.CreateCommand("SELECT to_regclass($1) IS NOT NULL");
            find.Parameters.Add(new() { Value = $"{schema}.{place.Table}" });
            if (await find.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not true)
            {
                continue;
            }

            await using var command = _projector.CreateCommand(
                $"UPDATE {schema}.{place.Table} SET {place.Column} = $2 WHERE position = $1 AND {place.Column} <> $2{(place.KeyColumn is { } key ? $" AND {key} = $3" : "")}");
            command.Parameters.AddRange(new NpgsqlParameter[] { new() { Value = erasure.Position }, new() { Value = Erased.Mark } });
            if (place.KeyColumn is not null)
            {
                command.Parameters.Add(new() { Value = StreamId.Parse(erasure.Stream).Key });
            }

            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _vault.DisposeAsync().ConfigureAwait(false);
        await _projector.DisposeAsync().ConfigureAwait(false);
    }

    private async Task UntilAtAsync(string projection, long position, CancellationToken cancellationToken)
    {
        await using var command = _projector.CreateCommand("SELECT coalesce((SELECT last_seq_id FROM mt_event_progression WHERE name = 'mbp:' || $1), 0)");
        command.Parameters.Add(new() { Value = projection });
        for (var until = DateTime.UtcNow + Patience; DateTime.UtcNow < until;)
        {
            if ((long)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))! >= position)
            {
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), cancellationToken).ConfigureAwait(false);
        }
    }
}

/// <summary>A column of a read model that shows a text.</summary>
/// <param name="Projection">Whose table.</param>
/// <param name="Table">Its name; its rows have the event's position.</param>
/// <param name="Column">The text's.</param>
/// <param name="KeyColumn">The column with the key of the event's stream, where the table is found by it; null where the position is the key.</param>
public sealed record ErasedPlace(string Projection, string Table, string Column, string? KeyColumn);
