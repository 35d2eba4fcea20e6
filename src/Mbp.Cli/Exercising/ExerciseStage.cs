using System.Globalization;
using System.Text.Json.Nodes;
using Mbp.Cli.Anchoring;
using Mbp.Cli.Api;
using Mbp.Cli.Auditing;
using Mbp.Cli.Files;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Policies;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Cli.Exercising;

/// <summary>A real host with a clock that can be set forward, as an exercise acts on it: over HTTP, with an operator's keys.</summary>
internal sealed class ExerciseStage(Uri host, string data, string? postgres) : IDisposable
{
    private const string House = "exercise-house";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ApiClient _api = new(host, File.ReadAllText(Path.Combine(data, "api-key")).Trim(), Patience);
    private readonly HashSet<string> _accounts = [];

    public void Dispose() => _api.Dispose();

    public async Task<Instant> NowAsync(CancellationToken cancellationToken) => Time((await _api.GetAsync("/v2/test/clock", cancellationToken).ConfigureAwait(false)) is { IsOk: true } answer
        ? answer.Text("now")
        : throw new EnvironmentException($"{host} has no test clock: start it with --ephemeral --test-clock."));

    /// <summary>Sets the clock to an instant; every tick up to it is judged when this returns.</summary>
    public async Task SetAsync(Instant to, CancellationToken cancellationToken)
    {
        // Time goes on by itself: it may be there already.
        var now = await NowAsync(cancellationToken).ConfigureAwait(false);
        Must(await PostAsync("/v2/test/clock", new { to = InstantPattern.ExtendedIso.Format(Instant.Max(to, now + Duration.FromMilliseconds(100))) }, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Goes on, a tick at a time, until something is so or an instant has come.</summary>
    public async Task<bool> UntilAsync(Instant end, Func<Task<bool>> isSo, CancellationToken cancellationToken)
    {
        for (var at = await NowAsync(cancellationToken).ConfigureAwait(false); ; at += Duration.FromSeconds(30))
        {
            if (await isSo().ConfigureAwait(false))
            {
                return true;
            }

            if (at >= end)
            {
                return false;
            }

            await SetAsync(Instant.Min(at + Duration.FromSeconds(30), end), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The next multiple of a duration, and a few seconds.</summary>
    public static Instant NextAfter(Instant at, Duration every, Duration more)
    {
        var length = every.BclCompatibleTicks;
        return Instant.FromUnixTimeTicks(((at.ToUnixTimeTicks() / length) + 1) * length) + more;
    }

    /// <summary>Publishes <c>default</c> without some of its fields, so that an exercise can be seen to fail.</summary>
    /// <returns>Its name.</returns>
    public async Task<string> WithoutAsync(string field, CancellationToken cancellationToken)
    {
        var name = $"exercise-without-{field.Replace('_', '-').Replace('.', '-')}";
        var yaml = YamlText.Without(BuiltInPolicies.Yaml(BuiltInPolicies.Default), field)
            .Replace("name: default\n", $"name: {name}\n", StringComparison.Ordinal);
        var reading = PolicyFile.Read(yaml);
        var policy = reading.Policy ?? throw new InvalidOperationException($"default without {field} is no rule set: {string.Join("; ", reading.Faults)}");
        await using var database = await LedgerAccess.OpenAsync(data, postgres, cancellationToken).ConfigureAwait(false);
        await using var log = await AnchorVerb.LogAsync(database, data, cancellationToken).ConfigureAwait(false);
        var signer = await log.SignerAsync(cancellationToken).ConfigureAwait(false) ?? throw new EnvironmentException($"The key of {log.Origin} is not in {data}.");
        Must(await PostAsync("/v2/rulesets", new { yaml, signature = RulesetNote.Of(policy).Sign(signer) }, cancellationToken).ConfigureAwait(false));
        return name;
    }

    public async Task AccountAsync(string id, string amount, CancellationToken cancellationToken)
    {
        if (_accounts.Add(id))
        {
            // It may be there from an earlier run on the same host.
            await PostAsync("/v2/accounts", new { id }, cancellationToken).ConfigureAwait(false);
            Must(await PostAsync($"/v2/accounts/{id}/credits", new { amount, reason = "exercise" }, cancellationToken).ConfigureAwait(false));
        }
    }

    public async Task<string> MarketAsync(string question, string ruleset, string liquidity, CancellationToken cancellationToken)
    {
        await AccountAsync(House, "100000000", cancellationToken).ConfigureAwait(false);
        var id = Must(await PostAsync(
            "/v2/markets", new { template = "TPL-YESNO-01", question, account = House, liquidity, probability = "0.5", ruleset }, cancellationToken).ConfigureAwait(false)).Text("id");
        // A market gets the newest version that the ledger has; the exercise is for the one that this program was built with.
        Must(await PostAsync(
            $"/v2/markets/{id}/ruleset", new { name = ruleset, version = BuiltInPolicies.Default.Rules.Version, reason = "exercise" }, cancellationToken).ConfigureAwait(false));
        return id;
    }

    public async Task<ApiAnswer> BuyAsync(string market, string account, string amount, CancellationToken cancellationToken) =>
        await PostAsync($"/v2/markets/{market}/trades", new { side = "buy", outcome = "YES", amount, account }, cancellationToken).ConfigureAwait(false);

    public Task<ApiAnswer> PostAsync(string path, object body, CancellationToken cancellationToken) => _api.PostAsync(path, Guid.CreateVersion7().ToString("N"), body, cancellationToken);

    public async Task<ApiAnswer> GetAsync(string path, CancellationToken cancellationToken) => Must(await _api.GetAsync(path, cancellationToken).ConfigureAwait(false));

    /// <summary>What the market shows of its halt, and the event behind it.</summary>
    public async Task<Observation> ObserveAsync(string market, CancellationToken cancellationToken)
    {
        var page = (await GetAsync($"/v2/markets/{market}", cancellationToken).ConfigureAwait(false)).Body;
        var position = page["position"]!.GetValue<long>();
        var items = (await GetAsync(string.Create(CultureInfo.InvariantCulture, $"/v2/markets/{market}/halts?min_position={position}"), cancellationToken).ConfigureAwait(false)).Body["items"]!.AsArray();
        var halt = page["halt"] as JsonObject;
        var hook = halt?["hook"] as JsonObject;
        return new Observation(
            Text(page, "status"), Text(page, "haltLevel"), Text(halt, "rule"), Text(hook, "action"), Text(hook, "notify"), Text(hook, "route"), Text(page, "policyHash"),
            items.Count > 0 ? items[0]!.DeepClone().AsObject() : null);
    }

    public static ApiAnswer Must(ApiAnswer answer) => answer.IsOk ? answer : throw new EnvironmentException($"The host refused a step of the exercise: {answer.Status} {answer.Body.ToJsonString()}");

    private static string? Text(JsonObject? from, string field) => from?[field]?.ToString();

    private static Instant Time(string text) => InstantPattern.ExtendedIso.Parse(text).Value;
}

/// <summary>What an exercise saw.</summary>
/// <param name="Status">The market's published status.</param>
/// <param name="HaltLevel">Its halt level.</param>
/// <param name="Rule">The rule that halted it.</param>
/// <param name="Action">What the decision hook does.</param>
/// <param name="Notify">Whom it tells.</param>
/// <param name="Route">Where it sends the market.</param>
/// <param name="PolicyHash">The rule set in force.</param>
/// <param name="Event">The newest halt in the ledger, with position and evidence.</param>
internal sealed record Observation(
    string? Status, string? HaltLevel, string? Rule, string? Action, string? Notify, string? Route, string? PolicyHash, JsonObject? Event);

/// <summary>Cuts a field out of YAML as people write it here: two spaces a level, no flow style.</summary>
internal static class YamlText
{
    public static string Without(string yaml, string field)
    {
        var names = field.Split('.');
        var (depth, kept, cut) = (0, new List<string>(), -1);
        foreach (var line in yaml.Split('\n'))
        {
            var indent = line.Length - line.TrimStart(' ').Length;
            var isBlank = line.Trim().Length == 0 || line.TrimStart().StartsWith('#');
            if (cut >= 0 && !isBlank && indent <= cut)
            {
                cut = -1;
            }

            if (cut < 0 && !isBlank && depth < names.Length && indent == depth * 2 && line.TrimStart().StartsWith($"{names[depth]}:", StringComparison.Ordinal))
            {
                depth++;
                cut = depth == names.Length ? indent : -1;
            }

            if (cut < 0)
            {
                kept.Add(line);
            }
        }

        return depth == names.Length ? string.Join('\n', kept) : throw new InvalidOperationException($"There is no {field} in the rule set.");
    }
}
