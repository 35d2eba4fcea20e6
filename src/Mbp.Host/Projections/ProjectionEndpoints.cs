using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Reading;
using Mbp.Ledger.Reading;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Projections;

/// <param name="Name">The projection.</param>
/// <param name="Version">The version of this build.</param>
/// <param name="State"><c>following</c>, <c>building</c>, <c>stopped</c>, or <c>elsewhere</c> where another host follows.</param>
/// <param name="Position">The last event in its tables.</param>
/// <param name="Behind">Events in the ledger that are not in its tables.</param>
/// <param name="Fault">Why it stopped, if it did.</param>
/// <param name="Rebuild">How far new tables are, while this host builds them.</param>
/// <param name="Tables">The tables it fills.</param>
public sealed record ProjectionItem(
    string Name, int Version, string State, long Position, long Behind, ProjectionFaultItem? Fault, RebuildItem? Rebuild, IReadOnlyList<string> Tables);

/// <param name="Position">The event that it stopped at.</param>
/// <param name="Type">Its wire name.</param>
/// <param name="Cause">What is wrong with it.</param>
public sealed record ProjectionFaultItem(long Position, string Type, string Cause);

/// <param name="Phase"><c>folding</c>, <c>indexing</c>, <c>catching up</c>, <c>comparing</c>, <c>swapping</c>.</param>
/// <param name="Position">The last event that was folded.</param>
/// <param name="Head">The ledger's head.</param>
/// <param name="EventsPerSecond">How fast.</param>
/// <param name="RemainingSeconds">How long the folding still takes.</param>
public sealed record RebuildItem(string Phase, long Position, long Head, double EventsPerSecond, double RemainingSeconds);

public sealed record ProjectionListResponse(IReadOnlyList<ProjectionItem> Items, long Head);

internal static class ProjectionEndpoints
{
    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/projections", List).OperatorsOnly().WithName("listProjections").WithSummary("The read models in tables: how far each is, and why one stopped");
        v2.MapPost("/projections/{name}/resume", Resume).OperatorsOnly().WithName("resumeProjection").WithSummary("Have a stopped projection try again");
    }

    private static Ok<ProjectionListResponse> List(ProjectionDaemon daemon, EventFeed feed) => TypedResults.Ok(Response(daemon, feed));

    private static Results<Ok<ProjectionListResponse>, ProblemHttpResult> Resume(string name, ProjectionDaemon daemon, EventFeed feed) =>
        daemon.Statuses.FirstOrDefault(status => status.Name == name) switch
        {
            null => Problems.Make(404, "projection.not_found", $"There is no projection '{name}'. GET /v2/projections lists them.", new FieldError("name", "Is the name of a projection.")),
            { State: "elsewhere" } => Problems.Make(409, "projection.elsewhere", "Another host follows; ask that one."),
            _ when daemon.Resume(name) => TypedResults.Ok(Response(daemon, feed)),
            _ => throw new InvalidOperationException($"The projection {name} cannot be resumed."),
        };

    private static ProjectionListResponse Response(ProjectionDaemon daemon, EventFeed feed)
    {
        var head = feed.Head;
        return new ProjectionListResponse(
            [.. daemon.Statuses.Select(status => new ProjectionItem(
                status.Name, status.Version, status.State, status.Position, Math.Max(0, head - status.Position),
                status.Fault is { } fault ? new ProjectionFaultItem(fault.Position, fault.Type, fault.Cause) : null,
                status.Rebuild is { } rebuild
                    ? new RebuildItem(rebuild.Phase, rebuild.Position, rebuild.Head, Math.Round(rebuild.EventsPerSecond), Math.Round(rebuild.Remaining.TotalSeconds, 1)) : null,
                status.Tables))],
            head);
    }
}
