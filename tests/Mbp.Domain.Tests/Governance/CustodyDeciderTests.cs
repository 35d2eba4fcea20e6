using Mbp.Domain.Governance.Custody;
using Mbp.Testing;
using NodaTime;

namespace Mbp.Domain.Tests.Governance;

public sealed class CustodyDeciderTests
{
    private const string Checkpoint = "mbp.localhost/mbp-ledger/1\n7\nAAAA\n\n- mbp.localhost/mbp-ledger/1 BBBB\n";
    private static readonly Instant Noon = Instant.FromUtc(2025, 9, 10, 12, 0);
    private static readonly AnchorKeyAdded First = new("aaaaaaaa", "vkey-1", 0, Noon);
    private static readonly AnchorKeyAdded Second = new("bbbbbbbb", "vkey-2", 100, Noon);
    private static readonly AnchorKeyRetired FirstEnds = new("aaaaaaaa", 120, "rotation", Noon);
    private static readonly ErasePayload Erase = new(7, "account-ana", "credits_granted", ["reason"], "5e5e", "request 12", Noon);
    private static readonly PayloadErased Erased = new(7, "account-ana", "credits_granted", ["reason"], "5e5e", "request 12", Noon);

    private static GivenState<CustodyCommand, CustodyEvent, LogCustody> Given(params CustodyEvent[] events) => GivenEvents.Given(CustodyDecider.Decider, events);

    [Fact]
    public void A_key_is_added() => Given().When(new AddAnchorKey("aaaaaaaa", "vkey-1", 0, Noon)).Then(First);

    [Fact]
    public void The_same_key_is_there_already() => Given(First).When(new AddAnchorKey("aaaaaaaa", "vkey-1", 0, Noon)).Then();

    [Theory]
    [InlineData("vkey-x", 0)]
    [InlineData("vkey-1", 5)]
    public void A_key_id_is_not_used_for_another_key(string vkey, long from) =>
        Given(First).When(new AddAnchorKey("aaaaaaaa", vkey, from, Noon)).ThenRejected(CustodyErrors.KeyExists);

    [Fact]
    public void A_retired_key_does_not_come_back() =>
        Given(First, Second, FirstEnds).When(new AddAnchorKey("aaaaaaaa", "vkey-1", 0, Noon)).ThenRejected(CustodyErrors.KeyExists);

    [Fact]
    public void A_key_has_a_verifier_key() => Given().When(new AddAnchorKey("aaaaaaaa", "", 0, Noon)).ThenRejected(CustodyErrors.BadKey);

    [Fact]
    public void A_key_begins_at_a_size() => Given().When(new AddAnchorKey("aaaaaaaa", "vkey-1", -1, Noon)).ThenRejected(CustodyErrors.BadSize);

    [Fact]
    public void A_key_is_retired_beside_its_successor() => Given(First, Second).When(new RetireAnchorKey("aaaaaaaa", 120, "rotation", Noon)).Then(FirstEnds);

    [Fact]
    public void A_key_is_retired_already() => Given(First, Second, FirstEnds).When(new RetireAnchorKey("aaaaaaaa", 120, "again", Noon)).Then();

    [Fact]
    public void A_key_s_time_ends_once() =>
        Given(First, Second, FirstEnds).When(new RetireAnchorKey("aaaaaaaa", 121, "again", Noon)).ThenRejected(CustodyErrors.KeyRetired);

    [Fact]
    public void An_unknown_key_is_not_retired() => Given(First, Second).When(new RetireAnchorKey("cccccccc", 1, null, Noon)).ThenRejected(CustodyErrors.KeyUnknown);

    [Fact]
    public void The_last_key_stays()
    {
        Given(First).When(new RetireAnchorKey("aaaaaaaa", 120, null, Noon)).ThenRejected(CustodyErrors.LastKey);
        Given(First, Second, FirstEnds).When(new RetireAnchorKey("bbbbbbbb", 130, null, Noon)).ThenRejected(CustodyErrors.LastKey);
    }

    [Fact]
    public void A_key_does_not_end_before_it_begins()
    {
        Given(First, Second).When(new RetireAnchorKey("bbbbbbbb", 99, null, Noon)).ThenRejected(CustodyErrors.BadSize);
        Given(First, Second).When(new RetireAnchorKey("bbbbbbbb", 100, null, Noon)).Then(new AnchorKeyRetired("bbbbbbbb", 100, null, Noon));
    }

    [Fact]
    public void A_key_of_a_log_that_was_given_up_may_be_the_last() =>
        Given(First, new LogEpochOpened("mbp.localhost/mbp-ledger/2", 2, Checkpoint, Noon)).When(new RetireAnchorKey("aaaaaaaa", 120, "rotation", Noon)).Then(FirstEnds);

    [Fact]
    public void The_next_epoch_quotes_the_last_checkpoint() =>
        Given(First).When(new OpenLogEpoch("mbp.localhost/mbp-ledger/2", 2, Checkpoint, Noon)).Then(new LogEpochOpened("mbp.localhost/mbp-ledger/2", 2, Checkpoint, Noon));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void No_epoch_comes_before_the_present(int epoch) =>
        Given(First).When(new OpenLogEpoch("mbp.localhost/mbp-ledger/2", epoch, Checkpoint, Noon)).ThenRejected(CustodyErrors.EpochOutOfOrder);

    [Fact]
    public void An_epoch_that_is_open_is_not_opened_twice_and_one_whose_ledger_was_lost_is_left_out()
    {
        Given(First, new LogEpochOpened("mbp.localhost/mbp-ledger/2", 2, Checkpoint, Noon)).When(new OpenLogEpoch("mbp.localhost/mbp-ledger/2", 2, Checkpoint, Noon)).Then();
        Given(First).When(new OpenLogEpoch("mbp.localhost/mbp-ledger/3", 3, Checkpoint, Noon, "lost")).Then(new LogEpochOpened("mbp.localhost/mbp-ledger/3", 3, Checkpoint, Noon, "lost"));
    }

    [Fact]
    public void An_epoch_without_evidence_is_not_opened() =>
        Given(First).When(new OpenLogEpoch("mbp.localhost/mbp-ledger/2", 2, "", Noon)).ThenRejected(CustodyErrors.NoEvidence);

    [Fact]
    public void A_reason_is_erased() => Given().When(Erase).Then(Erased);

    [Fact]
    public void What_is_erased_is_not_erased_again() => Given(Erased).When(Erase with { Why = "asked again" }).Then();

    [Fact]
    public void A_field_named_twice_is_erased_once() => Given().When(Erase with { Fields = ["reason", "reason"] }).Then(Erased);

    [Theory]
    [InlineData("credits_granted", "amount")]
    [InlineData("market_created", "question")]
    [InlineData("manual_proposed", "evidenceUri")]
    [InlineData("account_debited", "reference")]
    [InlineData("market_voided", "reason")]
    [InlineData("payload_erased", "why")]
    public void What_the_books_rest_on_is_not_erased(string type, string field) =>
        Given().When(Erase with { Type = type, Fields = [field] }).ThenRejected(CustodyErrors.NotErasable(type, field));

    [Fact]
    public void Something_is_erased() => Given().When(Erase with { Fields = [] }).ThenRejected(CustodyErrors.NothingNamed);

    [Fact]
    public void An_erasure_says_why()
    {
        Given().When(Erase with { Why = "" }).ThenRejected(CustodyErrors.WhyNeeded);
        Given().When(Erase with { Why = new string('x', CustodyDecider.LongestWhy) }).Then(Erased with { Why = new string('x', CustodyDecider.LongestWhy) });
        Given().When(Erase with { Why = new string('x', CustodyDecider.LongestWhy + 1) }).ThenRejected(CustodyErrors.WhyNeeded);
    }

    [Fact]
    public void The_state_comes_back_from_its_snapshot()
    {
        var state = new CustodyEvent[] { First, Second, FirstEnds, Erased }.Aggregate(LogCustody.Initial, LogCustody.Evolve);
        var loaded = (LogCustody)LogCustody.Fold.Load(LogCustody.Fold.Save(state));
        Assert.Equal(state.Epoch, loaded.Epoch);
        Assert.Equal(state.Keys, loaded.Keys);
        Assert.Equal(state.Erased, loaded.Erased);
    }
}
