using System.Collections.Concurrent;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Postgres.Reacting;
using Mbp.Ledger.Reacting;
using Mbp.Ledger.Reading;
using Mbp.Ledger.Writing;

namespace Mbp.Host.Subscriptions;

/// <summary>Runs reactions, outbox rules and deliveries, each by itself, while this host is the writer. Where there are none, it is nothing at all.</summary>
internal sealed class SubscriptionWorker : BackgroundService
{
    private readonly ConcurrentDictionary<string, TroubleLog> _troubles = new(StringComparer.Ordinal);
    private readonly ILogger<SubscriptionWorker> _log;
    private readonly PostgresSubscriptions? _store;
    private readonly OutboxDelivery? _delivery;

    public SubscriptionWorker(IServiceProvider services, MbpOptions options, LedgerWriter writer, IEventStore ledger, EventFeed feed, Database database, ILogger<SubscriptionWorker> log)
    {
        var set = options.Subscriptions;
        set.Check();
        _log = log;
        if (set.Reactions.Count == 0 && set.Rules.Count == 0 && set.Destinations.Count == 0)
        {
            return;
        }

        _store = new PostgresSubscriptions(database.Connections);
        _delivery = new OutboxDelivery([.. set.Destinations.Select(make => make(services))], _store, () => writer.IsWriter, TimeProvider.System, Report);
        var context = new SubscriptionContext(feed, _store, ledger.HeadAsync, () => writer.IsWriter, TimeProvider.System, Report);
        Subscriptions =
        [
            .. set.Reactions.Select(reaction => new ReactionRunner(
                reaction, writer.SubmitAsync, context, (position, rejection) => Log.WorkerRefused(log, $"reaction:{reaction.Name} to event {position}", rejection.Code))),
            .. set.Rules.Select(rule => new OutboxFiller(rule, _delivery, context)),
        ];
    }

    public IReadOnlyList<Subscription> Subscriptions { get; } = [];

    public IReadOnlyCollection<OutboxLane> Lanes => _delivery?.Lanes ?? [];

    /// <summary>What an operator should know.</summary>
    public IEnumerable<string> Warnings => Subscriptions.Select(subscription => subscription.Fault?.Message).OfType<string>()
        .Concat(Lanes.Where(lane => lane.Failures > 0).Select(lane => $"The outbox destination '{lane.Name}' failed {lane.Failures} times in a row; its messages wait."));

    public override void Dispose()
    {
        base.Dispose();
        // Nothing of it runs any more: the host has waited for it.
        _store?.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _delivery is null
        ? Task.CompletedTask
        : Task.WhenAll(Subscriptions.Select(subscription => subscription.RunAsync(stoppingToken)).Append(_delivery.RunAsync(stoppingToken)));

    private void Report(string name, Exception e)
    {
        if (e is SubscriptionFaultException)
        {
            Log.SubscriptionStopped(_log, e, e.Message);
            return;
        }

        _troubles.GetOrAdd(name, _ => new TroubleLog(_log)).Report(e, $"The subscription '{name}' tries again; nothing is skipped.");
    }
}
