using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Mbp.Cli.Api;
using Mbp.Cli.Auditing;

namespace Mbp.Cli.Payments;

/// <summary><c>mbp reconcile</c>: a day's rail statement against the ledger (docs/runbooks/payouts.md). Exit 0 = 100 %, 1 = something is left.</summary>
internal static class ReconcileVerb
{
    private const int Holds = 0;
    private const int Discrepancies = 1;
    private const int Usage = 2;

    public static Command Create()
    {
        var day = new Option<string?>("--day") { Description = "The UTC day, yyyy-mm-dd; the day before today otherwise. A day that is not over is looked at and not recorded." };
        var json = LedgerOptions.Json();
        var host = new HostConnection();
        var reconcile = new Command("reconcile", "Holds a day's rail statement against the ledger, records what the ledger lacks, and lists the rest.") { day, json };
        host.AddTo(reconcile);
        reconcile.SetAction(async (parsed, cancellationToken) =>
        {
            using var api = host.Client(parsed);
            var answer = await api.PostAsync(
                "/v2/payouts/reconciliations", $"cli:{Guid.CreateVersion7():N}", new { day = parsed.GetValue(day) }, cancellationToken).ConfigureAwait(false);
            var output = parsed.InvocationConfiguration.Output;
            if (!answer.IsOk)
            {
                await output.WriteLineAsync(parsed.GetValue(json) ? answer.Body.ToJsonString() : $"refused    {answer.Code}: {answer.Text("detail")}").ConfigureAwait(false);
                return Usage;
            }

            await output.WriteLineAsync(parsed.GetValue(json) ? answer.Body.ToJsonString() : Text(answer.Body)).ConfigureAwait(false);
            return answer.Body["discrepancies"]!.AsObject().Count == 0 ? Holds : Discrepancies;
        });
        return reconcile;
    }

    private static string Text(JsonObject found)
    {
        var text = new StringBuilder();
        var final = found["final"]!.GetValue<bool>();
        text.Append(CultureInfo.InvariantCulture, $"day        {Field(found, "day")} (UTC), rail {Field(found, "rail")}{(final ? "" : " - NOT OVER YET: nothing is recorded")}\n");
        text.Append(CultureInfo.InvariantCulture, $"matched    {Field(found, "matched")} of {Field(found, "total")} movements, {Field(found, "matchedPercent")} %\n");
        text.Append(CultureInfo.InvariantCulture, $"repaired   {Field(found, "repaired")} that the ledger had not heard of\n");
        text.Append(CultureInfo.InvariantCulture, $"failures   {Field(found, "failures")}, {Field(found, "openFailures")} of them open; repaired in {Seconds(found, "repairMedianMs")} (median), {Seconds(found, "repairP95Ms")} (95 in 100)\n");
        text.Append(CultureInfo.InvariantCulture, $"report     {Field(found, "report")}\nsha256     {Field(found, "reportSha256")}\n");
        foreach (var (word, count) in found["discrepancies"]!.AsObject())
        {
            text.Append(CultureInfo.InvariantCulture, $"LEFT       {word,-20} {count}\n");
        }

        foreach (var item in found["items"]!.AsArray().Select(item => item!.AsObject()))
        {
            text.Append(CultureInfo.InvariantCulture, $"           {Field(item, "class"),-20} {Field(item, "key")} ledger {Field(item, "ledgerState")} {Field(item, "ledgerAmount")}, rail {Field(item, "railReference")} {Field(item, "railAmount")}, {Field(item, "at")}\n");
        }

        return text.ToString().TrimEnd('\n');
    }

    private static string Field(JsonObject of, string name) => of[name]?.ToString() ?? "-";

    private static string Seconds(JsonObject found, string name) =>
        found[name] is { } ms ? string.Create(CultureInfo.InvariantCulture, $"{ms.GetValue<long>() / 1000.0:0.0} s") : "-";
}
