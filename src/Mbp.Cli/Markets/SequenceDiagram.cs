using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Mbp.Cli.Markets;

/// <summary>A market's way from its close to its payouts as a sequence diagram (Mermaid), drawn from its events alone.</summary>
public static class SequenceDiagram
{
    private const string Ledger = "ledger";

    /// <param name="events">Items of <c>GET /v2/markets/{id}/events</c>, oldest first.</param>
    public static string Of(IEnumerable<JsonNode> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        var (lines, actors, payouts) = (new List<string>(), new List<string>(), 0);
        foreach (var item in events)
        {
            var (type, data) = ((string)item["type"]!, item["data"]!);
            payouts += type == "payout_recorded" ? 1 : 0;
            if (LineOf(type, data, payouts) is var (from, what))
            {
                if (!actors.Contains(from))
                {
                    actors.Add(from);
                }

                lines.Add(from == Ledger ? $"    Note over {Ledger}: {what}" : $"    {from}->>{Ledger}: {what}");
            }
        }

        var text = new StringBuilder("sequenceDiagram\n");
        foreach (var actor in actors.Where(actor => actor != Ledger).Append(Ledger))
        {
            text.Append(CultureInfo.InvariantCulture, $"    participant {actor}\n");
        }

        return text.AppendJoin('\n', lines).Append('\n').ToString();
    }

    private static (string From, string What)? LineOf(string type, JsonNode data, int payouts) => type switch
    {
        "market_created" => (Text(data, "account"), $"opens the market, {string.Join(" or ", data["outcomes"]!.AsArray().Select(outcome => (string)outcome!))}"),
        "trade_executed" => (Text(data, "account"), $"{Text(data, "side")}s {Text(data, "outcome")}"),
        "market_closed" => (Ledger, $"closed: {Text(data, "reason")}"),
        "market_halted" => (Ledger, $"halted {Text(data, "level")}: {Text(data, "reason")}"),
        "resolution_started" => ("clock", "resolution starts"),
        "report_accepted" => (Text(data, "source"), $"reports {Text(data, "value")}, round {data["round"]}"),
        "report_rejected" => (Text(data, "source"), $"reports {Text(data, "value")}: {Text(data, "reason")}"),
        "source_equivocated" => (Text(data, "source"), $"reports {Text(data, "value")}, too: neither counts"),
        "round_failed" => ("clock", $"round {data["round"]} failed: {Text(data, "reason")}"),
        "resolution_postponed" => (Ledger, "too early, put off"),
        "manual_proposed" => (Text(data, "by"), $"proposes {Text(data, "value")}"),
        "resolution_determined" => (Ledger, $"determined {Text(data, "value")} by {string.Join(", ", data["decidedBy"]!.AsArray().Select(by => (string)by!))}"),
        "dispute_opened" => (Text(data, "by"), $"disputes: {Text(data, "value")}, bond {Text(data, "bond")} CE$"),
        "ruling_recorded" => (Text(data, "judge"), $"rules {Text(data, "value")}"),
        "dispute_ruled" => (Ledger, $"dispute {Text(data, "outcome")}: {Text(data, "toWinner")} CE$ to the winner, {Text(data, "toInsurance")} to insurance"),
        "arbitration_opened" => ("clock", $"arbitration: {Text(data, "reason")}"),
        "resolution_sla_breached" => ("clock", "no value in time: frozen, people are called"),
        "resolution_rolled_back" => (Ledger, $"taken back: {Text(data, "reason")}"),
        "resolution_finished" => ("clock", $"final: {Text(data, "value")}"),
        "market_voided" => ("clock", $"void: {Text(data, "reason")}"),
        "settlement_planned" => ("clock", $"plan: {data["payouts"]} payouts, {Text(data, "total")} CE$"),
        "market_settled" => (Ledger, $"settled: {payouts} paid, dust {Text(data, "dust")}"),
        _ => null,
    };

    private static string Text(JsonNode data, string field) => (string?)data[field] ?? "";
}
