using System.CommandLine;
using System.Text.Json;
using Mbp.Cli.Api;
using Mbp.Cli.Files;
using Mbp.Domain.Units;

namespace Mbp.Cli.Markets;

/// <summary><c>mbp market create TEMPLATE "Question"</c> and <c>mbp market preview ...</c> (C1, C2).</summary>
internal static class MarketVerb
{
    /// <summary>The platform's own account.</summary>
    private const string House = "house";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create() => new("market", "Makes markets from templates.")
    {
        Verb("create", "Creates a market from a template.", "/v2/markets"),
        Verb("preview", "Shows what the market would be; writes nothing.", "/v2/markets/preview"),
        DiagramVerb.Create(),
    };

    private static Command Verb(string name, string description, string path)
    {
        var template = new Argument<string>("template") { Description = "Such as TPL-YESNO-01." };
        var question = new Argument<string>("question") { Description = "What is asked." };
        var account = new Option<string?>("--account") { Description = "Who opens the pool and holds the credits for it. By default the platform's own account, house, which is given what it lacks." };
        var liquidity = new Option<string>("--liquidity") { Description = "CE$ for the pool.", DefaultValueFactory = _ => "12500" };
        var probability = new Option<string?>("--probability") { Description = "The first outcome's opening price." };
        var closesAt = new Option<string?>("--closes-at") { Description = "UTC instant; the template's default otherwise." };
        var ruleset = new Option<string?>("--ruleset") { Description = "default or replay." };
        var parameters = new Option<string[]>("--param") { Description = "A parameter of the template, as key=value; may be given again." };
        var host = new HostConnection();
        var command = new Command(name, description) { template, question, account, liquidity, probability, closesAt, ruleset, parameters };
        host.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var given = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var pair in parsed.GetValue(parameters) ?? [])
            {
                var at = pair.IndexOf('=', StringComparison.Ordinal);
                given[at > 0 ? pair[..at] : throw new EnvironmentException($"--param takes key=value, not '{pair}'.")] = pair[(at + 1)..];
            }

            using var api = host.Client(parsed);
            var key = $"cli:{Guid.CreateVersion7():N}";
            var payer = parsed.GetValue(account);
            if (payer is null && name == "create")
            {
                await FundHouseAsync(api, key, parsed.GetValue(liquidity)!, cancellationToken).ConfigureAwait(false);
            }

            var body = new Dictionary<string, object?>
            {
                ["template"] = parsed.GetRequiredValue(template), ["question"] = parsed.GetRequiredValue(question), ["account"] = payer ?? House,
                ["liquidity"] = parsed.GetValue(liquidity), ["probability"] = parsed.GetValue(probability), ["closesAt"] = parsed.GetValue(closesAt),
                ["ruleset"] = parsed.GetValue(ruleset), ["params"] = given.Count == 0 ? null : given,
            };
            var answer = await api.PostAsync(path, key, body, cancellationToken).ConfigureAwait(false);
            await parsed.InvocationConfiguration.Output.WriteLineAsync(answer.Body.ToJsonString(Indented)).ConfigureAwait(false);
            return answer.IsOk ? 0 : 1;
        });
        return command;
    }

    /// <summary>The platform's own account provides the first liquidity of its markets; it is granted what it lacks, and that is said.</summary>
    private static async Task FundHouseAsync(ApiClient api, string key, string liquidity, CancellationToken cancellationToken)
    {
        if (!Credits.TryParse(liquidity, out var needed, out var rule))
        {
            throw new EnvironmentException($"--liquidity: {rule}");
        }

        await api.PostAsync("/v2/accounts", $"{key}:account", new { id = House }, cancellationToken).ConfigureAwait(false);
        var answer = await api.GetAsync($"/v2/accounts/{House}", cancellationToken).ConfigureAwait(false);
        var held = Credits.TryParse(answer.Text("balance"), out var balance, out _) ? balance : Credits.Zero;
        if (held >= needed)
        {
            return;
        }

        var amount = (needed - held).ToString();
        await api.PostAsync($"/v2/accounts/{House}/credits", $"{key}:grant", new { amount, reason = "first liquidity of a market" }, cancellationToken).ConfigureAwait(false);
        await Console.Error.WriteLineAsync($"granted {amount} CE$ to {House} for the pool").ConfigureAwait(false);
    }
}
