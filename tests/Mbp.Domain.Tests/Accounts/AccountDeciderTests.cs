using Mbp.Domain.Accounts;
using Mbp.Domain.Units;
using Mbp.Testing;
using NodaTime;

namespace Mbp.Domain.Tests.Accounts;

public sealed class AccountDeciderTests
{
    private static readonly Instant Noon = Instant.FromUtc(2025, 9, 10, 12, 0);
    private static readonly AccountId Ana = new("ana");
    private static readonly AccountOpened Opened = new(Ana, Noon);
    private static readonly ApiKeyIssued Key = new("k1", "hash", [ApiScope.Read], Noon);
    private static readonly Credits Most = Credits.FromUnits(Decimal8.Max);

    private static GivenState<AccountCommand, AccountEvent, Account> Given(params AccountEvent[] events) => GivenEvents.Given(AccountDecider.Decider, events);

    [Fact]
    public void An_account_opens() => Given().When(new OpenAccount(Ana, Noon)).Then(Opened);

    [Fact]
    public void An_open_account_is_open_already() => Given(Opened).When(new OpenAccount(Ana, Noon)).Then();

    [Theory]
    [InlineData("op-1")]
    [InlineData("OP-x")]
    [InlineData("worker:clock")]
    public void Operators_and_workers_ids_are_nobodys(string id) => Given().When(new OpenAccount(new AccountId(id), Noon)).ThenRejected(AccountErrors.Reserved);

    [Fact]
    public void Credits_are_granted() =>
        Given(Opened).When(new GrantCredits(Credits.FromUnits(1), "gift", Noon)).Then(new CreditsGranted(Credits.FromUnits(1), "gift", Noon));

    [Fact]
    public void Nothing_cannot_be_granted() => Given(Opened).When(new GrantCredits(Credits.Zero, "gift", Noon)).ThenRejected(AccountErrors.AmountIsZero);

    [Fact]
    public void Nobody_is_granted_anything() => Given().When(new GrantCredits(Most, "gift", Noon)).ThenRejected(AccountErrors.NotFound);

    [Fact]
    public void A_balance_goes_to_the_largest_amount_and_no_further()
    {
        Given(Opened).When(new GrantCredits(Most, "gift", Noon)).Then(new CreditsGranted(Most, "gift", Noon));
        Given(Opened, new CreditsGranted(Most, "gift", Noon)).When(new GrantCredits(Credits.FromUnits(1), "gift", Noon)).ThenRejected(AccountErrors.TooLarge);
    }

    [Fact]
    public void A_key_is_issued_once() => Given(Opened, Key).When(new IssueApiKey("k1", "hash", [ApiScope.Read], Noon)).Then();

    [Fact]
    public void The_twentieth_key_is_the_last()
    {
        var keys = Enumerable.Range(1, AccountDecider.MaxKeys).Select(i => (AccountEvent)(Key with { KeyId = $"k{i}" })).ToList();
        Given([Opened, .. keys.SkipLast(1)]).When(new IssueApiKey("next", "hash", [ApiScope.Read], Noon)).Then(Key with { KeyId = "next" });
        Given([Opened, .. keys]).When(new IssueApiKey("next", "hash", [ApiScope.Read], Noon)).ThenRejected(AccountErrors.TooManyKeys);
    }

    [Fact]
    public void A_key_ends_and_is_then_unknown()
    {
        Given(Opened, Key).When(new RevokeApiKey("k1", Noon)).Then(new ApiKeyRevoked("k1", Noon));
        Given(Opened, Key, new ApiKeyRevoked("k1", Noon)).When(new RevokeApiKey("k1", Noon)).ThenRejected(AccountErrors.KeyNotFound);
    }
}
