using System.Text;
using System.Text.Json;
using Mbp.Ledger.Merkle;
using Npgsql;

namespace Mbp.Ledger.Postgres;

/// <summary>
/// Makes the leaves of events that were not appended by this store's commit: a Marten's, and those from before there were leaves. Done while
/// a new lease is taken, so that every commit finds the log complete up to itself. A position that a foreign transaction used up for nothing gets
/// a void entry: an event's leaf is always at its position.
/// </summary>
internal static class LeafAdoption
{
    private const int AtATime = 1_000;

    /// <param name="session">The session that holds the lease.</param>
    /// <param name="events">Reads them.</param>
    /// <param name="epoch">The epoch of the lease; nothing is written under a later one.</param>
    /// <param name="head">The last position that needs a leaf.</param>
    /// <param name="cancellationToken">Between two rows.</param>
    /// <exception cref="FencedException">A later lease exists.</exception>
    public static async Task RunAsync(NpgsqlConnection session, EventReader events, long epoch, long head, CancellationToken cancellationToken)
    {
        await using var find = new NpgsqlCommand("SELECT coalesce(max(last_position), 0) FROM ledger_leaf", session);
        var covered = (long)(await find.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
        if (covered == head)
        {
            return;
        }

        var (leaves, first, next) = (new LeafBatch.Builder(), covered + 1, covered + 1);
        await foreach (var stored in events.RangeAsync(covered, head, cancellationToken).ConfigureAwait(false))
        {
            await FillAsync(stored.Position).ConfigureAwait(false);
            Add(leaves, stored);
            await AddedAsync().ConfigureAwait(false);
        }

        await FillAsync(head + 1).ConfigureAwait(false);
        if (next > first)
        {
            await WriteAsync(session, epoch, first, next - 1, leaves.Build(), cancellationToken).ConfigureAwait(false);
        }

        async Task FillAsync(long position)
        {
            while (next < position)
            {
                leaves.AddVoid();
                await AddedAsync().ConfigureAwait(false);
            }
        }

        async Task AddedAsync()
        {
            next++;
            if (next - first == AtATime)
            {
                await WriteAsync(session, epoch, first, next - 1, leaves.Build(), cancellationToken).ConfigureAwait(false);
                (leaves, first) = (new LeafBatch.Builder(), next);
            }
        }
    }

    // A foreign body may hold what canonical JSON has no one form for (1.5 and 1.50). Its text, as the database keeps it, is committed to instead:
    // a foreign event must be in the log, too, and must not keep the writer from its work.
    private static void Add(LeafBatch.Builder leaves, StoredEvent stored)
    {
        try
        {
            leaves.Add(stored);
        }
        catch (CanonicalJsonException)
        {
            leaves.Add(stored with { Data = AsText(stored.Data), Headers = AsText(stored.Headers) });
        }
    }

    private static ReadOnlyMemory<byte> AsText(ReadOnlyMemory<byte> json) => JsonSerializer.SerializeToUtf8Bytes(Encoding.UTF8.GetString(json.Span));

    private static async Task WriteAsync(NpgsqlConnection session, long epoch, long first, long last, LeafBatch batch, CancellationToken cancellationToken)
    {
        await using var write = new NpgsqlCommand(
            """
            WITH fence AS (SELECT FROM ledger_head WHERE epoch = $1 FOR UPDATE),
            salted AS (INSERT INTO ledger_salt (last_position, salts) SELECT $3, $6 FROM fence)
            INSERT INTO ledger_leaf (last_position, first_position, leaves, hashes) SELECT $3, $2, $4, $5 FROM fence
            """,
            session)
        {
            Parameters =
            {
                new() { Value = epoch }, new() { Value = first }, new() { Value = last },
                new() { Value = batch.Leaves }, new() { Value = batch.PackedHashes() }, new() { Value = batch.Salts },
            },
        };
        if (await write.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 0)
        {
            throw new FencedException($"The lease of epoch {epoch} was over before the leaves of {first} to {last} were written.");
        }
    }
}
