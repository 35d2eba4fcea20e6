using System.Globalization;
using System.Numerics;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Resolution.Oracle;

/// <summary>Reports of registered sources, round by round, to a quorum (spec part 2; C21, C22).</summary>
internal static class OracleDecider
{
    public static Decision<StreamEvent> Report(SubmitReport c, Market.Closed market, MarketResolution.Collecting collecting, ResolutionBooks books)
    {
        if (!market.Terms.AsksOracle || books.Rules.Oracle is not { } rules)
        {
            return OracleErrors.NoOracle;
        }

        if (books.OracleOf != books.Rules.Name)
        {
            return OracleErrors.RulesChanged;
        }

        if (rules.Sources.FirstOrDefault(source => source.Id == c.Source) is not { } source)
        {
            return OracleErrors.UnknownSource;
        }

        // What is not signed by its source leaves no trace: anybody could write it.
        if (!Statement.IsSignedBy(source, Statement.Report(c.MarketId, c.Round, c.Value, c.ObservedAt, c.Evidence), c.Signature))
        {
            return OracleErrors.BadSignature;
        }

        if (collecting.Round is not { } round)
        {
            return OracleErrors.NoRound;
        }

        if (c.Round != round.Number)
        {
            return OracleErrors.WrongRound(round.Number);
        }

        if (WhyNotCounted(c, market, collecting.Course, round, rules, books) is { } reason)
        {
            return round.Refused.Contains(OracleRound.RefusalKey(c.Source, reason))
                ? []
                : [c.MarketId.Resolution.With(new ReportRejected(c.Round, c.Source, c.Value, c.ObservedAt, c.Evidence, c.Signature, reason, c.At))];
        }

        if (round.Of(c.Source) is { } first)
        {
            return first.Value == c.Value ? [] : [c.MarketId.Resolution.With(new SourceEquivocated(c.Round, c.Source, c.Value, c.ObservedAt, c.Evidence, c.Signature, c.At))];
        }

        var accepted = new ReportAccepted(c.Round, c.Source, c.Value, c.ObservedAt, c.Evidence, c.Signature, c.At);
        var after = round with { Reports = round.Reports.Add(accepted) };
        var tally = TallyOf(after, market, rules, books);
        return tally.IsCertain
            ? [c.MarketId.Resolution.With(accepted), .. Reached(c.MarketId, market, collecting.Course with { Round = after }, after, tally, rules, books, c.At)]
            : [c.MarketId.Resolution.With(accepted)];
    }

    /// <summary>A round's time is over: a quorum, or the next round, or the end of rounds.</summary>
    public static IEnumerable<StreamEvent> Close(MarketId id, Market.Closed market, Course course, OracleRound round, OracleRules rules, ResolutionBooks books, Instant at)
    {
        var tally = TallyOf(round, market, rules, books);
        return tally.Value is not null && !(tally.Value == ReservedValues.TooEarly && ResolutionDecider.WhyNotTooEarly(course, books) is not null)
            ? Reached(id, market, course with { Round = round }, round, tally, rules, books, at)
            :
            [
                id.Resolution.With(new RoundFailed(
                    round.Number, tally.Reason ?? "too_early", Trace(tally, round),
                    round.Number < rules.RoundMinutes.Count ? at + Duration.FromMinutes(rules.RoundMinutes[round.Number]) : null, at)),
                .. Judged(id, round, reached: false, rules, books, at),
            ];
    }

    /// <summary>What a final value changes about the sources that reported on it.</summary>
    public static IEnumerable<StreamEvent> Reputations(MarketId id, Market.Closed market, Course course, string value, ResolutionBooks books, Instant at)
    {
        if (course.Round is not { } round || books.Rules.Oracle is not { Reputation: { } reputation } rules || books.OracleOf != books.Rules.Name)
        {
            return [];
        }

        var rule = RuleOf(market.Terms, rules.ToleranceBps);
        return books.Oracle.After(id, round, said => Agree(rule, said, value), reputation, at).Select(change => OracleFeed.StreamOf(books.OracleOf).With(change));
    }

    /// <summary>How a market's values are compared.</summary>
    public static VoteRule RuleOf(MarketTerms terms, int toleranceBps) => terms is { Kind: MarketKind.Scalar, Lower: { } lower, Upper: { } upper }
        ? new VoteRule(text => ScalarValue.TryParse(text, out var value, out _) ? value.Units : null, (BigInteger)(upper.Units - lower.Units) * toleranceBps / 10_000)
        : VoteRule.Words;

    public static bool Agree(VoteRule rule, string a, string b) =>
        rule.Number(a) is { } left && rule.Number(b) is { } right ? BigInteger.Abs(left - right) <= rule.Tolerance : a == b;

    public static TallyTrace Trace(Tally tally, OracleRound round) => Trace(tally) with { Equivocators = [.. round.Equivocators.Order(StringComparer.Ordinal)] };

    public static TallyTrace Trace(Tally tally) => new(
        tally.Registered.ToString(CultureInfo.InvariantCulture), tally.Valid.ToString(CultureInfo.InvariantCulture), tally.Voters,
        tally.Agreeing?.ToString(CultureInfo.InvariantCulture), tally.Equivocators);

    /// <summary>Why a signed report does not count; null = it does.</summary>
    private static string? WhyNotCounted(SubmitReport c, Market.Closed market, Course course, OracleRound round, OracleRules rules, ResolutionBooks books)
    {
        var late = Duration.FromSeconds(rules.LateSeconds);
        return round.Equivocators.Contains(c.Source) ? "equivocated"
            : c.At > round.Until + late ? "late"
            : c.ObservedAt > c.At + late ? "ahead_of_time"
            : c.At - c.ObservedAt > Duration.FromSeconds(rules.StaleSeconds) ? "stale"
            : (c.Value == ReservedValues.TooEarly ? ResolutionDecider.WhyNotTooEarly(course, books) : PayoutVectors.For(market, c.Value).Rejection) is not null ? "bad_value"
            : null;
    }

    private static Tally TallyOf(OracleRound round, Market.Closed market, OracleRules rules, ResolutionBooks books) =>
        Consensus.Of(books.Oracle.Weigh(rules.Sources), round.Votes, RuleOf(market.Terms, rules.ToleranceBps));

    private static IEnumerable<StreamEvent> Reached(
        MarketId id, Market.Closed market, Course course, OracleRound round, Tally tally, OracleRules rules, ResolutionBooks books, Instant at)
    {
        var value = tally.Value!;
        if (value == ReservedValues.TooEarly)
        {
            return [id.Resolution.With(ResolutionDecider.Postpone(course, books, at)), .. Judged(id, round, reached: true, rules, books, at)];
        }

        var rule = RuleOf(market.Terms, rules.ToleranceBps);
        // The reports are their own evidence: signed, and on this ledger.
        var evidence = string.Create(CultureInfo.InvariantCulture, $"urn:mbp:reports:{id}:{round.Number}");
        EquatableArray<string> by = [.. round.Reports.Where(report => !round.Equivocators.Contains(report.Source) && Agree(rule, report.Value, value)).Select(report => report.Source).Order(StringComparer.Ordinal)];
        return
        [
            id.Resolution.With(new RuleEvaluated(string.Create(CultureInfo.InvariantCulture, $"{MarketTerms.OracleRef}/{books.OracleOf}/{round.Number}"), value, evidence, at)),
            .. ResolutionDecider.Determine(id, market, course, books, value, TruthSource.Endpoint, evidence, by, Trace(tally, round), at),
            .. Judged(id, round, reached: true, rules, books, at),
        ];
    }

    private static IEnumerable<StreamEvent> Judged(MarketId id, OracleRound round, bool reached, OracleRules rules, ResolutionBooks books, Instant at)
    {
        var feed = books.Oracle.Failover.After(reached, at, rules.Failover);
        var stream = OracleFeed.StreamOf(books.OracleOf);
        yield return stream.With(new OracleRoundJudged(id, round.Number, reached, feed, at));
        if (feed.Mode != books.Oracle.Failover.Mode)
        {
            yield return stream.With(feed.Mode == FeedMode.FallbackTwap ? new FailoverEntered(id, round.Number, at) : new FailoverLeft(id, round.Number, at));
        }
    }
}

public static class OracleErrors
{
    public static readonly Rejection NoOracle = new(RejectionKind.Conflict, "resolution.no_oracle", "This market does not ask the oracle, or its rule set has none.");

    public static readonly Rejection RulesChanged = new(RejectionKind.Conflict, "resolution.rules_changed", "The market's rule set was changed meanwhile; send it again.");

    public static readonly Rejection UnknownSource = new(RejectionKind.Forbidden, "resolution.unknown_source", "The market's rule set names no such source.", "source");

    public static readonly Rejection BadSignature = new(
        RejectionKind.Forbidden, "resolution.bad_signature", "The signature is not that of the named one over this statement (docs/runbooks/resolution.md says what is signed).", "signature");

    public static readonly Rejection NoRound = new(RejectionKind.Conflict, "resolution.no_round", "The oracle's rounds are over; people find the value now.");

    public static Rejection WrongRound(int round) => new(
        RejectionKind.Conflict, "resolution.wrong_round", string.Create(CultureInfo.InvariantCulture, $"The market is in round {round}."), "round");
}
