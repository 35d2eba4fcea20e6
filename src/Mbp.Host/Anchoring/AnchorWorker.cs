using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Log;
using Mbp.Ledger.Postgres.Log.Anchors;
using NodaTime;

namespace Mbp.Host.Anchoring;

/// <summary>Where an anchor stands.</summary>
/// <param name="Size">The largest size that was left there.</param>
internal sealed record AnchorState(string Kind, string Place, long Size = 0, Instant? At = null, string? Trouble = null);

/// <summary>
/// Leaves the newest checkpoint at each anchor that has a schedule, once its time has come and the log has grown. What was left is asked of the
/// database and not remembered: a restart neither forgets one nor repeats one.
/// </summary>
internal sealed class AnchorWorker : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly AnchorStore _store;
    private readonly IReadOnlyList<(IAnchor Anchor, Duration Every)> _anchors;
    private readonly IClock _clock;
    private readonly Func<bool> _works;
    private readonly ILogger _log;
    private readonly AnchorState[] _states;

    /// <param name="works">Whether this process is the one to do it.</param>
    public AnchorWorker(AnchorStore store, IReadOnlyList<(IAnchor Anchor, Duration Every)> anchors, IClock clock, Func<bool> works, ILogger<AnchorWorker> log)
    {
        (_store, _anchors, _clock, _works, _log) = (store, anchors, clock, works, log);
        _states = [.. anchors.Select(scheduled => new AnchorState(scheduled.Anchor.Kind, scheduled.Anchor.Place))];
    }

    public IReadOnlyList<AnchorState> States => [.. Enumerable.Range(0, _states.Length).Select(i => Volatile.Read(ref _states[i]))];

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(Enumerable.Range(0, _states.Length).Select(i => Task.Run(() => FollowAsync(i, stoppingToken), stoppingToken)));

    private async Task FollowAsync(int index, CancellationToken ct)
    {
        var (anchor, every) = _anchors[index];
        var most = every.ToTimeSpan() < TimeSpan.FromMinutes(10) ? every.ToTimeSpan() : TimeSpan.FromMinutes(10);
        var (backoff, troubles) = (new Backoff(most < Look ? Look : most), new TroubleLog(_log));
        while (!ct.IsCancellationRequested)
        {
            var wait = Look;
            try
            {
                if (_works())
                {
                    using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
                    limit.CancelAfter(Patience);
                    await StepAsync(index, anchor, every, limit.Token).ConfigureAwait(false);
                    wait = backoff.Good(Look);
                }
            }
            catch (Exception) when (ct.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                Volatile.Write(ref _states[index], _states[index] with { Trouble = e.Message });
                wait = backoff.Next();
                troubles.Report(e, $"The anchor {anchor.Kind} {anchor.Place} is tried again; the log goes on without its receipt.");
            }

            await Task.Delay(wait, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task StepAsync(int index, IAnchor anchor, Duration every, CancellationToken ct)
    {
        if (await _store.LatestAsync(ct).ConfigureAwait(false) is not { } latest)
        {
            return;
        }

        var last = await _store.LastAnchorAsync(latest.Epoch, anchor.Kind, anchor.Place, ct).ConfigureAwait(false);
        if (last is not null && (last.Size >= latest.Size || _clock.GetCurrentInstant() - last.At < every))
        {
            Volatile.Write(ref _states[index], _states[index] with { Size = last.Size, At = last.At });
            return;
        }

        await AnchorRounds.PublishAsync(_store, anchor, latest, ct).ConfigureAwait(false);
        Volatile.Write(ref _states[index], new AnchorState(anchor.Kind, anchor.Place, latest.Size, _clock.GetCurrentInstant()));
    }
}
