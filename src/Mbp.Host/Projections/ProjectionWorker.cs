using Mbp.Domain;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Postgres.Reading;
using Mbp.Ledger.Reading;
using Mbp.Ledger.Writing;

namespace Mbp.Host.Projections;

/// <summary>Runs the projections beside everything else: whatever happens to them, commands go on.</summary>
internal sealed class ProjectionWorker(ProjectionDaemon daemon) : BackgroundService
{
    // At a rate that the machine can do, a commit's worth of commands is open at a time; as many as this is a machine at its limit.
    private const int ManyWait = 32;

    /// <summary>The read models of this build, following this host's feed.</summary>
    public static ProjectionDaemon MakeDaemon(IServiceProvider services)
    {
        var troubles = ReadModels.All.Select(projection => projection.Name).Append("projections").Append("rebuild").Append("old tables")
            .ToDictionary(name => name, _ => new TroubleLog(services.GetRequiredService<ILogger<ProjectionDaemon>>()), StringComparer.Ordinal);
        var writer = services.GetRequiredService<LedgerWriter>();
        return new ProjectionDaemon(
            services.GetRequiredService<Database>().Connections, services.GetRequiredService<IEventStore>(), services.GetRequiredService<EventCatalog>(),
            services.GetRequiredService<EventFeed>(), ReadModels.All,
            (name, e) => troubles[name].Report(e, e is ProjectionFaultException
                ? $"The projection '{name}' stopped: {e.Message} The others go on. After a fix: POST /v2/projections/{name}/resume."
                : $"Read models in tables ({name}): tried again; commands are not affected."))
        {
            GivesWay = () => writer.Unanswered >= ManyWait,
        };
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await daemon.RunAsync(stoppingToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }
}
