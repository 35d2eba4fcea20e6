using System.Diagnostics;
using System.Threading.Channels;
using Mbp.Ledger.Reading;
using Npgsql;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>
/// Projections that are at the head go on together: the same events, one transaction for the rows of all of them. A commit costs the trades as much as
/// twenty rows do, and a busy market's row is written once for all that happened to it meanwhile. One that cannot go on leaves the group, and nobody waits for it.
/// </summary>
internal sealed class FollowerGroup(EventFeed feed, NpgsqlDataSource pool, Func<bool> givesWay)
{
    private const int LargestBatch = 8_000;

    // A commit has a price of its own, which the writer's trades pay, too: there are at most so many a second. In quiet a row is there at once.
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(10);

    // While commands wait for the writer they come first, for a while.
    private static readonly TimeSpan LongestWay = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(20);

    // Events that make no row move the positions in memory; the database is told now and then.
    private static readonly TimeSpan TellEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly Channel<ProjectionFollower> _joining = Channel.CreateUnbounded<ProjectionFollower>(new UnboundedChannelOptions { SingleReader = true });
    private readonly List<ProjectionFollower> _waiting = [];
    private readonly List<ProjectionFollower> _members = [];
    private long _position;
    private long _told;

    /// <summary>Takes in a follower, which is not to do anything of its own until it is told that it left.</summary>
    public void Join(ProjectionFollower follower) => _joining.Writer.TryWrite(follower);

    /// <summary>Follows until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await FollowAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // The database is away, or an event cannot be read: each of them finds out for itself, and says so.
                foreach (var member in _members)
                {
                    member.Leave(e);
                }

                _members.Clear();
                await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        await using var connection = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        while (true)
        {
            await AdmitAsync(connection, cancellationToken).ConfigureAwait(false);
            if (_members.Count == 0)
            {
                await _joining.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false);
                continue;
            }

            var events = await NextAsync(connection, cancellationToken).ConfigureAwait(false);
            if (events.Count > 0)
            {
                await TakeAsync(events, connection, cancellationToken).ConfigureAwait(false);
                await RestAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Brings those who want to join to where the group is.</summary>
    private async Task AdmitAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        while (_joining.Reader.TryRead(out var joining))
        {
            _waiting.Add(joining);
        }

        foreach (var joining in _waiting.ToList())
        {
            if (_members.Count == 0)
            {
                _position = joining.Position;
            }
            else if (joining.Position > _position)
            {
                // The group gets there, as there are events up to it.
                continue;
            }

            _waiting.Remove(joining);
            try
            {
                while (joining.Position < _position)
                {
                    var missed = await feed.ReadAsync(joining.Position, (int)Math.Min(LargestBatch, _position - joining.Position), cancellationToken).ConfigureAwait(false);
                    await joining.TakeAsync(missed, connection, cancellationToken).ConfigureAwait(false);
                }

                _members.Add(joining);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                joining.Leave(e);
            }
        }
    }

    /// <summary>The next events; none where somebody joins, who may be behind them.</summary>
    private async Task<IReadOnlyList<Recorded>> NextAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        using var interrupted = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reading = feed.ReadAsync(_position, LargestBatch, interrupted.Token).AsTask();
        var joined = _joining.Reader.WaitToReadAsync(interrupted.Token).AsTask();
        try
        {
            if (_members.Exists(member => member.Stored < _position)
                && await Task.WhenAny(reading, joined, Task.Delay(TellEvery, interrupted.Token)).ConfigureAwait(false) is var first && first != reading && first != joined)
            {
                await SendAsync(_members, _position, [], connection, cancellationToken).ConfigureAwait(false);
            }

            return await Task.WhenAny(reading, joined).ConfigureAwait(false) == reading ? await reading.ConfigureAwait(false) : [];
        }
        finally
        {
            // Neither is left waiting: what was read for nobody is read again.
            await interrupted.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(reading, joined).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).ConfigureAwait(false);
        }
    }

    private async Task TakeAsync(IReadOnlyList<Recorded> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var last = events[^1].Position;
        var together = new List<ProjectionFollower>(_members.Count);
        foreach (var member in _members.ToList())
        {
            try
            {
                await member.FoldAsync(events, connection, cancellationToken).ConfigureAwait(false);
                together.Add(member);
            }
            catch (Exception e) when (e is ProjectionFaultException || ProjectionFollower.IsAboutRows(e))
            {
                await TakeAloneAsync(member, events, connection, cancellationToken).ConfigureAwait(false);
            }
        }

        if (together.TrueForAll(member => member.Rows.Changes == 0) && Stopwatch.GetElapsedTime(_told) < TellEvery)
        {
            together.ForEach(member => member.Move(last));
        }
        else
        {
            try
            {
                await SendAsync(together, last, events, connection, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (ProjectionFollower.IsAboutRows(e) || ProjectionFollower.IsReplaced(e))
            {
                // What one of them has cannot be stored, and the database does not say whose it is.
                foreach (var member in together)
                {
                    await TakeAloneAsync(member, events, connection, cancellationToken).ConfigureAwait(false);
                }
            }
        }

        _position = last;
    }

    /// <summary>In a transaction of its own: then it is known whose trouble it is, and whoever has it leaves.</summary>
    private async Task TakeAloneAsync(ProjectionFollower member, IReadOnlyList<Recorded> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            member.Rows.Clear();
            await member.TakeAsync(events, connection, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            _members.Remove(member);
            member.Leave(e);
        }
    }

    private async Task SendAsync(
        IReadOnlyList<ProjectionFollower> members, long position, IReadOnlyList<Recorded> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await ProjectionCommit.SendAsync(members, position, connection, cancellationToken).ConfigureAwait(false);
        _told = Stopwatch.GetTimestamp();
        foreach (var member in members)
        {
            member.Written(position, events);
        }
    }

    private async Task RestAsync(CancellationToken cancellationToken)
    {
        var since = Stopwatch.GetTimestamp();
        await Task.Delay(Linger, cancellationToken).ConfigureAwait(false);
        while (givesWay() && Stopwatch.GetElapsedTime(since) < LongestWay)
        {
            await Task.Delay(LookAgain, cancellationToken).ConfigureAwait(false);
        }
    }
}
