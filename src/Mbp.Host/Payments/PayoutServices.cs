using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Payments;

internal static class PayoutServices
{
    public static IServiceCollection AddPayouts(this IServiceCollection services) => services
        .AddSingleton(services => new Payouts(
            services.GetRequiredService<LedgerWriter>(), services.GetRequiredService<IEventStore>(), services.GetRequiredService<EventCatalog>(),
            RailOf(services.GetRequiredService<MbpOptions>(), services.GetRequiredService<IClock>()), services.GetRequiredService<MbpOptions>().Payouts))
        .AddSingleton<ReconciliationRun>().AddSingleton<PayoutMetrics>()
        .AddHostedService<PayoutClock>().AddHostedService<ReconciliationWorker>();

    private static IPayoutRail RailOf(MbpOptions options, IClock clock)
    {
        if (options.Payouts.Rail is { } other)
        {
            return other(clock);
        }

        var folder = Path.Combine(Path.GetFullPath(options.Data), options.Ephemeral ? "rail-ephemeral" : "rail");
        // What a throw-away ledger had paid is no business of the next one's.
        if (options.Ephemeral && Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        return new SimulatedPixRail(folder, clock, options.Payouts.FaultSeed);
    }
}
