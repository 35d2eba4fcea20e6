using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Mbp.Host.Platform;

/// <summary>The product's own spans and metrics, under the requirements' names (C29, C30).</summary>
internal static class Telemetry
{
    public const string Name = "Mbp";

    public static readonly ActivitySource Source = new(Name);

    public static readonly Meter Meter = new(Name);

    public static readonly Counter<long> Trades = Meter.CreateCounter<long>("trades_total", description: "Trades accepted.");

    private static readonly Counter<long> Refusals = Meter.CreateCounter<long>("mbp.refused", description: "Commands refused, by code.");

    public static void Refused(string code) => Refusals.Add(1, new KeyValuePair<string, object?>("code", code));
}
