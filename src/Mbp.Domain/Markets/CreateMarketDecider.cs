using System.Collections.Immutable;
using System.Globalization;
using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Markets;

/// <summary>A market from a template (C1): its terms are checked against the template, its pool is opened with the account's credits, all in one commit.</summary>
public static class CreateMarketDecider
{
    /// <summary>The reason of a market's first rule set.</summary>
    public const string Created = "created";

    private const int LongestUrl = 500;

    private static readonly Duration LongestTrading = Duration.FromDays(3650);

    public static Decision<StreamEvent> Decide(CreateMarket c, TemplateEntry template, RulesetLibrary rulesets, Market market, Pool pool, Account account)
    {
        ArgumentNullException.ThrowIfNull(c);
        if (template is not TemplateEntry.Published published)
        {
            return TemplateErrors.NotFound;
        }

        if (market is not Market.Unknown)
        {
            return MarketErrors.AlreadyExists;
        }

        if (account is not Account.Open open)
        {
            return AccountErrors.NotFound;
        }

        if (rulesets.Newest is not { } policy)
        {
            return MarketErrors.UnknownRuleset(c.Ruleset);
        }

        var terms = Terms(c, published.Template, policy, out var probabilities);
        if (terms.Rejection is { } invalid)
        {
            return invalid;
        }

        var created = (MarketCreated)terms.Events[0];
        var opening = LiquidityRules.OpenAt(
            Pool.Empty([.. created.Outcomes], created.FeePpm), c.Account, c.Liquidity, probabilities.AsSpan(), c.At);
        if (opening.Rejection is { } refused)
        {
            return refused;
        }

        var liquidity = TradeDecider.Post(new AddLiquidity(c.MarketId, c.Account, c.Liquidity, c.At), opening.Events, open);
        if (liquidity.Rejection is { } poor)
        {
            return poor;
        }

        if (RiskRules.OfOpening((LiquidityAdded)opening.Events[0], created.Kind, policy.Rules, Pool.Empty([.. created.Outcomes], created.FeePpm)) is { } ruled)
        {
            return ((Decision<StreamEvent>)ruled).Under(policy.Hash);
        }

        Decision<StreamEvent> made =
        [
            c.MarketId.Stream.With(created),
            c.MarketId.Stream.With(new MarketCreatedTemplate(
                published.Template.Id, published.Template.Version, c.Liquidity, probabilities, c.At)),
            c.MarketId.Stream.With(new RulesetActivated(policy.Rules.Name, policy.Rules.Version, policy.Hash, policy, Created, c.At)),
            .. liquidity.Events,
        ];
        return made.Under(policy.Hash);
    }

    /// <summary>Checks everything that depends on the template and the command alone.</summary>
    private static Decision<MarketEvent> Terms(CreateMarket c, Template template, Policy policy, out EquatableArray<Price> probabilities)
    {
        probabilities = [];
        var given = new Parameters(c.Parameters);
        if (WhyBadQuestion(c.Question, template) is { } question)
        {
            return MarketErrors.Invalid("question", question);
        }

        if (c.Liquidity < template.MinLiquidity)
        {
            return MarketErrors.Invalid("liquidity", $"is at least {template.MinLiquidity} CE$ for {template.Id}");
        }

        var closesAt = c.ClosesAt ?? c.At + template.TradingWindow;
        if (closesAt <= c.At || closesAt > c.At + LongestTrading)
        {
            return MarketErrors.Invalid("closesAt", "is in the future, and no more than 3650 days from now");
        }

        var outcomes = Outcomes(template, given, c.Probabilities.Count);
        var (lower, upper) = Bounds(template, given);
        var (source, reference) = Truth(template, given, c.MarketId, policy);
        var feePpm = given.Integer("feePpm", 0, template.MaxFeePpm) ?? template.FeePpm;
        var window = given.Integer("resolutionWindowMinutes", 1, (int)template.ResolutionWindow.TotalMinutes) is { } minutes
            ? Duration.FromMinutes(minutes)
            : template.ResolutionWindow;
        if (given.Problem() is { } problem)
        {
            return problem;
        }

        if (WhyBadProbabilities(c.Probabilities, outcomes.Count) is { } why)
        {
            return MarketErrors.Invalid(template.Kind == MarketKind.Categorical ? "probabilities" : "probability", why);
        }

        probabilities = c.Probabilities.Count == 0 ? Equal(outcomes.Count) : c.Probabilities;
        return [new MarketCreated(
            c.MarketId, c.Question, template.Category, template.Kind, outcomes, lower, upper, source, reference,
            closesAt, closesAt + window, feePpm, policy.Rules.Name, policy.Hash, c.Account, c.At)];
    }

    private static string? WhyBadQuestion(string question, Template template) =>
        question.Length < template.MinQuestion || question.Length > template.MaxQuestion
            ? $"has {template.MinQuestion} to {template.MaxQuestion} characters"
            : question.Any(char.IsControl) ? "has no control characters"
            : question.Trim().Length != question.Length ? "neither starts nor ends with white space" : null;

    private static EquatableArray<string> Outcomes(Template template, Parameters given, int probabilities) => template.Kind switch
    {
        MarketKind.Binary => ["YES", "NO"],
        MarketKind.Scalar => ["LONG", "SHORT"],
        MarketKind.Categorical => given.Names("outcomes", 2, template.MaxOutcomes, probabilities),
        _ => throw new InvalidOperationException($"{template.Kind} has no outcomes."),
    };

    private static (ScalarValue? Lower, ScalarValue? Upper) Bounds(Template template, Parameters given)
    {
        if (template.Kind != MarketKind.Scalar)
        {
            return (null, null);
        }

        var lower = given.Scalar("lower");
        var upper = given.Scalar("upper");
        if (lower is { } l && upper is { } u && u.Units <= l.Units)
        {
            given.Fail("params.upper", "is greater than params.lower");
        }

        return (lower, upper);
    }

    private static (TruthSource Source, string? Reference) Truth(Template template, Parameters given, MarketId market, Policy policy)
    {
        var source = given.Text("truthSource") switch
        {
            null => template.TruthSource,
            "manual" => TruthSource.Manual,
            "table" => TruthSource.Table,
            MarketTerms.OracleRef when policy.Rules.Oracle is null => given.Fail("params.truthSource", $"is not 'oracle' under rule set '{policy.Rules.Name}', which names no sources", template.TruthSource),
            MarketTerms.OracleRef => TruthSource.Endpoint,
            "endpoint" => TruthSource.Endpoint,
            _ => given.Fail("params.truthSource", "is 'manual', 'table', 'oracle' or 'endpoint'", template.TruthSource),
        };
        if (source == TruthSource.Endpoint)
        {
            return (source, given.Text("truthSource") == MarketTerms.OracleRef ? MarketTerms.OracleRef : Endpoint(given, policy));
        }

        if (source == TruthSource.Manual)
        {
            return (source, null);
        }

        var table = given.Text("truthTable");
        var key = given.Text("truthKey") ?? market.Value;
        if (!Identifier.IsValid(table))
        {
            given.Fail("params.truthTable", $"names the truth table: {Identifier.Rule}");
        }
        else if (!Identifier.IsValid(key))
        {
            given.Fail("params.truthKey", $"is {Identifier.Rule}");
        }

        return (source, $"{table}/{key}");
    }

    private static string? Endpoint(Parameters given, Policy policy)
    {
        var url = given.Text("truthUrl");
        var isPlain = url is { Length: <= LongestUrl } && Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri is { Scheme: "https", IsDefaultPort: true, UserInfo: "", Fragment: "" } && uri.AbsoluteUri == url;
        if (!isPlain)
        {
            given.Fail("params.truthUrl", $"is an https address of at most {LongestUrl} characters, in its usual spelling, without a port, a user or a fragment");
        }
        else if (policy.Rules.Endpoints?.Hosts.Any(pinned => pinned.Host == new Uri(url!).Host) != true)
        {
            given.Fail("params.truthUrl", $"is at a host that rule set '{policy.Rules.Name}' names");
        }

        return url;
    }

    private static string? WhyBadProbabilities(EquatableArray<Price> probabilities, int outcomes) =>
        probabilities.Count == 0 ? null
        : probabilities.Count != outcomes ? $"has one entry for each of the {outcomes} outcomes"
        : probabilities.Any(p => p.Units is < 1_000_000 or > 99_000_000) ? "is between 0.01 and 0.99"
        : probabilities.Sum(p => p.Units) != Decimal8.One ? "adds up to exactly 1" : null;

    private static EquatableArray<Price> Equal(int outcomes)
    {
        // What does not divide goes to the first outcomes, as prices do (D2).
        var (each, rest) = Math.DivRem(Decimal8.One, outcomes);
        return [.. Enumerable.Range(0, outcomes).Select(i => Price.FromUnits(each + (i < rest ? 1 : 0)))];
    }
}

/// <summary>A template's parameters as somebody gave them. Keeps the first fault; a parameter that nobody asked for is a fault too.</summary>
internal sealed class Parameters(IReadOnlyDictionary<string, string> given)
{
    private const int LongestName = 60;

    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
    private Rejection? _fault;

    public string? Text(string name)
    {
        _asked.Add(name);
        return given.GetValueOrDefault(name);
    }

    public int? Integer(string name, int min, int max)
    {
        if (Text(name) is not { } text)
        {
            return null;
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max)
        {
            return value;
        }

        Fail($"params.{name}", $"is a whole number from {min} to {max}");
        return null;
    }

    public ScalarValue? Scalar(string name)
    {
        if (Text(name) is not { } text)
        {
            Fail($"params.{name}", "is needed by this template");
            return null;
        }

        if (ScalarValue.TryParse(text, out var value, out var rule))
        {
            return value;
        }

        Fail($"params.{name}", rule!);
        return null;
    }

    /// <summary>A list of names, separated by commas; where none is given but the count is known, A, B, C, ...</summary>
    public EquatableArray<string> Names(string name, int min, int max, int known)
    {
        var names = Text(name) is { } text
            ? text.Split(',', StringSplitOptions.TrimEntries)
            : [.. Enumerable.Range(0, Math.Min(known, 26)).Select(i => ((char)('A' + i)).ToString())];
        if (names.Length < min || names.Length > max)
        {
            Fail($"params.{name}", $"has {min} to {max} names, separated by commas");
        }
        else if (names.Any(n => n.Length is 0 or > LongestName || n.Any(char.IsControl)))
        {
            Fail($"params.{name}", $"has names of 1 to {LongestName} characters");
        }
        else if (names.Distinct(StringComparer.Ordinal).Count() != names.Length)
        {
            Fail($"params.{name}", "has each name once");
        }
        else if (names.FirstOrDefault(ReservedValues.All.Contains) is { } reserved)
        {
            Fail($"params.{name}", $"does not contain '{reserved}', which is no outcome but a word of the resolution");
        }

        return [.. names];
    }

    public void Fail(string field, string rule) => _fault ??= MarketErrors.Invalid(field, rule);

    public T Fail<T>(string field, string rule, T instead)
    {
        Fail(field, rule);
        return instead;
    }

    public Rejection? Problem() =>
        _fault ?? (given.Keys.FirstOrDefault(key => !_asked.Contains(key)) is { } unknown
            ? MarketErrors.Invalid($"params.{unknown}", "is no parameter of this template")
            : null);
}

/// <summary>Values that a resolution can have beside an outcome's name.</summary>
public static class ReservedValues
{
    /// <summary>The question has no answer: the market is void.</summary>
    public const string Invalid = "INVALID";

    /// <summary>The question cannot be answered yet.</summary>
    public const string TooEarly = "TOO_EARLY";

    public static IReadOnlyList<string> All { get; } = [Invalid, TooEarly];
}
