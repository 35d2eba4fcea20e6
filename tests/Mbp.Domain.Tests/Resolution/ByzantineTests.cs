using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using NodaTime;
using Xunit.Abstractions;
using static Mbp.Domain.Tests.Markets.Terms;
using static Mbp.Domain.Tests.Resolution.ResolutionStage;

namespace Mbp.Domain.Tests.Resolution;

/// <summary>
/// Sources that are silent, late, lie together up to a third of all weight, or say two things; people who dispute, rule, or do nothing: by seed, in
/// virtual time. Whatever they do there is one final value, the oracle's own only by a quorum, and it comes within the bound.
/// </summary>
public sealed class ByzantineTests(ITestOutputHelper output)
{
    private const int Runs = 10_000;

    private enum Behaviour
    {
        Honest,
        Silent,
        Late,
        Stale,
        Equivocating,
        Colluding,
    }

    [Fact]
    public void One_final_value_by_a_quorum_in_bounded_time()
    {
        var ends = new SortedDictionary<string, int>(StringComparer.Ordinal);
        for (var seed = 1; seed <= Runs; seed++)
        {
            var end = new Run(seed).Play();
            ends[end] = ends.GetValueOrDefault(end) + 1;
        }

        output.WriteLine(string.Join(", ", ends.Select(end => $"{end.Key}: {end.Value}")));
        // A run that never meets one of these proves little.
        Assert.All(new[] { "oracle", "people", "panel", "arbitration", "void" }, way => Assert.True(ends.GetValueOrDefault(way) > Runs / 200, $"{way}: {ends.GetValueOrDefault(way)} of {Runs}"));
    }

    private sealed class Run
    {
        private static readonly Duration Bound = Duration.FromHours(72);

        private readonly Random _random;
        private readonly int _seed;
        private readonly ResolutionStage _stage;
        private readonly Dictionary<string, Behaviour> _behaviours = new(StringComparer.Ordinal);
        private readonly bool _liarsAreBounded;

        public Run(int seed)
        {
            (_seed, _random) = (seed, new Random(seed));
            var groups = _random.Next(3, 7);
            // Weights of groups as equal as they come: at three groups each has exactly the third that a group may have.
            var sources = new List<Voter>();
            for (var g = 0; g < groups; g++)
            {
                var members = _random.Next(1, 3);
                for (var m = 0; m < members; m++)
                {
                    sources.Add(Signers.Voter($"g{g}m{m}of{members}", $"g{g}", 2 / members));
                }
            }

            var rules = WithOracle(sources);
            Assert.Empty(RulesetChecks.Faults(rules));
            // One group lies together; sometimes two do, and then a wrong value may win: what must hold then is the rest.
            var (evil, second, trouble) = (_random.Next(groups), _random.Next(4) > 0 ? -1 : _random.Next(groups), _random.Next(100));
            foreach (var source in sources)
            {
                _behaviours[source.Id] = source.Group == $"g{evil}" || source.Group == $"g{second}" ? Behaviour.Colluding
                    : _random.Next(100) < trouble ? (Behaviour)_random.Next(1, 5) : Behaviour.Honest;
            }

            // Who says two things is heard with the first of them until then: a liar, too.
            _liarsAreBounded = 3 * sources.Where(source => _behaviours[source.Id] is Behaviour.Colluding or Behaviour.Equivocating).Sum(source => source.Weight) <= sources.Sum(source => source.Weight);
            _stage = Closed(rules);
        }

        public string Play()
        {
            var passive = _random.Next(3) == 0;
            while (!_stage.Resolution.IsFinal && _stage.Now < Noon + Bound)
            {
                Act(passive);
                _stage.Wait(Duration.FromSeconds(_random.Next(1, _stage.Resolution is MarketResolution.Collecting { Round: not null } ? 900 : passive ? 20_000 : 5_000)));
            }

            _stage.Wait(Instant.Max(Noon + Bound, _stage.Now) - _stage.Now);
            CheckQuorum();
            var finals = _stage.Events.Count(e => e.Event is ResolutionFinished or MarketVoided);
            Assert.True(finals == 1 && _stage.Resolution.IsFinal, $"seed {_seed}: {finals} final values at {_stage.Now - Noon}");
            Assert.True(_stage.Resolution.BondUnits == 0, $"seed {_seed}: a bond is left");
            var end = _stage.Events.Select(e => e.Event).Last(e => e is ResolutionFinished or MarketVoided) is var last && last is ResolutionFinished f ? f.At : ((MarketVoided)last).At;
            Assert.True(end <= Noon + Bound, $"seed {_seed}: final after {end - Noon}");
            foreach (var late in new[] { _stage.Report("s1", "YES"), _stage.Dispute(Ana, "NO"), _stage.Send(at => new ApproveManually(Rain, "op-2", at)) })
            {
                Assert.True(late.Rejection is not null && late.Events.IsEmpty, $"seed {_seed}: something happened after the end");
            }

            return Way();
        }

        private void Act(bool passive)
        {
            var honest = _stage.Now < Noon + Duration.FromMinutes(_random.Next(0, 40)) && _seed % 5 == 0 ? "TOO_EARLY" : "YES";
            switch (_stage.Resolution)
            {
                case MarketResolution.Collecting { Round: not null }:
                    var (source, behaviour) = _behaviours.ElementAt(_random.Next(_behaviours.Count));
                    _ = behaviour switch
                    {
                        Behaviour.Honest => _stage.Report(source, honest),
                        Behaviour.Colluding => _stage.Report(source, "NO"),
                        Behaviour.Equivocating => _stage.Report(source, _random.Next(2) == 0 ? "YES" : "NO"),
                        Behaviour.Stale => _stage.Report(source, "YES", age: Duration.FromMinutes(_random.Next(6, 60))),
                        Behaviour.Late => _stage.Report(source, "YES", round: Math.Max(1, _random.Next(0, 3))),
                        _ => default,
                    };
                    break;
                case MarketResolution.Collecting when !passive:
                    _stage.Send(at => new ProposeManually(Rain, _random.Next(3) == 0 ? "NO" : "YES", "urn:proof", "op-1", at));
                    _stage.Send(at => new ApproveManually(Rain, _random.Next(2) == 0 ? "op-1" : "op-2", at));
                    break;
                case MarketResolution.Determined determined when _random.Next(100) < 15:
                    _stage.Dispute(_random.Next(2) == 0 ? Ana : Bob, determined.Decision.Value == "YES" ? "NO" : "YES");
                    break;
                case MarketResolution.Disputed or MarketResolution.Arbitration when _random.Next(3) > 0 && !passive:
                    _stage.Rule($"{(_random.Next(2) == 0 ? 'p' : 'a')}{_random.Next(1, 5)}", _random.Next(4) == 0 ? "NO" : "YES");
                    break;
            }
        }

        /// <summary>Counts each of the oracle's values again, from the reports in the ledger alone.</summary>
        private void CheckQuorum()
        {
            var reports = new List<(string Source, string Value)>();
            foreach (var @event in _stage.Events.Select(e => e.Event))
            {
                switch (@event)
                {
                    case ResolutionStarted or RoundFailed or ResolutionPostponed:
                        reports.Clear();
                        break;
                    case ReportAccepted e:
                        reports.Add((e.Source, e.Value));
                        break;
                    case SourceEquivocated e:
                        reports.RemoveAll(report => report.Source == e.Source);
                        break;
                    case ResolutionDetermined { SourceKind: TruthSource.Endpoint, At: var at } e when e.EvidenceUri.StartsWith("urn:mbp:reports:", StringComparison.Ordinal) && e.At == at:
                        var sources = _stage.Rules.Oracle!.Sources;
                        var all = sources.Sum(source => source.Weight);
                        var behind = reports.Where(report => report.Value == e.Value).Select(report => sources.Single(source => source.Id == report.Source)).ToList();
                        Assert.True(2 * behind.Sum(source => source.Weight) > all, $"seed {_seed}: {e.Value} without a quorum");
                        Assert.True(reports.Count >= 3 && behind.Select(source => source.Group).Distinct().Count() >= 2, $"seed {_seed}: {e.Value} by one group");
                        Assert.True(!_liarsAreBounded || e.Value != "NO", $"seed {_seed}: a third of the weight made a value");
                        return;
                    case ResolutionDetermined:
                        return;
                }
            }
        }

        private string Way() => _stage.Resolution switch
        {
            MarketResolution.Voided => "void",
            _ when _stage.Events.Any(e => e.Event is ArbitrationOpened) => "arbitration",
            _ when _stage.Events.Any(e => e.Event is DisputeRuled) => "panel",
            MarketResolution.Finished { Decision.SourceKind: TruthSource.Endpoint } => "oracle",
            _ => "people",
        };
    }
}
