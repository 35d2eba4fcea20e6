using Mbp.Host.Platform;
using Mbp.Ledger.Log;
using Mbp.Ledger.Postgres.Log;
using NodaTime;

namespace Mbp.Host.Anchoring;

/// <summary>Where a witness stands with this log.</summary>
/// <param name="Size">The largest size that it has signed.</param>
/// <param name="Trouble">Why the last submission did not end with a signature; null where it did.</param>
/// <param name="Fork">The witness says that this log has two histories: a person must look.</param>
internal sealed record WitnessState(WitnessAddress Witness, long Size = 0, Instant? At = null, string? Trouble = null, bool Fork = false);

/// <summary>Brings each new checkpoint to each witness. Every witness has a loop of its own, so that none waits for another, and no command for any.</summary>
internal sealed class WitnessWorker : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly AnchorStore _store;
    private readonly ITileReader _tiles;
    private readonly IClock _clock;
    private readonly Func<bool> _works;
    private readonly ILogger _log;
    private readonly HttpClient _http;
    private readonly WitnessState[] _states;

    /// <param name="works">Whether this process is the one to do it; another host's witness lines come through the database.</param>
    public WitnessWorker(AnchorStore store, ITileReader tiles, IReadOnlyList<WitnessAddress> witnesses, IClock clock, Func<bool> works, ILogger<WitnessWorker> log, HttpMessageHandler? handler = null)
    {
        (_store, _tiles, _clock, _works, _log) = (store, tiles, clock, works, log);
        _http = new HttpClient(handler ?? new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(3), PooledConnectionLifetime = TimeSpan.FromMinutes(5) }) { Timeout = Patience };
        _states = [.. witnesses.Select(witness => new WitnessState(witness))];
    }

    public IReadOnlyList<WitnessState> States => [.. Enumerable.Range(0, _states.Length).Select(i => Volatile.Read(ref _states[i]))];

    public override void Dispose()
    {
        _http.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(Enumerable.Range(0, _states.Length).Select(i => Task.Run(() => FollowAsync(i, stoppingToken), stoppingToken)));

    private async Task FollowAsync(int index, CancellationToken ct)
    {
        var (client, backoff, troubles) = (new WitnessClient(_http, _states[index].Witness), new Backoff(TimeSpan.FromMinutes(1)), new TroubleLog(_log));
        while (!ct.IsCancellationRequested)
        {
            var wait = Look;
            try
            {
                if (_works())
                {
                    var trouble = await StepAsync(index, client, ct).ConfigureAwait(false);
                    wait = trouble is null ? backoff.Good(Look) : backoff.Next();
                    if (trouble is not null)
                    {
                        troubles.Report(new AnchoringTroubleException($"The witness {_states[index].Witness.Key.Name}: {trouble}."), "Checkpoints lack its signature; the log goes on (docs/runbooks/anchors.md).");
                    }
                }
            }
            catch (Exception) when (ct.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                Set(index, _states[index] with { Trouble = e.Message });
                wait = backoff.Next();
                troubles.Report(e, $"The witness {_states[index].Witness.Key.Name} is asked again; the log goes on without its signature.");
            }

            await Task.Delay(wait, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<string?> StepAsync(int index, WitnessClient client, CancellationToken ct)
    {
        var state = _states[index];
        if (await _store.LatestAsync(ct).ConfigureAwait(false) is not { } latest)
        {
            return null;
        }

        var known = await _store.CosignedSizeAsync(latest.Epoch, state.Witness.Key, ct).ConfigureAwait(false);
        if (known >= latest.Size)
        {
            Set(index, state with { Size = known, Trouble = null, Fork = false });
            return null;
        }

        var note = latest.Parsed;
        var tree = TileTree.For(Checkpoint.Of(note), _tiles);
        var outcome = await client.SubmitAsync(note, tree.ConsistencyAsync, ct).ConfigureAwait(false);
        switch (outcome)
        {
            case WitnessOutcome.Signed signed:
                await _store.AddCosignatureAsync(latest, state.Witness.Key, signed.Line, ct).ConfigureAwait(false);
                Set(index, new WitnessState(state.Witness, latest.Size, _clock.GetCurrentInstant()));
                return null;
            case WitnessOutcome.Ahead ahead:
                // Another host may have signed and submitted since this one looked.
                var newest = await _store.LatestAsync(ct).ConfigureAwait(false);
                return newest is null || newest.Epoch != latest.Epoch || newest.Size >= ahead.Size ? null
                    : Trouble(index, $"it has signed a tree of size {ahead.Size}, and this log ends at {newest.Size}", fork: true);
            case WitnessOutcome.Refused refused:
                return Trouble(index, refused.Why, refused.Fork);
            default:
                throw new InvalidOperationException($"{outcome.GetType().Name} is not handled.");
        }
    }

    private string Trouble(int index, string why, bool fork)
    {
        Set(index, _states[index] with { Trouble = why, Fork = fork });
        return why;
    }

    private void Set(int index, WitnessState state) => Volatile.Write(ref _states[index], state);
}

/// <summary>Something outside does not do what it should; not an error of this process.</summary>
internal sealed class AnchoringTroubleException(string message) : Exception(message);
