using System.Text;
using Mbp.Domain.Accounts;
using Mbp.Domain.Payments;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Testing;
using NodaTime;
using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Payments;

/// <summary>A withdrawal's decider: the whole table of states and commands, and the rules that money hangs on.</summary>
public sealed class WithdrawalDeciderTests
{
    private static readonly WithdrawalId Id = new("w1");
    private static readonly PayeeId Payee = new("payee-1");
    private static readonly Credits Ten = Ce(10);
    private static readonly WithdrawalOrder Order = new(Id, Ana, Ten, Payee);
    private static readonly Account Rich = new Account.Open(Ce(25), []);
    private static readonly Instant Deadline = Noon + Duration.FromMinutes(2);
    private static readonly Instant Later = Noon + Duration.FromHours(1);

    private static readonly RailAnswer.Settled Paid = new("E1", Ten, Noon);
    private static readonly RailAnswer.Reversed Back = new("E1", Ten, "returned", Noon, Later);

    private static readonly (string Name, Withdrawal State)[] States =
    [
        ("unknown", Withdrawal.Initial),
        ("requested", new Withdrawal.Requested(Order)),
        ("submitted 1", new Withdrawal.Submitted(Order, 1, Deadline, Deadline)),
        ("asking 9", new Withdrawal.Submitted(Order, 9, NotAfter: null, Deadline)),
        ("waiting 1", new Withdrawal.Waiting(Order, 1, PayoutDelay.Unanswered, Noon, Deadline)),
        ("waiting 8", new Withdrawal.Waiting(Order, 8, PayoutDelay.Unanswered, Noon, Deadline)),
        ("settled", new Withdrawal.Settled(Order, "E1")),
        ("failed", new Withdrawal.Failed(Order, "payee_unknown")),
        ("reversed", new Withdrawal.Reversed(Order, "E1")),
    ];

    private static readonly (string Name, WithdrawalCommand Command)[] Commands =
    [
        ("request", new RequestWithdrawal(Id, Ana, Ten, Payee, Later)),
        ("request of another amount", new RequestWithdrawal(Id, Ana, Ce(11), Payee, Later)),
        ("request for another account", new RequestWithdrawal(Id, House, Ten, Payee, Later)),
        ("attempt 1", new SubmitPayout(Id, Ana, 1, Later + PayoutLife, Later)),
        ("attempt 2", new SubmitPayout(Id, Ana, 2, Later + PayoutLife, Later)),
        ("attempt 9", new SubmitPayout(Id, Ana, 9, Later + PayoutLife, Later)),
        ("attempt 2, too early", new SubmitPayout(Id, Ana, 2, Later, Noon - Duration.Epsilon)),
        ("attempt 1 of another account", new SubmitPayout(Id, House, 1, Later, Later)),
        ("1: settled", Answer(1, Paid)),
        ("1: settled under another reference", Answer(1, Paid with { Reference = "E2" })),
        ("1: settled with another amount", Answer(1, Paid with { Amount = Ce(9) })),
        ("1: rejected", Answer(1, new RailAnswer.Rejected("payee_unknown"))),
        ("1: reversed", Answer(1, Back)),
        ("1: reversed with another amount", Answer(1, Back with { Amount = Ce(9) })),
        ("1: pending", Answer(1, new RailAnswer.Pending())),
        ("1: not found", Answer(1, new RailAnswer.NotFound())),
        ("1: unavailable", Answer(1, new RailAnswer.Unavailable())),
        ("1: silence", Answer(1, new RailAnswer.Silence())),
        ("9: not found", Answer(9, new RailAnswer.NotFound())),
        ("9: not found, within the deadline", Answer(9, new RailAnswer.NotFound(), Deadline + WithdrawalDecider.Skew)),
        ("9: silence", Answer(9, new RailAnswer.Silence())),
        ("notice: settled", Answer(null, Paid)),
        ("notice: settled under another reference", Answer(null, Paid with { Reference = "E2" })),
        ("notice: settled with another amount", Answer(null, Paid with { Amount = Ce(9) })),
        ("notice: rejected", Answer(null, new RailAnswer.Rejected("payee_unknown"))),
        ("notice: reversed", Answer(null, Back)),
        ("notice: reversed under another reference", Answer(null, Back with { Reference = "E2" })),
        ("notice: reversed with another amount", Answer(null, Back with { Amount = Ce(9) })),
        ("notice: not found", Answer(null, new RailAnswer.NotFound())),
    ];

    private static Duration PayoutLife => Duration.FromMinutes(2);

    /// <summary>Every state under every command: what is not an event here is refused with a code, or already so.</summary>
    [Fact]
    public void The_whole_table_is_as_agreed()
    {
        var text = new StringBuilder();
        foreach (var (state, withdrawal) in States)
        {
            text.Append("## ").AppendLine(state);
            foreach (var (name, command) in Commands)
            {
                text.AppendLine($"{name,-44} {Told(WithdrawalDecider.Decide(command, withdrawal, Rich))}");
            }
        }

        Mbp.Testing.Snapshot.Match(text.ToString());
    }

    /// <summary>Whatever is decided folds, and leaves as many credits as there were: in the account, on the way, or paid.</summary>
    [Fact]
    public void Every_decision_folds_and_keeps_every_credit() => Assert.All(States.SelectMany(_ => Commands, (state, command) => (state, command)), pair =>
    {
        var (withdrawal, account) = (pair.state.State, Rich);
        var before = Sum(withdrawal, account);
        foreach (var (_, @event) in WithdrawalDecider.Decide(pair.command.Command, withdrawal, account).Events)
        {
            withdrawal = Withdrawal.Fold.Apply(withdrawal, @event);
            account = Account.Fold.Apply(account, @event);
        }

        Assert.Equal(before, Sum(withdrawal, account));
    });

    [Theory]
    [InlineData("25", null)]
    [InlineData("25.00000001", "accounts.insufficient_funds")]
    [InlineData("0", "accounts.amount_is_zero")]
    public void As_much_leaves_as_there_is(string amount, string? code)
    {
        Assert.True(Credits.TryParse(amount, out var credits, out _));
        Assert.Equal(code, WithdrawalDecider.Decide(new RequestWithdrawal(Id, Ana, credits, Payee, Noon), Withdrawal.Initial, Rich).Rejection?.Code);
    }

    [Fact]
    public void Nobodys_account_pays_nothing() =>
        GivenEvents.When(WithdrawalDecider.Decide(new RequestWithdrawal(Id, Ana, Ten, Payee, Noon), Withdrawal.Initial, Account.Initial)).ThenRejected(AccountErrors.NotFound);

    [Theory]
    [InlineData(8, true)]
    [InlineData(9, false)]
    public void The_eighth_attempt_is_the_last_that_sends(int attempt, bool sends)
    {
        var waiting = new Withdrawal.Waiting(Order, attempt - 1, PayoutDelay.Unanswered, Noon, Deadline);
        var begun = Assert.IsType<PayoutSubmitted>(WithdrawalDecider.Decide(new SubmitPayout(Id, Ana, attempt, Later, Noon), waiting, Rich).Single().Event);
        Assert.Equal(sends, begun.NotAfter is not null);
    }

    /// <summary>The heart of it: while the rail might still carry the order out, nobody gets the credits back.</summary>
    [Theory]
    [InlineData(0, false)]
    [InlineData(10, true)]
    public void Credits_return_only_after_the_orders_own_deadline(long ticksAfter, bool returns)
    {
        var asking = new Withdrawal.Submitted(Order, 9, NotAfter: null, Deadline);
        var decision = WithdrawalDecider.Decide(Answer(9, new RailAnswer.NotFound(), Deadline + WithdrawalDecider.Skew + Duration.FromTicks(ticksAfter)), asking, Rich);
        Assert.Equal(returns, decision.Any(e => e.Event is CreditsReturned));
        Assert.Equal(returns, decision.Any(e => e.Event is PayoutFailed { Code: WithdrawalDecider.Exhausted }));
    }

    [Fact]
    public void Credits_that_do_not_fit_wait_on_their_way()
    {
        var full = new Account.Open(Credits.FromUnits(Decimal8.Max), []);
        var submitted = new Withdrawal.Submitted(Order, 1, Deadline, Deadline);
        Assert.Equal(PayoutDelay.AccountFull, Assert.IsType<PayoutDeferred>(WithdrawalDecider.Decide(Answer(1, new RailAnswer.Rejected("x")), submitted, full).Single().Event).Reason);
        Assert.Equal(AccountErrors.TooLarge, WithdrawalDecider.Decide(Answer(null, Back), new Withdrawal.Settled(Order, "E1"), full).Rejection);
    }

    [Fact]
    public void Pauses_double_to_a_bound_and_are_the_same_each_time()
    {
        var backoff = new PayoutBackoff(Duration.FromSeconds(2), Duration.FromMinutes(30));
        for (var attempt = 1; attempt < 40; attempt++)
        {
            var (pause, least) = (backoff.After(Id, attempt), Duration.Min(Duration.FromMinutes(30), Duration.FromSeconds(1L << Math.Min(attempt, 30))));
            Assert.Equal(pause, backoff.After(Id, attempt));
            Assert.InRange(pause, least, least + (least / 4));
        }

        Assert.True(Enumerable.Range(0, 50).Select(n => backoff.After(new WithdrawalId($"w{n}"), 5)).Distinct().Count() > 25);
    }

    [Fact]
    public void A_snapshot_of_every_state_is_read_back() => Assert.All(States, state => Assert.Equal(state.State, Withdrawal.Fold.Load(Withdrawal.Fold.Save(state.State))));

    private static RecordAnswer Answer(int? attempt, RailAnswer answer, Instant? at = null) => new(Id, Ana, attempt, answer, Later + Duration.FromMinutes(1), at ?? Later);

    private static long Sum(Withdrawal withdrawal, Account account) => ((Account.Open)account).Balance.Units + withdrawal.OnTheWayUnits + withdrawal.PaidUnits;

    private static string Told(Decision<StreamEvent> decision) => decision.Rejection is { } rejection ? $"refused {rejection.Code}"
        : decision.Events.IsEmpty ? "already so"
        : string.Join(" + ", decision.Select(e => e.Event switch
        {
            PayoutSubmitted s => $"PayoutSubmitted {s.Attempt}{(s.NotAfter is null ? " (asks)" : "")}",
            PayoutDeferred d => $"PayoutDeferred ({d.Reason})",
            PayoutFailed f => $"PayoutFailed ({f.Code})",
            var other => other.GetType().Name,
        }));
}
