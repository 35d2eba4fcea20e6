using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Mbp.Host.Platform;

/// <summary>Sends spans and metrics to an OTLP collector, where <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> names one.</summary>
internal sealed class Tracing : IHostedService, IDisposable
{
    private TracerProvider? _traces;
    private MeterProvider? _metrics;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") is not { Length: > 0 } endpoint)
        {
            return Task.CompletedTask;
        }

        // Npgsql's spans carry SQL text; ours has parameters only, so no value leaves the process.
        _traces = Sdk.CreateTracerProviderBuilder().AddSource("Microsoft.AspNetCore", "Npgsql", Telemetry.Name)
            .AddOtlpExporter(otlp => To(otlp, endpoint, "/v1/traces")).Build();
        _metrics = Sdk.CreateMeterProviderBuilder()
            .AddMeter("Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime", "Npgsql", Telemetry.Name)
            .AddOtlpExporter(otlp => To(otlp, endpoint, "/v1/metrics")).Build();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _traces?.ForceFlush();
        _metrics?.ForceFlush();
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        _traces?.Dispose();
        _metrics?.Dispose();
    }

    private static void To(OtlpExporterOptions otlp, string endpoint, string path)
    {
        otlp.Protocol = OtlpExportProtocol.HttpProtobuf;
        otlp.Endpoint = new Uri(new Uri(endpoint), path);
    }
}

internal static class TracingExtensions
{
    public static IServiceCollection AddTracing(this IServiceCollection services) => services.AddHostedService<Tracing>();
}
