using System.Text.Json;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Pricing;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Host.Platform;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;

namespace Mbp.Host.Markets;

/// <summary>Creating a market by template (C1), and trying it out first.</summary>
internal static class CreateMarketEndpoints
{
    private const int MostOutcomes = 16;
    private const int MostParameters = 20;

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapPost("/markets", CreateAsync).OperatorsOnly().WithName("createMarket").WithSummary("Create a market from a template");
        v2.MapPost("/markets/preview", PreviewAsync).OperatorsOnly().WithName("previewMarket").WithSummary("What a market would be, with nothing written");
    }

    private static async Task<Results<Ok<MarketCreatedResponse>, ProblemHttpResult>> CreateAsync(
        CreateMarketRequest request, HttpContext http, Commands commands, MbpOptions options, CancellationToken cancellationToken)
    {
        var (command, problem) = Read(request, options);
        if (problem is not null)
        {
            return problem;
        }

        // Parameters in another order are the same command.
        var ordered = request with { Params = request.Params?.OrderBy(p => p.Key, StringComparer.Ordinal).ToDictionary() };
        var outcome = await commands.SendAsync(http, CreateMarketOperation.Of(request.Template!, command!), ordered, cancellationToken);
        return outcome.Rejection is { } rejection
            ? Problems.From(rejection)
            // Of a repeated request, the id that the first one made.
            : TypedResults.Ok(new MarketCreatedResponse(outcome.Find<MarketCreated>()!.MarketId.Value, outcome.Position, commands.ReceiptOf(outcome)));
    }

    private static Results<Ok<MarketPreviewResponse>, ProblemHttpResult> PreviewAsync(
        CreateMarketRequest request, LiveLedger live, MbpOptions options, IClock clock)
    {
        var (command, problem) = Read(request, options);
        if (problem is not null)
        {
            return problem;
        }

        var sample = command!(clock.GetCurrentInstant());
        var view = live.Present;
        var template = view.Templates.TryGetValue(request.Template!, out var known) ? new TemplateEntry.Published(known) : TemplateEntry.Initial;
        // What the market would be does not depend on who has the credits yet; whether the account has them is a field of the answer.
        var funded = new Account.Open(sample.Liquidity, []);
        var decision = CreateMarketDecider.Decide(
            sample, template, view.Rulesets.GetValueOrDefault(sample.Ruleset) ?? RulesetLibrary.Fold.Initial, view.Find(sample.MarketId)?.Market ?? Market.Initial, Pool.Fold.Initial, funded);
        if (decision.Rejection is { } rejection)
        {
            return Problems.From(rejection);
        }

        var created = decision.Events.Select(e => e.Event).OfType<MarketCreated>().Single();
        var opened = decision.Events.Select(e => e.Event).OfType<LiquidityAdded>().Single();
        var depth = Depth.Of(opened.Kept.AsSpan(), 0);
        return TypedResults.Ok(new MarketPreviewResponse(
            request.Template!, known!.Version, created.Question, [.. created.Outcomes], [.. opened.Prices.Select(p => p.ToString())],
            [.. opened.Kept.Select(r => r.ToString())], [.. opened.Back.Select(b => b.ToString())], created.FeePpm, created.Ruleset,
            MarketPage.Text(created.ClosesAt), MarketPage.Text(created.ResolutionDeadline), depth.Shares.ToString(), depth.Cash.ToString(),
            view.Find(sample.Account) is Account.Open { Balance: var balance } && balance >= sample.Liquidity));
    }

    private static (Func<Instant, CreateMarket>? Command, ProblemHttpResult? Problem) Read(CreateMarketRequest request, MbpOptions options)
    {
        if (!options.IsOn("mbp.create.by_template"))
        {
            return (null, Problems.From(MarketErrors.ByTemplateDisabled));
        }

        var fields = new Fields();
        fields.Id("template", request.Template);
        var question = fields.Text("question", request.Question, longest: 1_000);
        var account = fields.Account("account", request.Account);
        var liquidity = fields.Credits("liquidity", request.Liquidity);
        var closesAt = fields.OptionalInstant("closesAt", request.ClosesAt);
        var probabilities = Probabilities(fields, request);
        var parameters = Parameters(fields, request.Params);
        var id = request.Id is null ? new MarketId($"m{Guid.CreateVersion7():N}") : fields.Market("id", request.Id);
        var ruleset = fields.Id("ruleset", request.Ruleset ?? RulesetLibrary.DefaultName);
        return fields.Problem() is { } problem
            ? (null, problem)
            : (at => new CreateMarket(id, question, account, liquidity, probabilities, closesAt, parameters, ruleset, at), null);
    }

    private static EquatableArray<Price> Probabilities(Fields fields, CreateMarketRequest request)
    {
        if (request.Probabilities is { } several)
        {
            fields.Absent("probability", request.Probability, "probabilities");
            if (several.Count is < 2 or > MostOutcomes)
            {
                fields.Fail("probabilities", $"Has 2 to {MostOutcomes} entries.");
                return [];
            }

            return [.. several.Select((p, i) => fields.Price($"probabilities[{i}]", p))];
        }

        if (request.Probability is null)
        {
            return [];
        }

        var first = fields.Price("probability", request.Probability);
        if (first.Units is <= 0 or >= Decimal8.One)
        {
            fields.Fail("probability", "Is between 0 and 1.");
            return [];
        }

        return [first, Price.FromUnits(Decimal8.One - first.Units)];
    }

    /// <summary>Parameters as text: a client may send a number or a list where it reads better.</summary>
    private static Dictionary<string, string> Parameters(Fields fields, Dictionary<string, JsonElement>? given)
    {
        var read = new Dictionary<string, string>(StringComparer.Ordinal);
        if (given?.Count > MostParameters)
        {
            fields.Fail("params", $"Has at most {MostParameters} entries.");
            return read;
        }

        foreach (var (name, value) in given ?? [])
        {
            switch (value.ValueKind)
            {
                case JsonValueKind.String:
                    read[name] = Text(fields, $"params.{name}", value, longest: 1_000);
                    break;
                case JsonValueKind.Number:
                    read[name] = value.GetRawText();
                    break;
                case JsonValueKind.Array when value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String):
                    var several = value.EnumerateArray().Select((v, i) => Text(fields, $"params.{name}[{i}]", v, longest: 100)).ToList();
                    read[name] = string.Join(',', several);
                    if (several.Any(text => text.Contains(',', StringComparison.Ordinal)))
                    {
                        fields.Fail($"params.{name}", "Is a list of strings without commas.");
                    }

                    break;
                default:
                    fields.Fail($"params.{name}", "Is a string, a number, or a list of strings without commas.");
                    break;
            }
        }

        return read;
    }

    // Half a surrogate pair passes the JSON reader here, because nobody has read the text yet.
    private static string Text(Fields fields, string field, JsonElement value, int longest)
    {
        try
        {
            return fields.Text(field, value.GetString(), longest);
        }
        catch (InvalidOperationException)
        {
            fields.Fail(field, "Has no control characters and is well-formed Unicode.");
            return "";
        }
    }
}
