using System.Text.Json;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Writing;
using Mbp.Policies;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Governance;

/// <summary>Rule sets as data (C20): what was published, and publishing. What a market does with them is in <see cref="MarketRulesetEndpoints"/>.</summary>
internal static class RulesetEndpoints
{
    // A note is some hundred bytes, and one by several keys some more.
    private const int LongestSignature = 10_000;

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/rulesets", ListAsync).WithName("listRulesets").WithSummary("The rule sets that markets are decided by");
        v2.MapGet("/rulesets/{name}", NewestAsync).WithName("getRuleset").WithSummary("The newest version of a rule set");
        v2.MapGet("/rulesets/{name}/versions/{version}", VersionAsync).WithName("getRulesetVersion").WithSummary("A version of a rule set");
        v2.MapPost("/rulesets", PublishAsync).OperatorsOnly().WithName("publishRuleset").WithSummary("Publish a signed version of a rule set");
    }

    /// <summary>Publishes what the host came with, where that version is not there yet.</summary>
    public static Operation Seed(Policy policy, string signature) => Operation.On(RulesetDecider.Decider, Library(policy), at => new SeedRuleset(policy, signature, at));

    private static StateRef<RulesetLibrary> Library(Policy policy) => RulesetLibrary.Fold.Of(RulesetLibrary.StreamOf(policy.Rules.Name));

    private static async Task<Results<Ok<RulesetListResponse>, ProblemHttpResult>> ListAsync(HttpContext http, Reads reads, CancellationToken cancellationToken)
    {
        var (view, problem) = await reads.NowAsync(http.Request, cancellationToken);
        return problem is not null
            ? problem
            : TypedResults.Ok(new RulesetListResponse(
                [.. view.Rulesets.Select(pair => new RulesetItem(pair.Key, pair.Value.Newest!.Rules.Version, Versions(pair.Value)))], NextCursor: null, view.Position));
    }

    private static Task<Results<Ok<RulesetResponse>, ProblemHttpResult>> NewestAsync(
        string name, HttpContext http, Reads reads, IEventStore store, EventCatalog catalog, CancellationToken cancellationToken) =>
        GetAsync(name, version: null, http, reads, store, catalog, cancellationToken);

    private static Task<Results<Ok<RulesetResponse>, ProblemHttpResult>> VersionAsync(
        string name, string version, HttpContext http, Reads reads, IEventStore store, EventCatalog catalog, CancellationToken cancellationToken) =>
        GetAsync(name, version, http, reads, store, catalog, cancellationToken);

    private static async Task<Results<Ok<RulesetResponse>, ProblemHttpResult>> GetAsync(
        string name, string? version, HttpContext http, Reads reads, IEventStore store, EventCatalog catalog, CancellationToken cancellationToken)
    {
        var (view, problem) = await reads.NowAsync(http.Request, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        if (view.Rulesets.GetValueOrDefault(name) is not { } library || library.Find(version) is not { } policy)
        {
            return Problems.From(RulesetErrors.NotFound);
        }

        // The signature is for who looks at it, and no decision reads it: it is in no state, but in the event.
        await foreach (var stored in store.ReadStreamAsync(RulesetLibrary.StreamOf(name), 0, cancellationToken))
        {
            if (catalog.Decode(stored).Data is RulesetPublished e && e.Policy == policy)
            {
                using var rules = JsonDocument.Parse(policy.Text);
                return TypedResults.Ok(new RulesetResponse(
                    name, e.Version, e.PolicyHash, rules.RootElement.Clone(), policy.Text, e.Signature, MarketPage.Text(e.At), stored.Position,
                    library.Newest!.Rules.Version, Versions(library), view.Position));
            }
        }

        throw new InvalidOperationException($"{policy} is known, and its event is not there.");
    }

    private static async Task<Results<Ok<RulesetPublishedResponse>, ProblemHttpResult>> PublishAsync(
        PublishRulesetRequest request, HttpContext http, Commands commands, Database database, CancellationToken cancellationToken)
    {
        if (request.Yaml is not { Length: > 0 } yaml)
        {
            return Problems.Make(400, "request.invalid", "yaml: Is required.", new FieldError("yaml", "Is required: the content of the rule set's file."));
        }

        var reading = PolicyFile.Read(yaml);
        if (reading.Policy is not { } policy)
        {
            var faults = reading.Faults;
            return Problems.Make(
                400, "rulesets.invalid", string.Join("; ", faults), [.. faults.Select(fault => new FieldError(fault.Field, $"line {fault.Line}: {fault.Rule}"))]);
        }

        var refused = request.Signature?.Length > LongestSignature
            ? RulesetErrors.SignatureInvalid($"it has more than {LongestSignature} characters")
            : RulesetNote.Of(policy).WhyNot(request.Signature, await database.Log.InForceAsync(cancellationToken));
        if (refused is not null)
        {
            return Problems.From(refused);
        }

        var outcome = await commands.SendAsync(
            http, Operation.On(RulesetDecider.Decider, Library(policy), at => new PublishRuleset(policy, request.Signature!, at)), request, cancellationToken);
        return outcome.Rejection is { } rejection
            ? Problems.From(rejection)
            : TypedResults.Ok(new RulesetPublishedResponse(policy.Rules.Name, policy.Rules.Version, policy.Hash, outcome.Position, commands.ReceiptOf(outcome)));
    }

    private static List<RulesetVersionItem> Versions(RulesetLibrary library) => [.. library.Versions.Select(policy => new RulesetVersionItem(policy.Rules.Version, policy.Hash))];
}
