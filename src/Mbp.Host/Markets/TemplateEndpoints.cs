using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using Mbp.Host.Platform;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;

namespace Mbp.Host.Markets;

internal static class TemplateEndpoints
{
    private const int LongestWindowMinutes = 3650 * 24 * 60;

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/templates", ListAsync).WithName("listTemplates").WithSummary("The templates that markets are made from");
        v2.MapPost("/templates", PublishAsync).OperatorsOnly().WithName("publishTemplate").WithSummary("Publish a template, or its next version");
    }

    public static Operation Publish(Template template) =>
        Operation.On(TemplateDecider.Decider, TemplateEntry.Fold.Of(Template.StreamOf(template.Id)), at => new PublishTemplate(template, at));

    public static Operation Seed(Template template) =>
        Operation.On(TemplateDecider.Decider, TemplateEntry.Fold.Of(Template.StreamOf(template.Id)), at => new SeedTemplate(template, at));

    private static async Task<Results<Ok<TemplateListResponse>, ProblemHttpResult>> ListAsync(
        HttpContext http, Reads reads, CancellationToken cancellationToken)
    {
        var (view, problem) = await reads.NowAsync(http.Request, cancellationToken);
        return problem is not null
            ? problem
            : TypedResults.Ok(new TemplateListResponse([.. view.Templates.Values.Select(Item)], NextCursor: null, view.Position));
    }

    private static async Task<Results<Ok<TemplatePublishedResponse>, ProblemHttpResult>> PublishAsync(
        PublishTemplateRequest request, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var id = fields.Id("id", request.Id);
        var name = fields.Text("name", request.Name, longest: 120);
        var category = fields.Text("category", request.Category, longest: 60);
        var kind = fields.OneOf("kind", request.Kind, "binary", "scalar", "categorical");
        var source = fields.OneOf("truthSource", request.TruthSource ?? "manual", "table", "manual", "endpoint");
        var liquidity = fields.Credits("minLiquidity", request.MinLiquidity ?? "100");
        if (request.TradingWindowMinutes is < 1 or > LongestWindowMinutes)
        {
            fields.Fail("tradingWindowMinutes", $"Is 1 to {LongestWindowMinutes}.");
        }

        if (request.ResolutionWindowMinutes is < 1 or > LongestWindowMinutes)
        {
            fields.Fail("resolutionWindowMinutes", $"Is 1 to {LongestWindowMinutes}.");
        }

        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var template = new Template(
            id, Version: 0, name, category, Enum.Parse<MarketKind>(kind, ignoreCase: true), Enum.Parse<TruthSource>(source, ignoreCase: true), liquidity,
            request.FeePpm ?? 5_000, request.MaxFeePpm ?? 100_000, Duration.FromMinutes(request.TradingWindowMinutes ?? 30 * 24 * 60),
            Duration.FromMinutes(request.ResolutionWindowMinutes ?? 24 * 60), request.MinQuestion ?? 3, request.MaxQuestion ?? 300,
            request.MaxOutcomes ?? (kind == "categorical" ? MostOutcomes : 2));
        var outcome = await commands.SendAsync(http, Publish(template), request, cancellationToken);
        if (outcome.Rejection is { } rejection)
        {
            return Problems.From(rejection);
        }

        // Published like this before: the version that there is.
        var version = outcome.Find<TemplatePublished>()?.Template.Version
            ?? (await live.AtLeastAsync(outcome.Position, TimeSpan.FromSeconds(5), cancellationToken)).Templates[id].Version;
        return TypedResults.Ok(new TemplatePublishedResponse(id, version, outcome.Position, commands.ReceiptOf(outcome)));
    }

    private const int MostOutcomes = 16;

    private static TemplateItem Item(Template t) => new(
        t.Id, t.Version, t.Name, t.Category, Words.Of(t.Kind), Words.Of(t.TruthSource), t.MinLiquidity.ToString(), t.FeePpm, t.MaxFeePpm,
        (long)t.TradingWindow.TotalMinutes, (long)t.ResolutionWindow.TotalMinutes, t.MinQuestion, t.MaxQuestion, t.MaxOutcomes);
}
