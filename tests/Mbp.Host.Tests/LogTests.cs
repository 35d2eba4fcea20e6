using System.Buffers;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Mbp.Domain;
using Mbp.Host.Tests.Hosting;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres.Log;
using Mbp.Ledger.Postgres.Reading;

namespace Mbp.Host.Tests;

/// <summary>The public log as a stranger sees it: over HTTP, without a key, with nothing but the formats.</summary>
public sealed class LogTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private Api Api => fixture.Api;

    [Fact]
    public async Task Every_answer_to_a_command_has_a_receipt_that_a_later_checkpoint_bears_out()
    {
        var house = $"house-{Guid.NewGuid():n}"[..20];
        var receipts = new List<LogReceipt> { Receipt(await Api.PostAsync("/v2/accounts", new { id = house })), Receipt(await Api.PostAsync($"/v2/accounts/{house}/credits", new { amount = "50000", reason = "test" })) };
        var created = await Api.PostAsync("/v2/markets", new { template = "TPL-YESNO-01", question = "Will it rain?", account = house, liquidity = "10000", ruleset = "replay" });
        receipts.Add(Receipt(created));
        var market = created["id"];
        receipts.Add(Receipt(await Api.BuyAsync(market, house, "YES", "10", "key-1")));
        receipts.Add(Receipt(await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount = "5", account = house })));
        receipts.Add(Receipt(await Api.PostAsync($"/v2/markets/{market}/halt", new { reason = "test" })));
        receipts.Add(Receipt(await Api.PostAsync($"/v2/markets/{market}/close", new { reason = "test" })));

        // The answer that is given again has the trade, not its receipt.
        var again = (await Api.BuyAsync(market, house, "YES", "10", "key-1")).Ok();
        Assert.Equal(receipts[3].Position, again.Position);
        Assert.Null(again.Json["receipt"]);

        var key = await KeyAsync();
        (await Api.PostAsync("/v2/log/checkpoint")).Ok();
        foreach (var receipt in receipts)
        {
            Assert.True(receipt.Verify(key).Holds, string.Join(' ', receipt.Verify(key).Faults));
            var proof = TlogProof.Parse((await AnybodyAsync($"/log/proof/{receipt.Position}")).Ok().Text);
            Assert.True(proof.Verify(receipt.LeafHash, key).Holds);
            Assert.Equal(receipt.Position - 1, proof.Index);
            Assert.False(proof.Verify(MerkleTree.LeafHash([1]), key).Holds);
        }
    }

    [Fact]
    public async Task An_event_opens_its_entry_and_the_entry_is_in_the_log()
    {
        await Api.AccountAsync($"open-{Guid.NewGuid():n}"[..20], "100");
        var signed = (await Api.PostAsync("/v2/log/checkpoint")).Ok().Json["size"]!.GetValue<long>();
        var key = await KeyAsync();
        for (var position = Math.Max(1, signed - 40); position <= signed; position++)
        {
            var e = (await AnybodyAsync($"/events/{position}")).Ok().Json;
            var leaf = Convert.FromBase64String((string)e["leaf"]!);
            Assert.Equal((string)e["leafHash"]!, Convert.ToBase64String(MerkleTree.LeafHash(leaf).ToArray()));
            Assert.True(TlogProof.Parse((await AnybodyAsync($"/log/proof/{position}")).Ok().Text).Verify(MerkleTree.LeafHash(leaf), key).Holds);

            var entry = JsonNode.Parse(leaf)!;
            var salt = Convert.FromBase64String((string)e["salt"]!);
            Assert.Equal((string)entry["data"]!, Commitment(salt, e["data"]!));
            Assert.Equal((string)entry["headers"]!, Commitment(salt, e["headers"]!));
            foreach (var field in new[] { "id", "stream", "type", "at" })
            {
                Assert.Equal((string)entry[field]!, (string)e[field]!);
            }

            Assert.Equal((long)entry["version"]!, (long)e["version"]!);
        }
    }

    [Fact]
    public async Task The_tiles_are_those_of_the_checkpoint_and_nothing_is_served_that_is_not_signed()
    {
        var house = await Api.AccountAsync($"tiles-{Guid.NewGuid():n}"[..20], "50000");
        var market = await Api.MarketAsync(house);
        await Task.WhenAll(Enumerable.Range(0, 160).Select(_ => Api.BuyAsync(market, house, "YES", "1")));
        (await Api.PostAsync("/v2/log/checkpoint")).Ok();
        var answer = (await AnybodyAsync("/log/checkpoint")).Ok();
        Assert.Equal("text/plain", answer.ContentType);
        var checkpoint = Checkpoint.Of(SignedNote.Parse(answer.Text));
        Assert.True(checkpoint.Size > 256);

        using var http = new HttpClient { BaseAddress = fixture.Host.Address };
        var tree = TileTree.For(checkpoint, new HttpTiles(http));
        for (var index = 0L; index < checkpoint.Size; index += 37)
        {
            await tree.InclusionAsync(index, CancellationToken.None);
        }

        var hashes = new MerkleFrontier();
        foreach (var path in TilePath.Bundles(checkpoint.Size))
        {
            foreach (var entry in EntryBundle.Parse(await http.GetByteArrayAsync(new Uri($"log/{path}", UriKind.Relative)), path.Width))
            {
                hashes.Append(MerkleTree.LeafHash(entry.Span));
            }
        }

        Assert.Equal(checkpoint.Root, hashes.Root());

        using var full = await http.GetAsync(new Uri("log/tile/0/000", UriKind.Relative));
        Assert.Equal("application/octet-stream", full.Content.Headers.ContentType?.MediaType);
        Assert.Contains("immutable", full.Headers.CacheControl!.ToString(), StringComparison.Ordinal);
        Assert.Equal(8_192, (await full.Content.ReadAsByteArrayAsync()).Length);

        // Beyond the log; a width that no checkpoint had; a full tile that is not full yet; no path at all.
        var log = fixture.Host.Database.Log;
        var sizes = (await log.Store.ListAsync(log.Epoch, 0, 10_000, CancellationToken.None)).Select(stored => stored.Size).ToHashSet();
        var never = Enumerable.Range(1, 255).First(width => !sizes.Contains(width));
        foreach (var path in new[] { "0/999", "9/000", "0/x123/456", $"0/{checkpoint.Size / 256:000}", "entries/999", $"0/000.p/{never}" })
        {
            Assert.Equal("log.no_such_tile", (await AnybodyAsync($"/log/tile/{path}")).Code);
        }

        foreach (var path in new[] { "0/1", "0/0000", "64/000", "-1/000", "0/000.p/0", "0/000.p/256", "0/000.p/07", "entries", "entries/x000/001", "0/000/" })
        {
            var bad = await AnybodyAsync($"/log/tile/{path}");
            Assert.Equal((400, "path"), (bad.Status, (string?)bad.Json["errors"]?[0]?["field"]));
        }
    }

    [Fact]
    public async Task What_is_not_there_or_asked_wrongly_says_so()
    {
        var signed = (await Api.PostAsync("/v2/log/checkpoint")).Ok().Json["size"]!.GetValue<long>();
        Assert.Equal((404, "log.beyond"), Status(await AnybodyAsync("/log/proof/99999999")));
        Assert.Equal((404, "log.beyond"), Status(await AnybodyAsync("/events/99999999")));
        foreach (var (path, field) in new[]
        {
            ("/log/proof/0", "position"), ("/log/proof/-1", "position"), ("/log/proof/abc", "position"), ("/log/proof/1.0", "position"), ("/events/0", "position"), ("/events/x", "position"),
            ("/log/consistency", "from"), ("/log/consistency?from=1&to=x", "to"), ("/log/consistency?from=99999999", "from"), ("/log/consistency?from=1&to=99999999", "to"), ("/log/consistency?from=3&to=2", "from"),
        })
        {
            var bad = await AnybodyAsync(path);
            Assert.Equal((400, "request.invalid", field), (bad.Status, bad.Code, (string?)bad.Json["errors"]![0]!["field"]));
        }

        var from = 1 + (signed / 2);
        var proof = (await AnybodyAsync($"/log/consistency?from={from}&to={signed}")).Ok().Json;
        var log = fixture.Host.Database.Log;
        var hashes = proof["proof"]!.AsArray().Select(hash => new MerkleHash(Convert.FromBase64String((string)hash!))).ToList();
        var (first, second) = (await TileTree.Of(from, log.Tiles).RootAsync(CancellationToken.None), await TileTree.Of(signed, log.Tiles).RootAsync(CancellationToken.None));
        Assert.True(MerkleProof.VerifyConsistency(from, signed, first, second, hashes));
    }

    [Fact]
    public async Task A_rotation_that_was_interrupted_is_finished_by_the_next_call()
    {
        Assert.Equal("added", (await Api.PostAsync("/v2/log/keys/rotate", new { })).Ok()["done"]);
        await Api.AccountAsync($"halfway-{Guid.NewGuid():n}"[..20], "1");
        Assert.Equal("retired", (await Api.PostAsync("/v2/log/keys/rotate", new { now = true })).Ok()["done"]);

        // The next key was kept, and the process ended before it was announced.
        var log = fixture.Host.Database.Log;
        var kept = log.Keys.Create(log.Origin);
        await log.Store.AddKeyAsync(log.Epoch, kept, await Api.HeadAsync(), CancellationToken.None);
        Assert.DoesNotContain(kept.ToString(), await CustodyAsync(), StringComparison.Ordinal);

        Assert.Equal("waiting", (await Api.PostAsync("/v2/log/keys/rotate", new { })).Ok()["done"]);
        Assert.Contains(kept.ToString(), await CustodyAsync(), StringComparison.Ordinal);
        Assert.Equal("retired", (await Api.PostAsync("/v2/log/keys/rotate", new { now = true })).Ok()["done"]);
        Assert.Equal(SignatureState.Valid, SignedNote.Parse((await Api.PostAsync("/v2/log/checkpoint")).Ok()["note"]).Verify(kept));

        async Task<string> CustodyAsync()
        {
            var said = new System.Text.StringBuilder();
            await foreach (var stored in fixture.Host.Database.Store.ReadStreamAsync(Mbp.Ledger.StreamId.Parse("custody"), 0, CancellationToken.None))
            {
                said.Append(System.Text.Encoding.UTF8.GetString(stored.Data.Span));
            }

            return said.ToString();
        }
    }

    [Fact]
    public async Task Only_the_headers_are_given_to_whoever_asks_for_no_more()
    {
        (await Api.PostAsync("/v2/log/checkpoint")).Ok();
        using var http = new HttpClient { BaseAddress = Api.Address };
        foreach (var path in new[] { "/log/checkpoint", "/log/vkeys", "/log/proof/1", "/log/tile/0/000.p/1", "/log/consistency?from=1" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Head, path);
            using var head = await http.SendAsync(request);
            using var whole = await http.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal((whole.StatusCode, whole.Content.Headers.ContentType, 0), (head.StatusCode, head.Content.Headers.ContentType, (await head.Content.ReadAsByteArrayAsync()).Length));
            Assert.Equal(whole.Headers.CacheControl, head.Headers.CacheControl);
        }

        using var checkpoint = await http.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/log/checkpoint"));
        Assert.Equal(System.Net.HttpStatusCode.OK, checkpoint.StatusCode);
    }

    [Fact]
    public async Task Keys_are_rotated_under_load_and_everything_verifies_under_the_key_that_signed_it()
    {
        var house = await Api.AccountAsync($"rotate-{Guid.NewGuid():n}"[..20], "50000");
        var market = await Api.MarketAsync(house);
        var receipts = new ConcurrentBag<LogReceipt>();
        using var stop = new CancellationTokenSource();
        var load = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                receipts.Add(Receipt(await Api.BuyAsync(market, house, "YES", "1")));
            }
        })).ToArray();

        var old = (await KeysAsync())[0];
        Assert.Equal("added", (await Api.PostAsync("/v2/log/keys/rotate", new { })).Ok()["done"]);
        var next = (await KeysAsync())[0];
        Assert.NotEqual(old, next);
        Assert.Equal("waiting", (await Api.PostAsync("/v2/log/keys/rotate", new { })).Ok()["done"]);
        await GrowAsync();
        var both = SignedNote.Parse((await AnybodyAsync("/log/checkpoint")).Ok().Text);
        Assert.Equal([SignatureState.Valid, SignatureState.Valid], new[] { old, next }.Select(both.Verify));

        var retired = (await Api.PostAsync("/v2/log/keys/rotate", new { now = true, reason = "drill" })).Ok().Json;
        Assert.Equal("retired", (string?)retired["done"]);
        await GrowAsync();
        await stop.CancelAsync();
        await Task.WhenAll(load);
        var signed = SignedNote.Parse((await Api.PostAsync("/v2/log/checkpoint")).Ok()["note"]);
        Assert.Equal([SignatureState.Absent, SignatureState.Valid], new[] { old, next }.Select(signed.Verify));

        var log = fixture.Host.Database.Log;
        var record = (await log.Store.KeysAsync(log.Epoch, CancellationToken.None)).Single(key => key.Key == old);
        var (from, until) = (record.From, record.Until!.Value);
        Assert.False(File.Exists(log.Keys.PathOf(old)));
        Assert.Contains(receipts, receipt => receipt.KeyId == old.KeyId);
        Assert.Contains(receipts, receipt => receipt.KeyId == next.KeyId);
        foreach (var receipt in receipts)
        {
            Assert.True(receipt.Verify(receipt.KeyId == old.KeyId ? old : next).Holds);
            Assert.True(receipt.KeyId == next.KeyId || receipt.Position <= until, $"The old key signed a receipt for {receipt.Position}; its time ended with {until}.");
        }

        foreach (var checkpoint in await log.Store.ListAsync(log.Epoch, 0, 10_000, CancellationToken.None))
        {
            Assert.DoesNotContain(SignatureState.Invalid, (await KeysAsync()).Select(checkpoint.Note.Verify));
            Assert.Contains(SignatureState.Valid, (await KeysAsync()).Select(checkpoint.Note.Verify));
            Assert.Equal(checkpoint.Size >= from && checkpoint.Size <= until, checkpoint.Note.Verify(old) == SignatureState.Valid);
        }

        // Every table made again from the events: the log is not touched, and is what it was to the byte.
        var database = fixture.Host.Database;
        Assert.True((await new LogRebuild(log, database.Connections).RunAsync(CancellationToken.None)).Holds);
        var notes = await NotesAsync();
        Assert.True((await new ProjectionRebuild(database.Connections, database.Store, Slices.Catalog()).RunAsync(ReadModels.All, dryRun: false, CancellationToken.None)).Swapped);
        Assert.Equal(notes, (await NotesAsync()).Take(notes.Count));
        Assert.True((await new LogRebuild(log, database.Connections).RunAsync(CancellationToken.None)).Holds);

        async Task<List<string>> NotesAsync() => [.. (await log.Store.ListAsync(log.Epoch, 0, 10_000, CancellationToken.None)).Select(stored => stored.Note.Format())];

        async Task GrowAsync()
        {
            for (var seen = receipts.Count; receipts.Count < seen + 20;)
            {
                await Task.Delay(10);
            }

            (await Api.PostAsync("/v2/log/checkpoint")).Ok();
        }
    }

    [Fact]
    public async Task Events_can_be_closed_to_the_public_and_the_log_stays_open()
    {
        await fixture.RestartAsync(fixture.Options with { EventsForOperatorsOnly = true });
        Assert.Equal(401, (await AnybodyAsync("/events/1")).Status);
        (await Api.GetAsync("/events/1")).Ok();
        (await AnybodyAsync("/log/proof/1")).Ok();
        await fixture.RestartAsync();
        (await AnybodyAsync("/events/1")).Ok();
    }

    [Fact]
    public async Task A_halted_log_is_red_and_trades_go_on()
    {
        await Api.AccountAsync($"before-{Guid.NewGuid():n}"[..20], "1");
        (await Api.PostAsync("/v2/log/checkpoint")).Ok();
        var file = fixture.Host.Database.Log.LastSigned.FilePath;
        var note = await File.ReadAllBytesAsync(file);
        await File.WriteAllTextAsync(file, "no note");
        try
        {
            (await Api.PostAsync("/v2/accounts", new { id = $"after-{Guid.NewGuid():n}"[..20] })).Ok();
            Assert.Equal("log.halted_last_signed", (await Api.PostAsync("/v2/log/checkpoint")).Code);
            var ready = await AnybodyAsync("/health/ready");
            Assert.Equal(503, ready.Status);
            Assert.StartsWith("halted (last_signed)", (string?)ready.Json["components"]!["log"], StringComparison.Ordinal);
            Assert.Equal("last_signed", (string?)(await Api.GetAsync("/status")).Ok().Json["log"]!["halted"]);
            (await Api.PostAsync("/v2/accounts", new { id = $"during-{Guid.NewGuid():n}"[..20] })).Ok();
        }
        finally
        {
            await File.WriteAllBytesAsync(file, note);
        }
        (await Api.PostAsync("/v2/log/checkpoint")).Ok();
        Assert.Equal(200, (await AnybodyAsync("/health/ready")).Status);
    }

    private static (int, string?) Status(Answer answer) => (answer.Status, answer.Code);

    private static LogReceipt Receipt(Answer answer) => LogReceipt.Parse(Encoding.UTF8.GetBytes(answer.Ok().Json["receipt"]?.ToJsonString() ?? throw new InvalidDataException($"No receipt: {answer}")));

    private static string Commitment(byte[] salt, JsonNode json)
    {
        var canonical = new ArrayBufferWriter<byte>();
        CanonicalJson.Write(Encoding.UTF8.GetBytes(json.ToJsonString()), canonical);
        return Convert.ToBase64String(HMACSHA256.HashData(salt, canonical.WrittenSpan));
    }

    private async Task<Answer> AnybodyAsync(string path)
    {
        using var anybody = Api.As(otherKey: null);
        return await anybody.GetAsync(path);
    }

    private async Task<IReadOnlyList<VerifierKey>> KeysAsync() =>
        [.. (await AnybodyAsync("/log/vkeys")).Ok().Text.TrimEnd('\n').Split('\n').Select(VerifierKey.Parse)];

    private async Task<VerifierKey> KeyAsync() => (await KeysAsync())[0];

    private sealed class HttpTiles(HttpClient http) : ITileReader
    {
        public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(TilePath path, CancellationToken ct) => await http.GetByteArrayAsync(new Uri($"log/{path}", UriKind.Relative), ct);
    }
}
