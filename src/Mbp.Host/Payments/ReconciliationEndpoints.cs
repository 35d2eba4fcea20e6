using Mbp.Domain.Payments;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Host.Payments;

/// <summary>The day's reconciliation on demand, for operators and <c>mbp reconcile</c>.</summary>
internal static class ReconciliationEndpoints
{
    private const int MostItems = 500;

    public static void Map(RouteGroupBuilder v2) =>
        v2.MapPost("/payouts/reconciliations", RunAsync).OperatorsOnly().WithName("reconcilePayouts").WithSummary("Hold a UTC day's rail statement against the ledger, and record what the ledger lacks");

    private static async Task<Results<Ok<ReconciliationResponse>, ProblemHttpResult>> RunAsync(
        ReconcileRequest request, HttpContext http, Commands commands, ReconciliationRun run, Payouts payouts, IClock clock, CancellationToken cancellationToken)
    {
        var (fields, now) = (new Fields(), clock.GetCurrentInstant());
        var day = request.Day is null ? new UtcDay(UtcDay.Of(now).Date.PlusDays(-1)) : Day(fields, request.Day);
        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        if (day.Begin > now)
        {
            return Problems.From(PaymentErrors.DayNotBegun);
        }

        var by = new CommandContext(Principal.Of(http).Id, System.Diagnostics.Activity.Current?.TraceId.ToHexString() ?? http.TraceIdentifier);
        var found = await run.RunAsync(day, by, cancellationToken);
        var position = 0L;
        if (found.IsFinal)
        {
            var outcome = await commands.SendAsync(http, ReconciliationRun.Record(found, payouts.Rail.Name), request, cancellationToken);
            if (outcome.Rejection is { } rejection)
            {
                return Problems.From(rejection);
            }

            position = outcome.Position;
        }

        return TypedResults.Ok(new ReconciliationResponse(
            day.ToString(), payouts.Rail.Name, found.IsFinal, found.Found.Matched, found.Found.Total, found.Found.Percent,
            found.Found.Counts.ToDictionary(count => Word(count.Class), count => count.Count), [.. found.Found.Discrepancies.Take(MostItems).Select(Item)], found.Repaired,
            found.Times.Failures, found.Times.Open, found.Times.MedianMs, found.Times.P95Ms, found.Sha256, found.Path, position));
    }

    private static UtcDay Day(Fields fields, string text)
    {
        var parsed = LocalDatePattern.Iso.Parse(text);
        // The bounds of what an instant can be asked for.
        if (parsed.Success && parsed.Value.Year is >= 1970 and < 9999)
        {
            return new UtcDay(parsed.Value);
        }

        fields.Fail("day", "Is a UTC day such as 2026-12-31.");
        return default;
    }

    private static string Word(DiscrepancyClass @class) => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(@class.ToString());

    private static DiscrepancyItem Item(Discrepancy one) =>
        new(Word(one.Class), one.Key, one.Reference, one.LedgerState, one.LedgerAmount?.ToString(), one.RailAmount?.ToString(), MarketPage.Text(one.At));
}
