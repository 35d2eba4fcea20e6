using System.CommandLine;
using System.Text.Json;
using CsvHelper;
using Mbp.Cli.Files;
using Mbp.Cli.Policies;
using Mbp.Domain.Abuse;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Units;
using NodaTime.Text;

namespace Mbp.Cli.Abuse;

/// <summary><c>mbp abuse simulate ORDERS [OUT]</c>.</summary>
public static class AbuseVerb
{
    private const int Usage = 2;

    public static Command Create() => new("abuse", "The anti-abuse rules.") { Simulate() };

    private static Command Simulate()
    {
        var input = new Argument<string>("orders") { Description = "Orders: a JSON list, or a CSV file of trades, also .gz (docs/abuse-simulation.md)." };
        var target = new Argument<string>("out") { Description = "The file to write; - for the standard output.", DefaultValueFactory = _ => "abuse_flags.json" };
        var ruleset = new Option<string>("--ruleset") { Description = "A built-in rule set, or FILE.yml.", DefaultValueFactory = _ => RulesetLibrary.DefaultName };
        var happened = new Option<bool>("--happened") { Description = "The orders are trades that happened: what the rules refuse is counted, and counts as a trade all the same." };
        var command = new Command("simulate", "Runs the anti-abuse rules over orders, offline, and writes what they flag and refuse.") { input, target, ruleset, happened };
        command.SetAction(parsed =>
        {
            try
            {
                var policy = PolicyChoice.Read(parsed.GetRequiredValue(ruleset));
                var text = Report(OrderFile.Read(parsed.GetRequiredValue(input)), policy, parsed.GetValue(happened));
                if (parsed.GetRequiredValue(target) is var path && path == "-")
                {
                    parsed.InvocationConfiguration.Output.Write(text);
                }
                else
                {
                    File.WriteAllText(path, text);
                }

                return 0;
            }
            catch (Exception e) when (e is EnvironmentException or CsvFormatException or InvalidDataException or IOException or UnauthorizedAccessException)
            {
                parsed.InvocationConfiguration.Error.WriteLine(e.Message);
                return Usage;
            }
        });
        return command;
    }

    /// <summary>The same orders and rules give the same bytes.</summary>
    private static string Report(IReadOnlyList<Order> orders, Policy policy, bool happened)
    {
        AbuseSimulation[] markets = [.. orders.GroupBy(order => order.Market).OrderBy(market => market.Key.Value, StringComparer.Ordinal).Select(market =>
        {
            var simulation = new AbuseSimulation(market.Key, policy, happened);
            simulation.Run([.. market]);
            return simulation;
        })];
        var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteString("ruleset", policy.Rules.Name);
            json.WriteString("version", policy.Rules.Version);
            json.WriteString("policy_hash", policy.Hash);
            json.WriteNumber("orders", orders.Count);
            json.WriteNumber("accepted", markets.Sum(market => market.Accepted));
            json.WriteStartArray("flags");
            foreach (var flag in markets.SelectMany(market => market.Flags).OrderBy(flag => flag.At).ThenBy(flag => flag.Id, StringComparer.Ordinal))
            {
                Write(json, flag);
            }

            json.WriteEndArray();
            json.WriteStartArray("refusals");
            foreach (var group in markets.SelectMany(market => market.Refusals).GroupBy(pair => pair.Key).OrderBy(group => group.Key.Code, StringComparer.Ordinal))
            {
                json.WriteStartObject();
                json.WriteString("code", group.Key.Code);
                json.WriteString("rule", group.Key.Rule);
                json.WriteNumber("count", group.Sum(pair => pair.Value));
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static void Write(Utf8JsonWriter json, AbuseFlagged flag)
    {
        json.WriteStartObject();
        json.WriteString("kind", AbuseTable.Spelled(flag.Kind));
        json.WriteString("severity", Words.Of(flag.Severity));
        json.WriteString("action_taken", AbuseTable.Spelled(flag.Action));
        json.WriteString("market_id", flag.MarketId.Value);
        json.WriteString("ts", InstantPattern.ExtendedIso.Format(flag.At));
        json.WriteStartArray("accounts");
        foreach (var account in flag.Accounts)
        {
            json.WriteStringValue(account.Value);
        }

        json.WriteEndArray();
        json.WriteString("details", flag.Details);
        json.WriteEndObject();
    }
}
