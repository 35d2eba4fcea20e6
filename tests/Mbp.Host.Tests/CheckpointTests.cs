using System.IO.Compression;
using System.Text.Json.Nodes;
using Mbp.Host.Tests.Hosting;

namespace Mbp.Host.Tests;

/// <summary>The checkpoint of the read models saves time, and is never believed for more than it is.</summary>
public sealed class CheckpointTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private string FilePath => Path.Combine(fixture.Options.Data, "read-models.json.gz");

    [Fact]
    public async Task A_start_goes_on_from_the_checkpoint_and_reads_the_same()
    {
        var before = await HistoryAsync("same");
        await fixture.RestartAsync();
        Assert.True(File.Exists(FilePath));
        Assert.Equal(before, await DigestAsync());
        // And on it goes from there: what came after the checkpoint is folded on top of it.
        await fixture.Api.PostAsync("/v2/accounts/same/credits", new { amount = "5", reason = "more" });
        var after = await DigestAsync();
        Assert.NotEqual(before, after);
        await fixture.RestartAsync();
        Assert.Equal(after, await DigestAsync());
    }

    [Fact]
    public async Task It_is_what_reads_come_from_so_a_change_by_hand_shows_in_the_digest()
    {
        var before = await HistoryAsync("changed");
        await fixture.RestartAsync(whileStopped: () => Change(saved => Account(saved, "changed")["balance"] = "999999"));
        Assert.Equal("999999", (await fixture.Api.GetAsync("/v2/accounts/changed"))["balance"]);
        // The audit folds the events and compares: this is what it sees.
        Assert.NotEqual(before, await DigestAsync());
        await fixture.RestartAsync(whileStopped: () => File.Delete(FilePath));
        Assert.Equal(before, await DigestAsync());
    }

    [Fact]
    public async Task A_key_that_was_revoked_after_the_checkpoint_stays_revoked()
    {
        await HistoryAsync("revoked");
        var issued = (await fixture.Api.PostAsync("/v2/accounts/revoked/keys", new { scopes = new[] { "read" } })).Ok();
        using var owner = fixture.Api.As(issued["apiKey"]);
        Assert.Equal(200, (await owner.GetAsync("/v2/accounts/revoked")).Status);
        byte[] stale = [];
        await fixture.RestartAsync(whileStopped: () => stale = File.ReadAllBytes(FilePath));
        (await fixture.Api.SendAsync(HttpMethod.Delete, $"/v2/accounts/revoked/keys/{issued["keyId"]}", null, null)).Ok();
        await fixture.RestartAsync(whileStopped: () => File.WriteAllBytes(FilePath, stale));
        using var again = fixture.Api.As(issued["apiKey"]);
        Assert.Equal("auth.key_unknown", (await again.GetAsync("/v2/accounts/revoked")).Code);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(FilePath));
        }
    }

    [Fact]
    public async Task A_key_is_in_force_with_the_answer_that_gives_it_and_out_of_force_with_the_one_that_takes_it()
    {
        await HistoryAsync("keyed");
        for (var i = 0; i < 40; i++)
        {
            var issued = (await fixture.Api.PostAsync("/v2/accounts/keyed/keys", new { scopes = new[] { "read" } })).Ok();
            using var owner = fixture.Api.As(issued["apiKey"]);
            Assert.Equal(200, (await owner.GetAsync("/v2/accounts/keyed")).Status);
            (await fixture.Api.SendAsync(HttpMethod.Delete, $"/v2/accounts/keyed/keys/{issued["keyId"]}", null, null)).Ok();
            Assert.Equal(401, (await owner.GetAsync("/v2/accounts/keyed")).Status);
        }
    }

    [Theory]
    [InlineData("damaged")]
    [InlineData("cut")]
    [InlineData("empty")]
    [InlineData("build")]
    [InlineData("ledger")]
    [InlineData("ahead")]
    [InlineData("nothing")]
    [InlineData("words")]
    public async Task One_that_cannot_be_trusted_is_passed_over(string fault)
    {
        var before = await HistoryAsync(fault);
        await fixture.RestartAsync(whileStopped: () =>
        {
            var bytes = File.ReadAllBytes(FilePath);
            switch (fault)
            {
                case "damaged":
                    bytes[bytes.Length / 2] ^= 0x55;
                    File.WriteAllBytes(FilePath, bytes);
                    break;
                case "cut":
                    File.WriteAllBytes(FilePath, bytes[..(bytes.Length / 2)]);
                    break;
                case "empty":
                    File.WriteAllBytes(FilePath, []);
                    break;
                case "build":
                    Change(saved => (saved["build"], Account(saved, fault)["balance"]) = ("another", "1"));
                    break;
                case "ledger":
                    Change(saved => (saved["at"], Account(saved, fault)["balance"]) = ("2020-01-01T00:00:00Z", "1"));
                    break;
                case "nothing":
                    Change(saved => saved["accounts"]![0]!["value"] = null);
                    break;
                case "words":
                    Change(saved => saved["grantedUnits"] = "a lot");
                    break;
                case "ahead":
                    Change(saved => (saved["position"], Account(saved, fault)["balance"]) = (1_000_000, "1"));
                    break;
            }
        });
        Assert.Equal(before, await DigestAsync());
    }

    private async Task<string> HistoryAsync(string account)
    {
        await fixture.Api.AccountAsync(account, "1000");
        return await DigestAsync();
    }

    private async Task<string> DigestAsync() => (await fixture.Api.GetAsync("/v2/audit/digest")).Ok()["digest"];

    private static JsonObject Account(JsonObject saved, string id) =>
        saved["accounts"]!.AsArray().Single(a => (string?)a!["key"] == id)!["value"]!["account"]!.AsObject();

    private void Change(Action<JsonObject> change)
    {
        JsonObject saved;
        using (var unpacked = new GZipStream(File.OpenRead(FilePath), CompressionMode.Decompress))
        {
            saved = JsonNode.Parse(unpacked)!.AsObject();
        }

        change(saved);
        using var packed = new GZipStream(File.Create(FilePath), CompressionLevel.Fastest);
        packed.Write(System.Text.Encoding.UTF8.GetBytes(saved.ToJsonString()));
    }
}
