using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mbp.Cli.Api;
using Mbp.Cli.Auditing;
using Mbp.Cli.Files;

namespace Mbp.Cli.Rulesets;

/// <summary>
/// <c>mbp ruleset activate</c> and <c>rollback</c>: by an event for each market. Many markets are done one after another; one that is so already has
/// no event, so a run that was interrupted is simply run again.
/// </summary>
internal static class ActivateVerb
{
    // Only what can still be decided by it.
    private static readonly string[] Unfinished = ["open", "paused"];

    public static Command Activate()
    {
        var ruleset = new Argument<string>("ruleset") { Description = "NAME, or NAME@VERSION for another than the newest." };
        var (markets, all) = (Market(), new Option<bool>("--all") { Description = "Every market that is not final yet." });
        var template = new Option<string?>("--template") { Description = "Every market of this template that is not final yet." };
        var (reason, json, host) = (Reason(), LedgerOptions.Json(), new HostConnection());
        var activate = new Command("activate", "Puts markets under a published rule set.") { ruleset, markets, all, template, reason, json };
        host.AddTo(activate);
        activate.SetAction(async (parsed, cancellationToken) =>
        {
            var named = parsed.GetRequiredValue(ruleset).Split('@', 2);
            using var api = host.Client(parsed);
            var ids = (parsed.GetValue(markets) ?? [], parsed.GetValue(all), parsed.GetValue(template)) switch
            {
                ({ Length: > 0 } given, false, null) => given,
                ({ Length: 0 }, var every, var mould) when every != mould is not null => await UnfinishedAsync(api, mould, cancellationToken).ConfigureAwait(false),
                _ => throw new EnvironmentException("Give one of --market ID, --template T and --all."),
            };
            return await SendAsync(
                parsed, api, ids, "ruleset", new { name = named[0], version = named.Length > 1 ? named[1] : null, reason = parsed.GetRequiredValue(reason) },
                parsed.GetValue(json), cancellationToken).ConfigureAwait(false);
        });
        return activate;
    }

    public static Command RollBack()
    {
        var (markets, reason, json, host) = (Market(), Reason(), LedgerOptions.Json(), new HostConnection());
        markets.Required = true;
        var back = new Command("rollback", "Puts markets back under the rule set that they had before.") { markets, reason, json };
        host.AddTo(back);
        back.SetAction(async (parsed, cancellationToken) =>
        {
            using var api = host.Client(parsed);
            return await SendAsync(
                parsed, api, parsed.GetRequiredValue(markets), "ruleset/rollback", new { reason = parsed.GetRequiredValue(reason) }, parsed.GetValue(json),
                cancellationToken).ConfigureAwait(false);
        });
        return back;
    }

    private static Option<string[]> Market() => new("--market") { Description = "A market; may be given again." };

    private static Option<string> Reason() => new("--reason") { Description = "Why; kept in the ledger.", Required = true };

    private static async Task<int> SendAsync(
        ParseResult parsed, ApiClient api, IReadOnlyList<string> markets, string route, object body, bool json, CancellationToken cancellationToken)
    {
        var (output, refused, changed, lines) = (parsed.InvocationConfiguration.Output, 0, 0, new List<JsonObject>());
        var run = Guid.CreateVersion7();
        foreach (var market in markets)
        {
            var answer = await api.PostAsync($"/v2/markets/{Uri.EscapeDataString(market)}/{route}", $"cli:{run:N}:{lines.Count}", body, cancellationToken).ConfigureAwait(false);
            lines.Add(answer.Body);
            refused += answer.IsOk ? 0 : 1;
            changed += answer.IsOk && answer.Body["changed"]?.GetValue<bool>() == true ? 1 : 0;
            if (!json)
            {
                await output.WriteLineAsync(!answer.IsOk ? $"refused  {market}: {answer.Code}: {answer.Text("detail")}"
                    : $"{(answer.Body["changed"]!.GetValue<bool>() ? "now" : "already"),-8} {market}: {answer.Text("name")} {answer.Text("version")} {answer.Text("policyHash")[..12]} (position {answer.Number("position")})").ConfigureAwait(false);
            }
        }

        await output.WriteLineAsync(json
            ? JsonSerializer.Serialize(new { markets = markets.Count, changed, already = markets.Count - changed - refused, refused, items = lines }, Importing.ImportReport.Json)
            : $"{markets.Count} markets: {changed} changed, {markets.Count - changed - refused} already so, {refused} refused").ConfigureAwait(false);
        return refused == 0 ? 0 : 1;
    }

    private static async Task<IReadOnlyList<string>> UnfinishedAsync(ApiClient api, string? template, CancellationToken cancellationToken)
    {
        var found = new List<string>();
        foreach (var status in Unfinished)
        {
            for (var cursor = ""; ;)
            {
                var answer = await api.GetAsync(
                    $"/v2/markets?status={status}&limit=1000{(template is null ? "" : $"&template={Uri.EscapeDataString(template)}")}{(cursor.Length == 0 ? "" : $"&cursor={cursor}")}",
                    cancellationToken).ConfigureAwait(false);
                if (!answer.IsOk)
                {
                    throw new EnvironmentException($"{answer.Code}: {answer.Text("detail")}");
                }

                found.AddRange(answer.Body["items"]!.AsArray().Select(item => (string)item!["id"]!));
                if ((cursor = answer.Text("nextCursor")).Length == 0)
                {
                    break;
                }
            }
        }

        return found;
    }
}
