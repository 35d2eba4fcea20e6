using System.Text.Json;
using Mbp.Domain.Audit;
using Mbp.Host.Payments;
using Mbp.Host.Tests.Hosting;
using Mbp.Host.Tests.Protection;
using Mbp.Ledger;
using Mbp.Ledger.Writing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NodaTime;

namespace Mbp.Host.Tests.Payments;

/// <summary>Withdrawals over HTTP, each behaviour of the rail, and what is seen of it.</summary>
public sealed class PayoutTests(PayoutGround ground) : IClassFixture<PayoutGround>
{
    private Api Api => ground.Api;

    [Fact]
    public async Task A_withdrawal_is_paid_once_and_is_seen_by_its_owner()
    {
        await Api.AccountAsync("ana", "100");
        var id = await ground.WithdrawAsync("ana", "30.5", "sim.settles.1", key: "once");
        Assert.Equal(id, await ground.WithdrawAsync("ana", "30.5", "sim.settles.1", key: "once"));
        Assert.Equal((409, "idempotency.mismatch"), await RefusedAsync("ana", "31", "sim.settles.1", "once"));

        var paid = await ground.UntilAsync(id, "settled");
        Assert.Equal(("30.5", "sim.settles.1", "ana", 1L), (paid.Text("amount"), paid.Text("payee"), paid.Text("account"), (long)paid["attempts"]!));
        Assert.StartsWith("E", paid.Text("railReference"), StringComparison.Ordinal);
        Assert.Equal("69.5", await ground.BalanceAsync("ana"));
        Assert.NotEqual("0", (await ground.ConservationAsync()).Text("paidOut"));
        var line = Assert.Single(await Api.AllAsync("/v2/accounts/ana/statement", 10), line => line.Text("kind") == "withdrawal");
        Assert.Equal(("-30.5", id), (line.Text("amount"), line.Text("reference")));
        Assert.Equal(id, Assert.Single(await Api.AllAsync("/v2/accounts/ana/withdrawals", 10)).Text("id"));
        Assert.Contains("""mbp_payouts_total{outcome="settled"}""", (await Api.GetAsync("/metrics")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_may_not_or_cannot_is_told_so_and_nothing_leaves()
    {
        await Api.AccountAsync("bia", "10");
        await Api.AccountAsync("caio", "10");
        Assert.Equal((422, "accounts.insufficient_funds"), await RefusedAsync("bia", "10.00000001", "p"));
        Assert.Equal((400, "accounts.amount_is_zero"), await RefusedAsync("bia", "0", "p"));
        Assert.Equal((400, "request.invalid"), await RefusedAsync("bia", "1", "bia@example.org"));
        Assert.Equal((400, "request.invalid"), await RefusedAsync("bia", "1.123456789", "p"));
        Assert.Equal((404, "accounts.not_found"), await RefusedAsync("nobody", "1", "p"));

        using var trader = Api.As((await Api.PostAsync("/v2/accounts/bia/keys", new { scopes = new[] { "read", "trade" } })).Ok()["apiKey"]);
        var answer = await trader.PostAsync("/v2/accounts/bia/withdrawals", new { amount = "1", payee = "p" });
        Assert.Equal((403, "auth.scope"), (answer.Status, answer.Code));
        using var owner = Api.As((await Api.PostAsync("/v2/accounts/bia/keys", new { scopes = new[] { "read", "withdraw" } })).Ok()["apiKey"]);
        answer = await owner.PostAsync("/v2/accounts/caio/withdrawals", new { amount = "1", payee = "p" });
        Assert.Equal((403, "auth.not_your_account"), (answer.Status, answer.Code));

        var id = (await owner.PostAsync("/v2/accounts/bia/withdrawals", new { amount = "1", payee = "sim.settles.2" })).Ok()["id"];
        await ground.UntilAsync(id, "settled");
        Assert.Equal(200, (await owner.GetAsync($"/v2/withdrawals/{id}")).Status);
        using var other = Api.As((await Api.PostAsync("/v2/accounts/caio/keys", new { scopes = new[] { "read", "withdraw" } })).Ok()["apiKey"]);
        answer = await other.GetAsync($"/v2/withdrawals/{id}");
        Assert.Equal((404, "payments.not_found"), (answer.Status, answer.Code));
        Assert.Equal(403, (await owner.GetAsync("/v2/withdrawals?state=settled")).Status);
        Assert.Equal(("9", "10"), (await ground.BalanceAsync("bia"), await ground.BalanceAsync("caio")));
    }

    /// <summary>What the rail does, what becomes of the withdrawal, and whether the credits are gone.</summary>
    [Theory]
    [InlineData("settles", "settled", "90", 1)]
    [InlineData("settles-late", "settled", "90", 1)]
    [InlineData("rejects", "failed", "100", 1)]
    [InlineData("unavailable", "settled", "90", 3)]
    [InlineData("times-out-after-paying", "settled", "90", 2)]
    [InlineData("times-out", "settled", "90", 3)]
    [InlineData("hangs-after-paying", "settled", "90", 2)]
    [InlineData("reports-twice", "settled", "90", 1)]
    [InlineData("reverses-later", "reversed", "100", 1)]
    [InlineData("dead", "failed", "100", 9)]
    public async Task Whatever_the_rail_does_there_is_one_end(string behaviour, string state, string balance, int leastAttempts)
    {
        var account = await Api.AccountAsync($"of.{behaviour}", "100");
        var id = await ground.WithdrawAsync(account, "10", $"sim.{behaviour}.x");
        if (behaviour == "dead")
        {
            // As long as an order might be carried out, nothing comes back.
            await Task.Delay(3_000);
            Assert.Equal("90", await ground.BalanceAsync(account));
        }

        var found = await ground.UntilAsync(id, state, meanwhile: () => ground.Host.Clock.Advance(Duration.FromSeconds(behaviour == "dead" ? 20 : 1)));
        Assert.True((long)found["attempts"]! >= leastAttempts, found.ToJsonString());
        Assert.Equal(behaviour == "dead" ? "attempts_exhausted" : behaviour == "rejects" ? "payee_unknown" : behaviour == "reverses-later" ? "returned_by_payee" : null, (string?)found["reason"]);
        Assert.Equal(balance, await ground.BalanceAsync(account));
        await ground.ConservationAsync();
        LedgerReading.Audit(await LedgerReading.AllAsync(ground.Host.Host.Database.Store), Check.OnePayout, Check.Conservation);
    }

    /// <summary>A message may come as late as it likes: what has ended is not sent any more.</summary>
    [Fact]
    public async Task A_message_that_comes_again_after_the_end_sends_nothing()
    {
        await Api.AccountAsync("late", "100");
        var id = await ground.WithdrawAsync("late", "10", "sim.rejects.late");
        await ground.UntilAsync(id, "failed");
        // As if the rail had lost what it had: even then.
        var services = ground.Host.Host.App.Services;
        var forgetful = new WatchedRail(new SimulatedPixRail(Path.Combine(ground.Books, "forgetful"), ground.Host.Clock, seed: null));
        var payouts = new Payouts(
            services.GetRequiredService<LedgerWriter>(), services.GetRequiredService<IEventStore>(), services.GetRequiredService<EventCatalog>(), forgetful, ground.Options.Payouts);
        var sender = new PayoutSender("rail-0", payouts, ground.Host.Clock, services.GetRequiredService<ILogger<PayoutSender>>());
        await sender.SendAsync(new OutboxMessage(Guid.NewGuid(), sender.Name, JsonSerializer.SerializeToUtf8Bytes(new { withdrawal = id, attempt = 1 })), CancellationToken.None);
        Assert.Empty(forgetful.Sent);
        Assert.Equal("100", await ground.BalanceAsync("late"));
    }

    private async Task<(int Status, string? Code)> RefusedAsync(string account, string amount, string payee, string? key = null)
    {
        var answer = await Api.PostAsync($"/v2/accounts/{account}/withdrawals", new { amount, payee }, key);
        return (answer.Status, answer.Code);
    }
}
