using Mbp.Domain.Abuse;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Audit;

/// <summary>
/// What a rule set would have decided differently (C20): every trade and change of liquidity since an instant is decided again over the states as
/// they were, and the halt rules are asked again at every tick. Each decision is compared by itself: a trade that would have been refused still
/// moves the price for the next one, as it did.
/// </summary>
/// <param name="candidate">The rule set.</param>
/// <param name="from">Since when; what was before is only folded.</param>
/// <param name="only">One market; null = all of them.</param>
public sealed class RulesetDryRun(Policy candidate, Instant from, MarketId? only = null)
{
    /// <summary>Of each refusal, more positions than this are counted and not listed; the same for halts.</summary>
    public const int Listed = 20;

    // Once prices have stood still for so long, every average is the price, and nothing a rule asks about changes.
    // Depth that is there has lasted by then as well.
    private static readonly Duration Quiet = Pool.DepthDwell + PriceTrack.TickLength;

    private readonly Dictionary<string, Trial> _trials = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, PositionList> _refused = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, long> _refusedThen = new(StringComparer.Ordinal);
    private readonly HaltList _would = new();
    private readonly HaltList _was = new();
    private long _decisions;
    private long _ticks;
    private long _determined;
    private long _windows;

    public AuditStates States { get; } = new();

    /// <summary>The last position that was gone through.</summary>
    public long Position { get; private set; }

    /// <summary>Goes through one command's events, all of them and in order.</summary>
    public void Observe(IReadOnlyList<Recorded> command)
    {
        ArgumentNullException.ThrowIfNull(command);
        var created = command.Any(recorded => recorded.Data is MarketCreated);
        foreach (var recorded in command)
        {
            if (recorded.Stream.Category is "market" or "resolution" or "abuse" && (only is null || only.Value.Value == recorded.Stream.Key))
            {
                Compare(new MarketId(recorded.Stream.Key), recorded, created);
            }
        }

        // Only now: a trade is decided over the account as it was before it paid.
        foreach (var recorded in command)
        {
            States.Apply(recorded.Stream, recorded.Data);
        }

        Position = command[^1].Position;
    }

    /// <summary>Judges what is left up to an instant, and says what came of all.</summary>
    public DryRunReport Finish(Instant until)
    {
        foreach (var (id, trial) in _trials)
        {
            Judge(trial, States.Market(new MarketId(id)), id, until);
        }

        return new DryRunReport(
            candidate, from, until, _trials.Count(pair => pair.Value.IsJudged), _decisions, _refused, _ticks, _would, _was, _determined, _windows, _refusedThen);
    }

    private void Compare(MarketId id, Recorded recorded, bool created)
    {
        if (!_trials.TryGetValue(id.Value, out var trial))
        {
            _trials[id.Value] = trial = new Trial();
        }

        var before = States.Market(id);
        if (recorded.At >= from)
        {
            Judge(trial, before, id.Value, recorded.At);
            switch (recorded.Data)
            {
                case PoolEvent change when !created && Redecision.CommandOf(id, change) is { } command:
                    Decide(command, before, trial, recorded.Position);
                    break;
                case MarketHalted { Tick: not null, Rule: { } rule } e:
                    _was.Add(new DryRunHalt(id.Value, e.Level, rule, e.Tick.Value));
                    break;
                case ResolutionDetermined e:
                    _determined++;
                    _windows += e.DisputableUntil - e.At == Duration.FromMinutes(candidate.Rules.Resolution.DisputeWindowMinutes) ? 0 : 1;
                    break;
                case RefusalsRecorded e:
                    foreach (var (code, count) in e.Codes)
                    {
                        _refusedThen[code] = _refusedThen.GetValueOrDefault(code) + count;
                    }

                    break;
            }
        }

        trial.Flow = FlowAfter(trial.Flow, recorded.Data);
    }

    /// <summary>What the candidate asks about the last minutes, which the rule set of then may not have asked about.</summary>
    private TradeFlow FlowAfter(TradeFlow flow, object @event) => @event switch
    {
        MarketCreated e => TradeFlow.Fold.Apply(
            TradeFlow.Fold.Apply(flow, e), new RulesetActivated(candidate.Rules.Name, candidate.Rules.Version, candidate.Hash, candidate, "dry run", e.At)),
        PoolEvent e => TradeFlow.Fold.Apply(flow, e),
        _ => flow,
    };

    private void Decide(TradeCommand command, MarketStates before, Trial trial, long position)
    {
        _decisions++;
        var decision = TradeDecider.Decide(
            command, Under(before.Market, trial), before.Pool, States.Account(command.Account), trial.Flow, before.Moderation, States.Slo);
        if (decision.Rejection is { } refused)
        {
            if (!_refused.TryGetValue(refused.Code, out var positions))
            {
                _refused[refused.Code] = positions = new PositionList();
            }

            positions.Add(position);
        }
    }

    /// <summary>The market as it was, under the candidate: halts of people stay, those of rules are the candidate's.</summary>
    private Market Under(Market market, Trial trial)
    {
        var rules = new MarketRules(candidate, []);
        return market switch
        {
            Market.Halted { Rule: HaltRule.Manual or HaltRule.Moderation or HaltRule.Abuse } halted => halted with { Rules = rules },
            Market.Open or Market.Halted when trial.Run?.Standing is { Level: not HaltLevel.None } halt =>
                new Market.Halted(market.Terms()!, rules, halt.History, halt.Level, halt.HeldAt, trial.Rule, Words.Of(trial.Rule), halt.Since, trial.Run.ReopensAt),
            Market.Open or Market.Halted => new Market.Open(market.Terms()!, rules, HaltHistory.None),
            Market.Closed closed => closed with { Rules = rules },
            _ => market,
        };
    }

    /// <summary>Asks the halt rules at every tick before an instant that was not asked about yet.</summary>
    private void Judge(Trial trial, MarketStates market, string id, Instant until)
    {
        if (market.Market is not (Market.Open or Market.Halted) || market.Track.First is not { } first || candidate.Rules.Halts is not { } halts)
        {
            trial.Next = until;
            return;
        }

        var run = trial.Run ??= new HaltRun(candidate.Rules, HaltJudge.OutcomesOf(market.Pool));
        var end = Instant.Min(until, market.Market.Terms()!.ClosesAt);
        var tick = PriceTrack.TickAtOrAfter(Instant.Max(Instant.Max(from, first), trial.Next));
        for (; tick < end; tick += PriceTrack.TickLength)
        {
            var depth = HaltJudge.Shallow(halts, market.Pool, tick);
            if (trial.IsJudged && tick - market.Track.Last > Quiet && IsAtRest(run.Standing, depth))
            {
                tick = PriceTrack.TickAtOrAfter(end);
                break;
            }

            _ticks++;
            trial.IsJudged = true;
            if (run.Judge(tick, market.Track, depth) is { Rule: { } rule } step)
            {
                trial.Rule = rule;
                _would.Add(new DryRunHalt(id, step.To, rule, tick));
            }
        }

        trial.Next = tick;
    }

    private static bool IsAtRest(HaltStanding standing, Shares? depth) =>
        standing.Level <= standing.HeldAt || standing.Level == HaltLevel.None || (standing.Level == HaltLevel.Soft && depth is not null);

    private sealed class Trial
    {
        public HaltRun? Run { get; set; }

        public HaltRule Rule { get; set; }

        public Instant Next { get; set; } = Instant.MinValue;

        public bool IsJudged { get; set; }

        public TradeFlow Flow { get; set; } = TradeFlow.Initial;
    }
}

/// <summary>What a rule set would have decided differently.</summary>
/// <param name="Candidate">The rule set.</param>
/// <param name="From">Since when.</param>
/// <param name="Until">Up to when.</param>
/// <param name="Markets">Markets whose ticks were judged.</param>
/// <param name="Decisions">Trades and changes of liquidity that were decided again.</param>
/// <param name="Refused">Those that would have been refused, by code.</param>
/// <param name="Ticks">Ticks that were judged.</param>
/// <param name="Halts">The halts that would have begun.</param>
/// <param name="Recorded">The halts that rules did begin.</param>
/// <param name="Determined">Values that were determined.</param>
/// <param name="WindowsChanged">Those that would have been final at another time.</param>
/// <param name="RefusedThen">What was refused then, by code: counted by the minute, and so not to be decided again.</param>
public sealed record DryRunReport(
    Policy Candidate,
    Instant From,
    Instant Until,
    int Markets,
    long Decisions,
    IReadOnlyDictionary<string, PositionList> Refused,
    long Ticks,
    HaltList Halts,
    HaltList Recorded,
    long Determined,
    long WindowsChanged,
    IReadOnlyDictionary<string, long> RefusedThen);

/// <summary>A halt that began, or would have: at a tick, by a rule.</summary>
public sealed record DryRunHalt(string Market, HaltLevel Level, HaltRule Rule, Instant Tick);

/// <summary>Positions, of which the first are kept and the others counted.</summary>
public sealed class PositionList
{
    private readonly List<long> _first = [];

    public long Count { get; private set; }

    public IReadOnlyList<long> First => _first;

    internal void Add(long position)
    {
        if (Count++ < RulesetDryRun.Listed)
        {
            _first.Add(position);
        }
    }
}

/// <summary>Halts: counted by level, the earliest of each level kept. Markets are gone through one by one, so halts come in no order of time.</summary>
public sealed class HaltList
{
    private readonly SortedDictionary<HaltLevel, long> _counts = [];
    private readonly Dictionary<HaltLevel, List<DryRunHalt>> _first = [];

    public long Count => _counts.Values.Sum();

    public IReadOnlyDictionary<HaltLevel, long> ByLevel => _counts;

    /// <summary>In the order of time.</summary>
    public IReadOnlyList<DryRunHalt> First => [.. _first.Values.SelectMany(halts => halts).Order(ByTime)];

    private static readonly Comparer<DryRunHalt> ByTime = Comparer<DryRunHalt>.Create(
        (a, b) => a.Tick != b.Tick ? a.Tick.CompareTo(b.Tick) : string.CompareOrdinal(a.Market, b.Market));

    internal void Add(DryRunHalt halt)
    {
        _counts[halt.Level] = _counts.GetValueOrDefault(halt.Level) + 1;
        if (!_first.TryGetValue(halt.Level, out var first))
        {
            _first[halt.Level] = first = [];
        }

        var at = first.BinarySearch(halt, ByTime);
        first.Insert(at < 0 ? ~at : at, halt);
        if (first.Count > RulesetDryRun.Listed)
        {
            first.RemoveAt(RulesetDryRun.Listed);
        }
    }
}
