using System.Text.Json.Serialization;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Markets;

/// <summary>A mould for markets (C1): what kind, which truth source, and the bounds that every market made from it keeps.</summary>
/// <param name="Id">Such as <c>TPL-YESNO-01</c>.</param>
/// <param name="Version">1, 2, 3, ...; a market remembers the version that it was made from.</param>
/// <param name="Name">For people.</param>
/// <param name="Category">Which part of the catalogue.</param>
/// <param name="Kind">Shape of the outcomes.</param>
/// <param name="TruthSource">Who says what came true, unless the market's parameters choose another.</param>
/// <param name="MinLiquidity">Least first liquidity, CE$.</param>
/// <param name="FeePpm">Trading fee unless a parameter says otherwise, parts per million.</param>
/// <param name="MaxFeePpm">Highest fee that a parameter may ask for.</param>
/// <param name="TradingWindow">How long a market trades when no closing time is given.</param>
/// <param name="ResolutionWindow">How long after its close a market may take to resolve.</param>
/// <param name="MinQuestion">Fewest characters of a question.</param>
/// <param name="MaxQuestion">Most characters of a question.</param>
/// <param name="MaxOutcomes">Most outcomes (categorical only).</param>
public sealed record Template(
    string Id,
    int Version,
    string Name,
    string Category,
    MarketKind Kind,
    TruthSource TruthSource,
    Credits MinLiquidity,
    int FeePpm,
    int MaxFeePpm,
    Duration TradingWindow,
    Duration ResolutionWindow,
    int MinQuestion,
    int MaxQuestion,
    int MaxOutcomes)
{
    public static StreamId StreamOf(string id) => StreamId.Of("template", id);
}

public abstract record TemplateEvent;

public sealed record TemplatePublished(Template Template, Instant At) : TemplateEvent;

public abstract record TemplateCommand;

/// <summary>Publishes a template, or the next version of one.</summary>
public sealed record PublishTemplate(Template Template, Instant At) : TemplateCommand;

/// <summary>Publishes a built-in template where there is none of its id; what operators published since is theirs.</summary>
public sealed record SeedTemplate(Template Template, Instant At) : TemplateCommand;

/// <summary>What is known of one template: its newest version.</summary>
[JsonDerivedType(typeof(Unknown), "unknown")]
[JsonDerivedType(typeof(Published), "published")]
public abstract record TemplateEntry
{
    private TemplateEntry()
    {
    }

    public static TemplateEntry Initial { get; } = new Unknown();

    public static readonly Fold<TemplateEntry> Fold = new(
        "template", 1, Initial, (entry, @event) => @event is TemplateEvent e ? Evolve(entry, e) : entry);

    public sealed record Unknown : TemplateEntry;

    public sealed record Published(Template Template) : TemplateEntry;

    public static TemplateEntry Evolve(TemplateEntry entry, TemplateEvent @event) => (entry, @event) switch
    {
        (_, TemplatePublished e) => new Published(e.Template),
        _ => throw new InvalidOperationException($"{@event.GetType().Name} cannot follow {entry.GetType().Name}."),
    };
}

public static class TemplateDecider
{
    public static readonly Decider<TemplateCommand, TemplateEvent, TemplateEntry> Decider = new(TemplateEntry.Initial, Decide, TemplateEntry.Evolve);

    private static Decision<TemplateEvent> Decide(TemplateCommand command, TemplateEntry entry) => (command, entry) switch
    {
        (SeedTemplate, TemplateEntry.Published) => [],
        (SeedTemplate c, _) => [new TemplatePublished(c.Template with { Version = 1 }, c.At)],

        (PublishTemplate c, TemplateEntry.Published p) when p.Template == c.Template with { Version = p.Template.Version } => [],
        (PublishTemplate c, _) when TemplateErrors.WhyInvalid(c.Template) is { } why => why,
        (PublishTemplate c, TemplateEntry.Published p) => [new TemplatePublished(c.Template with { Version = p.Template.Version + 1 }, c.At)],
        (PublishTemplate c, _) => [new TemplatePublished(c.Template with { Version = 1 }, c.At)],
        _ => throw new InvalidOperationException($"{command.GetType().Name} has no decision."),
    };
}

public static class TemplateErrors
{
    public static readonly Rejection NotFound = new(RejectionKind.NotFound, "templates.not_found", "There is no such template.", "template");

    public static Rejection? WhyInvalid(Template template) => template switch
    {
        { Name.Length: < 3 or > 120 } => Invalid("name", "has 3 to 120 characters"),
        { Category.Length: < 1 or > 60 } => Invalid("category", "has 1 to 60 characters"),
        { TruthSource: TruthSource.Endpoint } => Invalid("truthSource", "'endpoint' is not available yet; use 'manual' or 'table'"),
        { FeePpm: < 0 } => Invalid("feePpm", "is not negative"),
        _ when template.FeePpm > template.MaxFeePpm || template.MaxFeePpm > 100_000 => Invalid("feePpm", "is at most maxFeePpm, which is at most 100000 (10 %)"),
        _ when template.TradingWindow < Duration.FromMinutes(1) || template.TradingWindow > Duration.FromDays(3650) => Invalid("tradingWindow", "is 1 minute to 10 years"),
        _ when template.ResolutionWindow < Duration.FromMinutes(1) || template.ResolutionWindow > Duration.FromDays(30) => Invalid("resolutionWindow", "is 1 minute to 30 days"),
        _ when template.MinQuestion < 1 || template.MaxQuestion < template.MinQuestion || template.MaxQuestion > 1000 => Invalid("maxQuestion", "is at least minQuestion and at most 1000"),
        { MaxOutcomes: < 2 or > 16 } => Invalid("maxOutcomes", "is 2 to 16"),
        _ => null,
    };

    private static Rejection Invalid(string field, string rule) => new(RejectionKind.Invalid, "templates.invalid", $"{field} {rule}.", field);
}
