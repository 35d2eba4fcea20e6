using System.Globalization;
using Mbp.Ledger.Postgres.Reading;

namespace Mbp.Host.Platform;

/// <summary>
/// Reads from tables for a request. With <c>min_position</c> they hold that position or the answer is a 503: <c>reads.behind</c> after a while,
/// <c>reads.stopped</c> at once where an event stopped them. Without it they are read as they are, and every answer says how far that is: in its
/// body, and in the header <c>Mbp-Position</c>.
/// </summary>
internal sealed class TableReads(TableQueries tables, ProjectionDaemon daemon)
{
    public const string PositionHeader = "Mbp-Position";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    public Task<TableRead<TRow>> ReadAsync<TRow>(
        HttpContext http, string projection, string sql, Func<TableLine, TRow> read, IReadOnlyList<object> values, CancellationToken cancellationToken) =>
        ReadAsync(http, [projection], sql, read, values, cancellationToken);

    public async Task<TableRead<TRow>> ReadAsync<TRow>(
        HttpContext http, IReadOnlyList<string> projections, string sql, Func<TableLine, TRow> read, IReadOnlyList<object> values, CancellationToken cancellationToken)
    {
        if (Reads.MinPosition(http.Request) is { } position)
        {
            await ReachAsync(projections, position, cancellationToken).ConfigureAwait(false);
        }

        var found = await tables.ReadAsync(projections, sql, read, values, cancellationToken).ConfigureAwait(false);
        http.Response.Headers[PositionHeader] = found.Position.ToString(CultureInfo.InvariantCulture);
        return found;
    }

    /// <summary>Rows as they were at a position, from tables that only grow: they must be that far.</summary>
    public async Task<IReadOnlyList<TRow>> ReadAtAsync<TRow>(
        long position, string projection, string sql, Func<TableLine, TRow> read, IReadOnlyList<object> values, CancellationToken cancellationToken)
    {
        await ReachAsync([projection], position, cancellationToken).ConfigureAwait(false);
        return (await tables.ReadAsync([projection], sql, read, values, cancellationToken).ConfigureAwait(false)).Rows;
    }

    /// <exception cref="ReadStoppedException">One of them stopped before the position.</exception>
    /// <exception cref="ReadBehindException">One of them was not in time.</exception>
    private async Task ReachAsync(IReadOnlyList<string> projections, long position, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        foreach (var projection in projections)
        {
            var reached = daemon.ReachAsync(projection, position, patience.Token);
            while (!reached.IsCompleted)
            {
                // A projection that stopped does not come any nearer; one may stop while it is waited for.
                if (daemon.Statuses.First(status => status.Name == projection) is { Fault: { } fault })
                {
                    await patience.CancelAsync().ConfigureAwait(false);
                    await reached.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    throw new ReadStoppedException(projection, fault.Position, fault.Type, fault.Cause);
                }

                await Task.WhenAny(reached, Task.Delay(Look, cancellationToken)).ConfigureAwait(false);
            }

            try
            {
                await reached.ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new ReadBehindException(position, daemon.Statuses.First(status => status.Name == projection).Position);
            }
        }
    }
}

/// <summary>The tables that a read needs stopped at an event and do not reach the asked position.</summary>
public sealed class ReadStoppedException(string projection, long position, string type, string cause)
    : Exception($"The projection '{projection}' stopped at position {position} ({type}): {cause}")
{
    public string Projection => projection;

    /// <summary>The event that it stopped at.</summary>
    public long Position => position;

    public string Type => type;
}
