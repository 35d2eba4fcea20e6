using System.Globalization;
using Mbp.Host.Anchoring;
using Mbp.Host.Payments;
using Mbp.Host.Subscriptions;
using Mbp.Ledger.Postgres.Log;
using Mbp.Ledger.Postgres.Reading;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;

namespace Mbp.Host.Platform;

/// <param name="Live">Always true: whoever can answer is alive.</param>
public sealed record LiveResponse(bool Live);

/// <param name="Ready">Whether the process takes commands or at least serves reads.</param>
/// <param name="Components">Each part's state, in words.</param>
public sealed record HealthResponse(bool Ready, IReadOnlyDictionary<string, string> Components);

/// <param name="Shard">The ledger's shard.</param>
/// <param name="Writer">Whether this process is the writer.</param>
/// <param name="Holder">Who else is, if not.</param>
/// <param name="Epoch">The fencing epoch of this process's lease.</param>
/// <param name="Position">The position that the read models show.</param>
/// <param name="Markets">Markets in the ledger.</param>
/// <param name="Accounts">Accounts in the ledger.</param>
/// <param name="QueueDepth">Commands that wait.</param>
/// <param name="CachedStreams">Streams whose states are in memory.</param>
/// <param name="Limits"><c>on</c>, or <c>OFF</c> while request quotas are switched off.</param>
/// <param name="Flags">Feature flags.</param>
/// <param name="Warnings">What an operator should know at once.</param>
/// <param name="Log">The public log.</param>
public sealed record StatusResponse(
    string Shard,
    bool Writer,
    string? Holder,
    long Epoch,
    long Position,
    int Markets,
    int Accounts,
    int QueueDepth,
    int CachedStreams,
    string Limits,
    IReadOnlyDictionary<string, bool> Flags,
    IReadOnlyList<string> Warnings,
    LogStatus Log);

/// <param name="Origin">The public log.</param>
/// <param name="Keeps">Whether this process keeps it.</param>
/// <param name="Size">Events in its tree.</param>
/// <param name="SignedSize">Events under the newest checkpoint of this process.</param>
/// <param name="AnchorLagSeconds">Since when there are events that no checkpoint covers.</param>
/// <param name="Halted">Why it is not signed, in a word; absent while it is.</param>
public sealed record LogStatus(string Origin, bool Keeps, long Size, long SignedSize, double AnchorLagSeconds, string? Halted);

/// <summary>What operators and probes ask: no key needed, nothing secret told.</summary>
internal static class OperationsEndpoints
{
    public static void Map(WebApplication app)
    {
        app.MapGet("/health/live", () => TypedResults.Ok(new LiveResponse(true))).WithName("live").WithSummary("The process runs");
        app.MapGet("/health/ready", Ready).WithName("ready").WithSummary("The process serves");
        app.MapGet("/status", Status).WithName("status").WithSummary("The process in numbers");
        app.MapGet("/metrics", (PrometheusPage page) => TypedResults.Text(page.Render(), "text/plain; version=0.0.4; charset=utf-8")).ExcludeFromDescription();
    }

    private static JsonHttpResult<HealthResponse> Ready(LedgerWriter writer, LiveLedger live, ProjectionDaemon projections, LogKeeper log, LedgerSeeder templates, Payouts payouts, MbpOptions options)
    {
        var components = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["writer"] = writer.IsWriter ? "leading" : writer.OtherHolder is { } holder ? $"standing by for {holder}" : "acquiring the lease",
            ["readModels"] = live.Fault is { } fault ? $"stopped: {fault.Message}" : live.CaughtUp.IsCompleted ? "following" : "catching up",
            ["templates"] = templates.Done.IsCompleted ? "published" : "publishing",
        };
        var stopped = projections.Statuses.Where(projection => projection.Fault is not null).ToList();
        components["projections"] = stopped.Count == 0 ? (projections.Leads ? "following" : "standing by") : $"stopped: {string.Join(", ", stopped.Select(projection => projection.Name))}";
        foreach (var projection in stopped)
        {
            components[$"projection:{projection.Name}"] = Stopped(projection);
        }

        components["log"] = log.State switch
        {
            { Fault: { } halt } => $"halted ({halt.Kind}): {halt.What}",
            _ when !options.Log => "OFF",
            { Keeps: true } state => string.Create(CultureInfo.InvariantCulture, $"keeping: {state.SignedSize} signed"),
            { Lacks: { } key } => $"standing by without key {key}",
            _ => "standing by",
        };

        components["payouts"] = payouts.Rail.Name;
        // A standby is ready too: it serves reads, and says who takes commands.
        var ready = (writer.IsWriter || writer.OtherHolder is not null) && live.Fault is null && live.CaughtUp.IsCompleted && stopped.Count == 0 && log.State.Fault is null && templates.Done.IsCompleted;
        return TypedResults.Json(new HealthResponse(ready, components), statusCode: ready ? 200 : 503);
    }

    private static Ok<StatusResponse> Status(LedgerWriter writer, LiveLedger live, ProjectionDaemon projections, SubscriptionWorker subscriptions, LogKeeper log, Database database, IClock clock, MbpOptions options)
    {
        var view = live.Current;
        var warnings = new List<string>();
        if (!options.Limits)
        {
            warnings.Add("Request quotas are off (--limits off): for benchmarks and tests only.");
        }

        if (options.Clock is TestClock)
        {
            warnings.Add("The clock is a test clock (--test-clock): no time in this ledger is to be trusted.");
        }

        if (view.Slo.SlowSince is { } slow)
        {
            warnings.Add($"The error budget slows trading down since {slow}: rates are halved, no liquidity leaves, no rebates.");
        }

        if (!options.Log)
        {
            warnings.Add("The public log is off (--log off): nothing is signed, answers carry no receipts. For benchmarks only.");
        }

        if (live.Fault is { } fault)
        {
            warnings.Add($"The read models stopped at position {view.Position}: {fault.Message}");
        }

        warnings.AddRange(projections.Statuses.Where(projection => projection.Fault is not null).Select(projection => $"The projection '{projection.Name}' {Stopped(projection)}"));
        warnings.AddRange(subscriptions.Warnings);
        if (view.Payouts.Open.Count(one => one.Value.NeedsPeople) is > 0 and var stuck)
        {
            warnings.Add($"{stuck} withdrawals need people: the rail does not say what became of them, or tells something else than the ledger (docs/runbooks/payouts.md).");
        }

        var state = log.State;
        if (state.Fault is { } halt)
        {
            warnings.Add($"The public log is halted ({halt.Kind}): {halt.What}");
        }
        else if (state.Lacks is { } key)
        {
            warnings.Add($"This host cannot sign the public log, nor receipts: key {key} is not in {database.Log.Keys.Folder}. While no other host has it, nothing is signed (docs/runbooks/public-log.md).");
        }

        if (log.StandbysHidden)
        {
            warnings.Add("Synchronous standbys are set, and mbp_writer may not see how far they are: checkpoints rest on the server's word alone. Run: GRANT pg_read_all_stats TO mbp_writer;");
        }

        return TypedResults.Ok(new StatusResponse(
            options.Shard, writer.IsWriter, writer.OtherHolder, writer.Epoch, view.Position, view.MarketsInOrder.Count, view.Accounts.Count,
            writer.QueueDepth, writer.CachedStreams, options.Limits ? "on" : "OFF", options.Flags, warnings,
            new LogStatus(database.Log.Origin, state.Keeps, state.Size, state.SignedSize, Math.Round(LogMetrics.Lag(state, clock), 3), state.Fault?.Kind)));
    }

    private static string Stopped(ProjectionStatus projection) =>
        $"stopped at {projection.Fault!.Type}, position {projection.Fault.Position}: {projection.Fault.Cause}";
}
