using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Mbp.Cli.Api;
using Mbp.Cli.Auditing;
using Mbp.Cli.Files;

namespace Mbp.Cli.Rulesets;

/// <summary><c>mbp ruleset publish</c> and <c>list</c>: what the running host has.</summary>
internal static class PublishVerb
{
    public static Command Publish()
    {
        var (file, json, host) = (RulesetVerb.FileArgument(), LedgerOptions.Json(), new HostConnection());
        var publish = new Command("publish", "Gives the running host a signed version of a rule set. No market is decided by it until it is activated there.") { file, json };
        host.AddTo(publish);
        publish.SetAction(async (parsed, cancellationToken) =>
        {
            var name = parsed.GetRequiredValue(file);
            var (yaml, beside) = (await RulesetVerb.TextAsync(name, cancellationToken).ConfigureAwait(false), name + RulesetVerb.SignatureEnding);
            // Without the file it goes out all the same: the host's refusal says what to do.
            var signature = File.Exists(beside) ? await File.ReadAllTextAsync(beside, cancellationToken).ConfigureAwait(false) : null;
            using var api = host.Client(parsed);
            var answer = await api.PostAsync("/v2/rulesets", $"cli:{Guid.CreateVersion7():N}", new { yaml, signature }, cancellationToken).ConfigureAwait(false);
            if (!answer.IsOk)
            {
                return await RefusedAsync(parsed, name, answer, parsed.GetValue(json)).ConfigureAwait(false);
            }

            await parsed.InvocationConfiguration.Output.WriteLineAsync(parsed.GetValue(json)
                ? answer.Body.ToJsonString()
                : $"published {answer.Text("name")} {answer.Text("version")} {answer.Text("policyHash")} (position {answer.Number("position")})").ConfigureAwait(false);
            return 0;
        });
        return publish;
    }

    public static Command List()
    {
        var (json, host) = (LedgerOptions.Json(), new HostConnection());
        var list = new Command("list", "The rule sets that the running host has, and which version a new market gets.") { json };
        host.AddTo(list);
        list.SetAction(async (parsed, cancellationToken) =>
        {
            using var api = host.Client(parsed);
            var answer = await api.GetAsync("/v2/rulesets", cancellationToken).ConfigureAwait(false);
            if (!answer.IsOk)
            {
                throw new EnvironmentException($"{answer.Code}: {answer.Text("detail")}");
            }

            await parsed.InvocationConfiguration.Output.WriteLineAsync(parsed.GetValue(json) ? answer.Body.ToJsonString() : Text(answer.Body)).ConfigureAwait(false);
            return 0;
        });
        return list;
    }

    /// <summary>A refusal: each fault on a line, and exit code 1. The old rules stay in force.</summary>
    public static async Task<int> RefusedAsync(ParseResult parsed, string what, ApiAnswer answer, bool json)
    {
        if (json)
        {
            await parsed.InvocationConfiguration.Output.WriteLineAsync(answer.Body.ToJsonString()).ConfigureAwait(false);
            return 1;
        }

        await Console.Error.WriteLineAsync($"{what}: refused, {answer.Code}: {answer.Text("detail")}").ConfigureAwait(false);
        return 1;
    }

    private static string Text(JsonObject body)
    {
        var text = new StringBuilder();
        foreach (var item in body["items"]!.AsArray())
        {
            foreach (var version in item!["versions"]!.AsArray())
            {
                text.Append(text.Length > 0 ? "\n" : "").Append($"{item["name"],-12} {version!["version"],-10} {version["policyHash"]}");
                text.Append((string?)version["version"] == (string?)item["newest"] ? "  newest" : "");
            }
        }

        return text.ToString();
    }
}
