using Mbp.Domain.Resolution;
using Mbp.Host.Platform;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Resolution;

/// <summary>
/// Asks the endpoints of the markets whose value is being looked for: at once, and again with growing pauses while there is no good answer. Which they are follows from
/// the ledger, so a restart asks them all again; an answer is a command, and the decider looks at the signature.
/// </summary>
internal sealed class EndpointWorker(LedgerWriter writer, LiveLedger live, EndpointReader endpoints, IClock clock, ILogger<EndpointWorker> log) : BackgroundService
{
    private const int InFlight = 8;
    private const int LongestText = 2_000;

    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    private static readonly Duration FirstPause = Duration.FromSeconds(5);
    private static readonly Duration LongestPause = Duration.FromMinutes(5);

    private readonly Dictionary<string, (Instant Next, Duration Pause)> _waiting = new(StringComparer.Ordinal);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Look);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            var now = clock.GetCurrentInstant();
            var asking = writer.IsWriter
                ? live.Current.Markets.Values.Where(view => view.Resolution is MarketResolution.Collecting && view.Terms?.Endpoint is not null).ToDictionary(view => view.Terms!.MarketId.Value, StringComparer.Ordinal)
                : [];
            foreach (var gone in _waiting.Keys.Where(id => !asking.ContainsKey(id)).ToList())
            {
                _waiting.Remove(gone);
            }

            foreach (var some in asking.Values.Where(view => !_waiting.TryGetValue(view.Terms!.MarketId.Value, out var wait) || wait.Next <= now).Chunk(InFlight))
            {
                await Task.WhenAll(some.Select(view => AskAsync(view, stoppingToken))).ConfigureAwait(false);
                foreach (var view in some)
                {
                    var id = view.Terms!.MarketId.Value;
                    var pause = _waiting.TryGetValue(id, out var wait) ? Duration.Min(wait.Pause * 2, LongestPause) : FirstPause;
                    _waiting[id] = (clock.GetCurrentInstant() + pause, pause);
                }
            }
        }
    }

    private async Task AskAsync(MarketView view, CancellationToken cancellationToken)
    {
        var (market, url) = (view.Terms!.MarketId, view.Terms.Endpoint!);
        using var span = Telemetry.Source.StartActivity("rule.eval");
        try
        {
            var (body, observedAt, sha256) = await endpoints.ReadAsync(url, cancellationToken).ConfigureAwait(false);
            if (body.Market != market.Value)
            {
                throw new EndpointException($"it answers about '{body.Market}'");
            }

            if (body.Value.Length is 0 or > 100 || body.Evidence.Length > LongestText || body.Value.Concat(body.Evidence).Any(char.IsControl))
            {
                throw new EndpointException("value or evidence is too long, or has control characters");
            }

            var outcome = await writer.SubmitAsync(
                ResolutionOperation.Of(market, view.Market, disputer: null, at => new RecordEndpointAnswer(market, url, body.Value, observedAt, body.Evidence, body.Signature, sha256, at)),
                CommandContext.ForWorker("endpoints"), cancellationToken).ConfigureAwait(false);
            if (outcome.Rejection is { } rejection)
            {
                Log.WorkerRefused(log, market.Value, rejection.Code);
            }
        }
        catch (EndpointException e)
        {
            // The next pause is longer; people may find the value meanwhile.
            Log.EndpointSilent(log, market.Value, url, e.Message);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The host stops.
        }
        catch (Exception e)
        {
            Log.WorkerTrouble(log, e, market.Value);
        }
    }
}
