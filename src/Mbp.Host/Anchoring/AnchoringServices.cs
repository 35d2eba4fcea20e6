using Mbp.Host.Platform;
using Mbp.Ledger.Log;
using Mbp.Ledger.Postgres.Log;
using Mbp.Ledger.Postgres.Log.Anchors;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Anchoring;

/// <summary>What the host does with checkpoints beyond its own machine.</summary>
internal static class AnchoringServices
{
    /// <exception cref="UsageException">A setting is wrong: better now than after the first gate.</exception>
    public static IServiceCollection AddAnchoring(this IServiceCollection services, MbpOptions options)
    {
        var (witnesses, anchors) = (Witnesses(options), Anchors(options));
        services.AddSingleton(s => new AnchorStore(s.GetRequiredService<Database>().Connections));
        services.AddSingleton(s => new WitnessWorker(
            s.GetRequiredService<AnchorStore>(), s.GetRequiredService<Database>().Log.Tiles, witnesses, s.GetRequiredService<IClock>(),
            () => s.GetRequiredService<LedgerWriter>().IsWriter, s.GetRequiredService<ILogger<WitnessWorker>>()));
        services.AddSingleton(s => new AnchorWorker(
            s.GetRequiredService<AnchorStore>(), anchors, s.GetRequiredService<IClock>(), () => s.GetRequiredService<LedgerWriter>().IsWriter,
            s.GetRequiredService<ILogger<AnchorWorker>>()));
        services.AddHostedService(s => s.GetRequiredService<WitnessWorker>()).AddHostedService(s => s.GetRequiredService<AnchorWorker>());
        return services.AddSingleton<AnchoringMetrics>();
    }

    private static List<WitnessAddress> Witnesses(MbpOptions options)
    {
        try
        {
            return [.. options.LogPolicy is { } policy ? WitnessAddress.InPolicy(File.ReadAllText(policy)) : [], .. options.Witnesses.Select(WitnessAddress.Parse)];
        }
        catch (Exception e) when (e is LogFormatException or IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"--witness or --log-policy: {e.Message}");
        }
    }

    private static List<(IAnchor Anchor, Duration Every)> Anchors(MbpOptions options)
    {
        try
        {
            return
            [
                .. options.Anchors.Select(AnchorSetting.Parse).Concat(AnchorSetting.Load(AnchorRounds.SettingsIn(options.Data))).Where(setting => setting.Every is not null)
                    .Select(setting => (setting.Open("scheduled"), setting.Every!.Value)),
            ];
        }
        catch (Exception e) when (e is FormatException or AnchorException)
        {
            throw new UsageException($"--anchor, or {AnchorRounds.SettingsIn(options.Data)}: {e.Message}");
        }
    }
}
