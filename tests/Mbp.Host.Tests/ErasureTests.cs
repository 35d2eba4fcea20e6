using System.Globalization;
using Mbp.Domain;
using Mbp.Domain.Audit;
using Mbp.Domain.Governance.Custody;
using Mbp.Host.Tests.Hosting;
using Mbp.Ledger;
using Mbp.Ledger.Postgres.Custody;
using Mbp.Ledger.Reading;
using Mbp.Testing;

namespace Mbp.Host.Tests;

/// <summary>A text that was erased is nowhere any more: in no answer, no table, no stream, and not after a restart either. The books stay.</summary>
public sealed class ErasureTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private Api Api => fixture.Api;

    [Fact]
    public async Task An_erased_reason_is_nowhere_any_more()
    {
        const string Secret = "joana-dos-santos";
        await Api.PostAsync("/v2/accounts", new { id = "erased1" });
        var granted = (await Api.PostAsync("/v2/accounts/erased1/credits", new { amount = "20000", reason = $"gift of {Secret} one" })).Ok().Position;
        var market = await Api.MarketAsync("erased1");
        var halted = (await Api.PostAsync($"/v2/markets/{market}/halt", new { level = "hard", reason = $"asked by {Secret} two" })).Ok().Position;
        Assert.Contains(Secret, (await Api.BuyAsync(market, "erased1", "YES", "10")).Text, StringComparison.Ordinal);
        Assert.Equal(["erased1"], await UntilShownAsync(Secret));
        Assert.Contains(Secret, string.Concat(await AnswersAsync(market)), StringComparison.Ordinal);

        await EraseAsync(granted);
        await EraseAsync(halted);

        Assert.DoesNotContain(Secret, string.Concat(await AnswersAsync(market)), StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, (await Api.BuyAsync(market, "erased1", "YES", "10")).Text, StringComparison.Ordinal);
        Assert.Contains("[erased]", (await Api.GetAsync("/v2/accounts/erased1/statement")).Ok().Text, StringComparison.Ordinal);
        Assert.Empty(await TablesWithAsync(Secret));
        Assert.True((await Api.GetAsync("/v2/audit/conservation")).Ok().Json["holds"]!.GetValue<bool>());
        await HoldsAsync(granted, halted);

        // Only the note in the ledger; a market that goes on is not hindered.
        (await Api.PostAsync($"/v2/markets/{market}/resume", new { reason = "over" })).Ok();
        (await Api.BuyAsync(market, "erased1", "YES", "10")).Ok();
        await fixture.RestartAsync();
        Assert.DoesNotContain(Secret, string.Concat(await AnswersAsync(market)), StringComparison.Ordinal);
        await HoldsAsync(granted, halted);
    }

    [Fact]
    public async Task An_erasure_that_was_interrupted_is_finished_at_the_start()
    {
        const string Secret = "maria-da-silva";
        await Api.PostAsync("/v2/accounts", new { id = "erased2" });
        var granted = (await Api.PostAsync("/v2/accounts/erased2/credits", new { amount = "1", reason = Secret })).Ok().Position;
        await UntilShownAsync(Secret, "erased2");
        // Announced, and then the host died: the row and the salt are as they were before.
        var before = await PostgresFixture.RowsAsync(fixture.Superuser, string.Create(CultureInfo.InvariantCulture, $"SELECT data FROM mt_events WHERE seq_id = {granted}"));
        var salts = await PostgresFixture.RowsAsync(fixture.Superuser, string.Create(CultureInfo.InvariantCulture, $"SELECT last_position, encode(salts, 'hex') FROM ledger_salt WHERE last_position >= {granted} ORDER BY 1 LIMIT 1"));
        await EraseAsync(granted);
        await fixture.StopAsync();
        var salt = salts[0].Split('|');
        await PostgresFixture.ExecuteAsync(fixture.Superuser, string.Create(
            CultureInfo.InvariantCulture,
            $"""
            ALTER TABLE mt_events DISABLE TRIGGER ALL; ALTER TABLE ledger_salt DISABLE TRIGGER ALL;
            UPDATE mt_events SET data = '{before[0]}' WHERE seq_id = {granted}; UPDATE ledger_salt SET salts = decode('{salt[1]}', 'hex') WHERE last_position = {salt[0]};
            UPDATE mbp_postings SET reference = '{Secret}' WHERE position = {granted};
            ALTER TABLE mt_events ENABLE TRIGGER ALL; ALTER TABLE ledger_salt ENABLE TRIGGER ALL;
            ALTER TABLE mt_events ENABLE ALWAYS TRIGGER mbp_append_only; ALTER TABLE ledger_salt ENABLE ALWAYS TRIGGER mbp_append_only
            """));
        Assert.NotEmpty(await TablesWithAsync(Secret));

        await fixture.StartAgainAsync();
        for (var until = DateTimeOffset.UtcNow.AddSeconds(20); (await TablesWithAsync(Secret)).Count > 0; await Task.Delay(100))
        {
            Assert.True(DateTimeOffset.UtcNow < until, string.Join(", ", await TablesWithAsync(Secret)));
        }
    }

    [Fact]
    public async Task What_may_not_be_erased_is_refused()
    {
        await Api.PostAsync("/v2/accounts", new { id = "erased3" });
        var granted = (await Api.PostAsync("/v2/accounts/erased3/credits", new { amount = "1", reason = "gift" })).Ok().Position;
        var head = await Api.HeadAsync();
        Assert.Equal("custody.not_erasable", (await PostAsync(granted, "amount")).Code);
        Assert.Equal("custody.not_erasable", (await PostAsync(granted, "nothing")).Code);
        Assert.Equal("custody.event_not_found", (await PostAsync(head + 1_000_000, "reason")).Code);
        Assert.Equal("request.invalid", (await Api.PostAsync("/v2/custody/erasures", new { position = granted, fields = Array.Empty<string>(), why = "asked" })).Code);
        Assert.Equal("request.invalid", (await Api.PostAsync("/v2/custody/erasures", new { position = granted, fields = new[] { "reason" } })).Code);
        var trader = (await Api.PostAsync("/v2/accounts/erased3/keys", new { scopes = new[] { "trade", "read" } })).Ok()["apiKey"];
        using var stranger = Api.As(trader);
        Assert.Equal(403, (await stranger.PostAsync("/v2/custody/erasures", new { position = granted, fields = new[] { "reason" }, why = "asked" })).Status);
    }

    private Task<Answer> PostAsync(long position, string field) => Api.PostAsync("/v2/custody/erasures", new { position, fields = new[] { field }, why = "request 12" });

    private async Task EraseAsync(long position)
    {
        var erased = (await PostAsync(position, "reason")).Ok();
        Assert.True(erased.Position > position);
        // Once more is no harm, and no second event; it names the first one, whatever came since.
        (await Api.PostAsync("/v2/accounts", new { id = $"since-{position}" })).Ok();
        var head = await Api.HeadAsync();
        Assert.Equal(erased.Position, (await PostAsync(position, "reason")).Ok().Position);
        Assert.Equal(head, await Api.HeadAsync());
    }

    /// <summary>Everything that shows a market or its account.</summary>
    private async Task<IReadOnlyList<string>> AnswersAsync(string market)
    {
        var answers = new List<string>();
        foreach (var path in new[]
                 {
                     $"/v2/markets/{market}", $"/v2/markets/{market}/page", $"/v2/markets/{market}/events", $"/v2/markets/{market}/resolution",
                     "/v2/accounts/erased1", "/v2/accounts/erased1/statement", "/v2/accounts/erased1/positions", "/v2/audit", $"/v2/markets/{market}/audit", "/v2/markets",
                 })
        {
            answers.Add((await Api.GetAsync(path)).Ok().Text);
        }

        var head = await Api.HeadAsync();
        answers.Add((await Api.GetAsync(string.Create(CultureInfo.InvariantCulture, $"/v2/markets/{market}?at={head}"))).Ok().Text);
        answers.Add(await StreamedAsync(head));
        return answers;
    }

    private async Task<string> StreamedAsync(long head)
    {
        using var http = new HttpClient { BaseAddress = Api.Address };
        http.DefaultRequestHeaders.Add("Authorization", $"Bearer {(await File.ReadAllTextAsync(Path.Combine(fixture.Options.Data, "api-key"))).Trim()}");
        await using var stream = await http.GetStreamAsync(new Uri(Api.Address, "/v2/stream?from=0"));
        using var reader = new StreamReader(stream);
        var text = new System.Text.StringBuilder();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (await reader.ReadLineAsync(patience.Token) is { } line)
        {
            text.AppendLine(line);
            if (line.StartsWith("id: ", StringComparison.Ordinal) && long.Parse(line[4..], CultureInfo.InvariantCulture) >= head)
            {
                break;
            }
        }

        return text.ToString();
    }

    private async Task<IReadOnlyList<string>> UntilShownAsync(string secret, string account = "erased1")
    {
        for (var until = DateTimeOffset.UtcNow.AddSeconds(20); ; await Task.Delay(50))
        {
            // Tables are made beside the first commands of a new ledger; this is the last of them.
            if ((await PostgresFixture.RowsAsync(fixture.Superuser, "SELECT to_regclass('mbp_audit_trail')::text"))[0].Length > 0)
            {
                var accounts = await PostgresFixture.RowsAsync(fixture.Superuser, $"SELECT DISTINCT account_id FROM mbp_postings WHERE reference LIKE '%{secret}%'");
                var trail = await PostgresFixture.RowsAsync(fixture.Superuser, $"SELECT position FROM mbp_audit_trail WHERE reason LIKE '%{secret}%'");
                if (accounts.Count > 0 && trail.Count > (account == "erased1" ? 1 : 0))
                {
                    return accounts;
                }
            }

            Assert.True(DateTimeOffset.UtcNow < until, "The tables do not show it.");
        }
    }

    /// <summary>Every table of the database that has the text in any column.</summary>
    private async Task<IReadOnlyList<string>> TablesWithAsync(string secret)
    {
        var found = new List<string>();
        foreach (var table in await PostgresFixture.RowsAsync(fixture.Superuser, "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"))
        {
            // A bytea column shows as hex.
            var hex = Convert.ToHexStringLower(System.Text.Encoding.UTF8.GetBytes(secret));
            if ((await PostgresFixture.RowsAsync(fixture.Superuser, $"SELECT 1 FROM {table} t WHERE t::text LIKE '%{secret}%' OR t::text LIKE '%{hex}%' LIMIT 1")).Count > 0)
            {
                found.Add(table);
            }
        }

        return found;
    }

    /// <summary>As <c>mbp audit replay</c> would have it: decisions are the same over the marks, and what the log says is what there is.</summary>
    private async Task HoldsAsync(params IEnumerable<long> erased)
    {
        var database = fixture.Host.Database;
        await using var check = new DeepCheck(database.Connections, database.Store, Erasable.Of);
        await check.PrepareAsync(CancellationToken.None);
        var (audit, command) = (new LedgerAudit(), new List<Recorded>());
        var head = await database.Store.HeadAsync(CancellationToken.None);
        await foreach (var page in DecodedPages.ReadAsync(database.Store, Slices.Catalog(), 0, head, check.InspectAsync, CancellationToken.None))
        {
            foreach (var recorded in page)
            {
                if (command.Count > 0 && command[^1].Stored.CausationId != recorded.Stored.CausationId)
                {
                    audit.Observe(command);
                    command.Clear();
                }

                command.Add(recorded);
            }
        }

        audit.Observe(command);
        Assert.Empty(audit.Report.Faults);
        Assert.Empty(check.Report.Faults);
        Assert.Equal(head, check.Report.Checks);
        Assert.Subset(check.Report.Erased.ToHashSet(), erased.ToHashSet());
    }
}
