using System.Text;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Ledger;
using NodaTime;
using static Mbp.Domain.Tests.Markets.Terms;
using static Mbp.Domain.Tests.Resolution.ResolutionStage;

namespace Mbp.Domain.Tests.Resolution;

/// <summary>Every command in every state of the tables in the market rules, part 2: the events that it causes, or the code that it is refused with.</summary>
public sealed class TransitionTableTests
{
    [Fact]
    public void Every_command_in_every_state()
    {
        var table = new StringBuilder();
        foreach (var (state, stage) in States())
        {
            table.Append(state).Append('\n');
            foreach (var (name, ask) in Commands())
            {
                var decision = ask(stage.Copy());
                table.Append(name.PadRight(34)).Append(Words(decision)).Append('\n');
            }

            table.Append('\n');
        }

        Mbp.Testing.Snapshot.Match(table.ToString());
    }

    private static string Words(Decision<StreamEvent> decision) =>
        decision.Rejection is { } refused ? $"refused: {refused.Code}"
        : decision.Events.IsEmpty ? "nothing"
        : string.Join(", ", decision.Events.Where(e => e.Stream.Category is "resolution" or "market").Select(e => e.Event.GetType().Name));

    private static IEnumerable<(string State, ResolutionStage Stage)> States()
    {
        var stage = Closed(WithOracle());
        yield return ("Closed, not started", stage.Copy());
        stage.Wait(Duration.Zero);
        yield return ("Collecting, round 1", stage.Copy());

        var early = stage.Copy();
        Say(early, "TOO_EARLY", "s1", "s2", "s3", "s4");
        yield return ("Closed, postponed", early);

        var rounds = stage.Copy();
        rounds.Wait(Duration.FromHours(4));
        yield return ("Collecting, rounds over", rounds.Copy());
        rounds.Send(at => new ProposeManually(Rain, "YES", "urn:proof", "op-1", at));
        yield return ("Collecting, proposed by op-1", rounds.Copy());

        Say(stage, "YES", "s1", "s2", "s3", "s4");
        yield return ("Determined, round 1", stage.Copy());
        var rollback = stage.Copy();
        rollback.Send(at => new ProposeRollback(Rain, "a bad feed", "urn:incident", "op-1", at));
        yield return ("Determined, rollback by op-1", rollback);
        stage.Dispute(Ana, "NO");
        yield return ("Disputed", stage.Copy());
        var silent = stage.Copy();
        silent.Wait(Duration.FromHours(4));
        yield return ("Arbitration, of a silent panel", silent);
        Rule(stage, "YES", "p1", "p2", "p3");
        yield return ("Determined, round 2", stage.Copy());
        var second = stage.Copy();
        second.Dispute(Bob, "NO");
        yield return ("Arbitration, second dispute", second);
        stage.Wait(Duration.FromHours(2));
        yield return ("Finalized", stage.Copy());
        stage.Plan();
        yield return ("Settling", stage.Copy());
        var nobody = Closed(WithOracle());
        nobody.Wait(Duration.FromHours(72));
        yield return ("Voided", nobody);
    }

    private static IEnumerable<(string Name, Func<ResolutionStage, Decision<StreamEvent>> Ask)> Commands() =>
    [
        ("start, by op-3", s => s.Send(at => new StartResolution(Rain, "op-3", at))),
        ("report YES, s5", s => s.Report("s5", "YES")),
        ("report NO, s1", s => s.Report("s1", "NO")),
        ("report 6 minutes old, s5", s => s.Report("s5", "YES", age: Duration.FromMinutes(6))),
        ("report badly signed, s5", s => s.Report("s5", "YES", signature: "AA==")),
        ("propose YES, by op-2", s => s.Send(at => new ProposeManually(Rain, "YES", "urn:proof", "op-2", at))),
        ("approve, by op-1", s => s.Send(at => new ApproveManually(Rain, "op-1", at))),
        ("approve, by op-2", s => s.Send(at => new ApproveManually(Rain, "op-2", at))),
        ("dispute NO, bob", s => s.Dispute(Bob, "NO")),
        ("rule NO, panel p1", s => s.Rule("p1", "NO")),
        ("rule NO, arbitrator a1", s => s.Rule("a1", "NO")),
        ("rule NO, arbitrators a1 a2", s => { s.Rule("a1", "NO"); return s.Rule("a2", "NO"); }),
        ("rule NO, panel p1 p2 p3", s => { s.Rule("p1", "NO"); s.Rule("p2", "NO"); return s.Rule("p3", "NO"); }),
        ("rollback, by op-2", s => s.Send(at => new ProposeRollback(Rain, "a bad feed", "urn:incident", "op-2", at))),
        ("approve rollback, by op-1", s => s.Send(at => new ApproveRollback(Rain, "op-1", at))),
        ("approve rollback, by op-2", s => s.Send(at => new ApproveRollback(Rain, "op-2", at))),
        ("clock, now", s => s.Ask(new AdvanceResolution(Rain, s.Now))),
        ("clock, when it is due", s => s.Ask(new AdvanceResolution(Rain, Due(s)))),
        ("clock, a tick before", s => s.Ask(new AdvanceResolution(Rain, Due(s) - Duration.Epsilon))),
        ("clock, a day after the start", s => MarketDecider.Freeze(new FreezeOverdue(Noon + Duration.FromHours(24)), s.Market, s.Resolution)),
        ("clock, three days after the close", s => s.Ask(new AdvanceResolution(Rain, Instant.Max(s.Now, Noon + Duration.FromHours(72))))),
        ("halt", s => MarketDecider.Decider.Decide(new HaltMarket(Mbp.Domain.Markets.Halts.HaltLevel.Hard, "again", s.Now), s.Market).On(Rain.Stream)),
        ("trade", s => MarketDecider.WhyNoTrade(s.Market, s.Now) is { } no ? no : []),
    ];

    private static Instant Due(ResolutionStage stage) => ResolutionDeadlines.NextAt((Market.Closed)stage.Market, stage.Resolution) ?? stage.Now;

    private static void Say(ResolutionStage stage, string value, params string[] sources)
    {
        foreach (var source in sources)
        {
            stage.Report(source, value);
        }
    }

    private static void Rule(ResolutionStage stage, string value, params string[] judges)
    {
        foreach (var judge in judges)
        {
            stage.Rule(judge, value);
        }
    }
}
