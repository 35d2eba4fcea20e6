using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Governance.Slo;
using Mbp.Domain.Units;
using Mbp.Host.Anchoring;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Governance;

/// <param name="WindowEnd">The end of the 4-hour window, an instant; each window is reported once.</param>
/// <param name="BurnRate">Burned / allowed error budget over the window, a decimal string: 1 or more is red.</param>
public sealed record BurnRequest(string? WindowEnd, string? BurnRate);

/// <param name="SlowMode">Whether the error budget slows trading down and rebates are suspended.</param>
/// <param name="Since">Since when.</param>
/// <param name="RedInARow">Red windows up to the last one.</param>
/// <param name="GreenInARow">Green windows up to the last one.</param>
/// <param name="LastWindow">The last one's end.</param>
/// <param name="Position">Where in the ledger.</param>
/// <param name="Receipt">Of a report.</param>
/// <param name="Counted">Of a report: whether it was a new window. One that was reported before, or that ended before the last one, changes nothing.</param>
public sealed record SloResponse(
    bool SlowMode, string? Since, int RedInARow, int GreenInARow, string? LastWindow, long Position, ReceiptItem? Receipt = null, bool? Counted = null);

/// <summary>The error budget's hand on trading (C16): a watcher reports its burn, and two red windows slow the markets down.</summary>
internal static class SloEndpoints
{
    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/slo", GetAsync).WithName("getSlo").WithSummary("Whether the error budget slows trading down");
        v2.MapPost("/slo/burn", ReportAsync).OperatorsOnly().WithName("reportBurn").WithSummary("Report a window's error budget burn");
    }

    private static async Task<Results<Ok<SloResponse>, ProblemHttpResult>> GetAsync(HttpContext http, Reads reads, CancellationToken cancellationToken)
    {
        var (view, problem) = await reads.NowAsync(http.Request, cancellationToken);
        return problem is not null ? problem : TypedResults.Ok(Show(view.Slo, view.Position, null));
    }

    private static async Task<Results<Ok<SloResponse>, ProblemHttpResult>> ReportAsync(
        BurnRequest request, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var (window, burn) = (fields.OptionalInstant("windowEnd", request.WindowEnd), default(ScalarValue));
        if (request.WindowEnd is null)
        {
            fields.Fail("windowEnd", "Is needed.");
        }

        if (!ScalarValue.TryParse(request.BurnRate, out burn, out var rule) || burn.Units < 0)
        {
            fields.Fail("burnRate", rule ?? "Is 0 or more.");
        }

        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var operation = Operation.On(
            SloPolicy.Fold.Of(SloPolicy.Stream), RulesetLibrary.Fold.Of(RulesetLibrary.StreamOf(RulesetLibrary.DefaultName)),
            (at, policy, defaults) => SloDecider.Decide(new ReportBurn(window!.Value, burn, at), policy, defaults).On(SloPolicy.Stream));
        var outcome = await commands.SendAsync(http, operation, request, cancellationToken);
        if (outcome.Rejection is { } rejection)
        {
            return Problems.From(rejection);
        }

        var view = await live.AtLeastAsync(outcome.Position, TimeSpan.FromSeconds(5), cancellationToken);
        return TypedResults.Ok(Show(view.Slo, outcome.Position, commands.ReceiptOf(outcome)) with { Counted = outcome.Events.Count > 0 });
    }

    private static SloResponse Show(SloPolicy slo, long position, ReceiptItem? receipt) => new(
        slo.SlowSince is not null, slo.SlowSince is { } since ? MarketPage.Text(since) : null, slo.RedInARow, slo.GreenInARow,
        slo.LastWindow is { } last ? MarketPage.Text(last) : null, position, receipt);
}
