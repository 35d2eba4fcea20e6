using System.Text;
using Mbp.Domain.Governance.Custody;
using Mbp.Domain.Settlement;
using Mbp.Domain;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres.Custody;
using Mbp.Ledger;
using NodaTime;
using static Mbp.Verify.Tests.Run;

namespace Mbp.Verify.Tests;

public sealed class LogVerbTests : IDisposable
{
    private readonly LogKeyPair _key = new();
    private readonly Scratch _scratch = new();

    public void Dispose()
    {
        _key.Dispose();
        _scratch.Dispose();
    }

    [Fact]
    public async Task An_export_holds_and_every_market_is_decided_again()
    {
        var folder = await ExportAsync("log");
        var (exit, output) = await VerifyAsync("log", folder, "--vkey", _key.Vkey);

        Assert.True(exit == 0, output);
        Assert.Contains("through all tiles to the signed root", output, StringComparison.Ordinal);
        Assert.Contains("2 settled ones", output, StringComparison.Ordinal);
        Assert.DoesNotContain("NO KEY WAS GIVEN", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_key_it_says_aloud_whom_it_believes()
    {
        var (exit, output) = await VerifyAsync("log", await ExportAsync("log"));

        Assert.Equal(0, exit);
        Assert.Contains("NO KEY WAS GIVEN", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_key_is_refused()
    {
        using var other = new LogKeyPair();
        var (exit, output) = await VerifyAsync("log", await ExportAsync("log"), "--vkey", other.Vkey);

        Assert.Equal(1, exit);
        Assert.Contains("no trusted key", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_byte_changed_anywhere_is_found_and_its_file_named()
    {
        var folder = await ExportAsync("log");
        var files = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).ToList();
        Assert.True(files.Count >= 14, $"{files.Count} files");
        foreach (var file in files)
        {
            var good = await File.ReadAllBytesAsync(file);
            var name = Path.GetRelativePath(folder, file);
            foreach (var offset in new[] { 0, good.Length / 3, good.Length - 1 }.Distinct())
            {
                var bad = good.ToArray();
                bad[offset] ^= 0x01;
                await File.WriteAllBytesAsync(file, bad);
                var (exit, output) = await VerifyAsync("log", folder, "--vkey", _key.Vkey);
                Assert.True(exit == 1 && output.Contains(name, StringComparison.Ordinal), $"{name} at {offset}: exit {exit}\n{output}");
            }

            await File.WriteAllBytesAsync(file, good);
        }

        Assert.Equal(0, (await VerifyAsync("log", folder, "--vkey", _key.Vkey)).Exit);
    }

    [Theory]
    [InlineData("delete")]
    [InlineData("insert")]
    [InlineData("swap")]
    public async Task Entries_that_are_deleted_inserted_or_swapped_are_found(string how)
    {
        var folder = await ExportAsync("log");
        var path = Path.Combine(folder, "tile/entries/000");
        var entries = EntryBundle.Parse(await File.ReadAllBytesAsync(path), 256).ToList();
        switch (how)
        {
            case "delete":
                entries.RemoveAt(100);
                break;
            case "insert":
                entries.Insert(100, entries[7]);
                break;
            default:
                (entries[100], entries[101]) = (entries[101], entries[100]);
                break;
        }

        await File.WriteAllBytesAsync(path, EntryBundle.Format(entries));
        var (exit, output) = await VerifyAsync("log", folder, "--vkey", _key.Vkey);

        Assert.Equal(1, exit);
        Assert.Contains(how == "swap" ? "position 101, tile/entries/000" : "position 1, tile/entries/000", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_was_added_or_taken_away_is_named()
    {
        var folder = await ExportAsync("log");
        await File.WriteAllTextAsync(Path.Combine(folder, "anchors/more"), "x");
        File.Delete(Path.Combine(folder, "events/001.jsonl"));
        var (exit, output) = await VerifyAsync("log", folder, "--vkey", _key.Vkey);

        Assert.Equal(1, exit);
        Assert.Contains("anchors/more", output, StringComparison.Ordinal);
        Assert.Contains("events/001.jsonl", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tail_that_was_cut_off_shows_against_a_kept_checkpoint()
    {
        var kept = Path.Combine(await ExportAsync("log"), "checkpoint");
        var cut = await ExportAsync("cut", events => [.. events.Take(events.Count - 5)]);

        Assert.Equal(0, (await VerifyAsync("log", cut, "--vkey", _key.Vkey)).Exit);
        var (exit, output) = await VerifyAsync("log", cut, "--vkey", _key.Vkey, "--old", kept);
        Assert.Equal(1, exit);
        Assert.Contains("its signed word that there were", output, StringComparison.Ordinal);
        Assert.Equal(1, (await VerifyAsync("log", cut, "--vkey", _key.Vkey, "--min-size", $"{Ledger.Events.Count}")).Exit);
        Assert.Equal(0, (await VerifyAsync("log", Path.GetDirectoryName(kept)!, "--vkey", _key.Vkey, "--old", Path.Combine(cut, "checkpoint"))).Exit);
    }

    [Fact]
    public async Task A_history_rewritten_with_the_same_key_shows_against_a_kept_checkpoint()
    {
        var kept = Path.Combine(await ExportAsync("log", events => [.. events.Take(400)]), "checkpoint");
        var rewritten = await ExportAsync("rewritten", events => [.. events.Select(e => e.Position == events.Count - 250 ? e with { Event = e.Event! with { Data = Encoding.UTF8.GetBytes("""{"n":999}""") } } : e)]);

        Assert.Equal(0, (await VerifyAsync("log", rewritten, "--vkey", _key.Vkey)).Exit);
        var (exit, output) = await VerifyAsync("log", rewritten, "--vkey", _key.Vkey, "--old", kept);
        Assert.Equal(1, exit);
        Assert.Contains("signed two histories", output, StringComparison.Ordinal);
        Assert.Equal(1, (await VerifyAsync("consistency", kept, Path.Combine(rewritten, "checkpoint"), "--log", rewritten, "--vkey", _key.Vkey)).Exit);
        Assert.Equal(0, (await VerifyAsync("consistency", kept, Path.Combine(await ExportAsync("again"), "checkpoint"), "--log", _scratch["again"], "--vkey", _key.Vkey)).Exit);
    }

    [Fact]
    public async Task A_payout_changed_before_it_was_signed_is_found_by_deciding_again()
    {
        var position = Ledger.Events.Select((e, i) => (e, i)).First(x => x.e.Body.Type == "payout_recorded").i + 1;
        var folder = await ExportAsync("log", events => [.. events.Select(e => e.Position == position ? e with { Event = Richer(e.Event!) } : e)]);
        var (exit, output) = await VerifyAsync("log", folder, "--vkey", _key.Vkey);

        Assert.Equal(1, exit);
        Assert.Contains("the decider says PayoutRecorded", output, StringComparison.Ordinal);
        Assert.DoesNotContain("MANIFEST", output, StringComparison.Ordinal);
        Assert.Equal(1, (await VerifyAsync("market", "rain", "--log", folder, "--vkey", _key.Vkey)).Exit);
    }

    [Fact]
    public async Task Witnesses_are_counted_and_their_time_is_held_against_the_age()
    {
        using var witness = Ed25519PrivateKey.Create();
        var (now, policy) = (Instant.FromUtc(2026, 1, 1, 12, 0), _scratch["policy"]);
        await File.WriteAllTextAsync(policy, $"log {_key.Vkey}\nwitness w {Cosignature.KeyOf("w.example", witness)}\nquorum w\n");
        var folder = await ExportAsync("log", cosign: note => note.With(Cosignature.Sign("w.example", witness, note.Text, now)));
        var alone = await ExportAsync("alone");

        Assert.Equal(0, (await VerifyAsync("log", folder, "--policy", policy, "--max-age", "1h", "--now", "2026-01-01T12:59:00Z")).Exit);
        var (exit, output) = await VerifyAsync("log", folder, "--policy", policy, "--max-age", "1h", "--now", "2026-01-01T13:01:00Z");
        Assert.Equal(1, exit);
        Assert.Contains("witnesses saw it last at 2026-01-01T12:00:00Z", output, StringComparison.Ordinal);
        Assert.Equal(1, (await VerifyAsync("log", alone, "--policy", policy)).Exit);
        Assert.Equal(2, (await VerifyAsync("log", alone, "--vkey", _key.Vkey, "--max-age", "1h")).Exit);
    }

    [Fact]
    public async Task A_void_position_holds_and_cannot_hide_an_event()
    {
        var folder = await ExportAsync("log", events => [.. events.SkipLast(1), new ExportedEvent(events.Count, null, default)]);
        Assert.Equal(0, (await VerifyAsync("log", folder, "--vkey", _key.Vkey)).Exit);

        var hidden = await ExportAsync("hidden", events => [.. events.Select(e => e.Position == 40 ? new ExportedEvent(40, null, default) : e)]);
        Assert.Equal(1, (await VerifyAsync("log", hidden, "--vkey", _key.Vkey)).Exit);
    }

    [Theory]
    // What is said in the log, of which event, and what is left of it; and what the verifier says.
    [InlineData("nothing", "credits_granted", "reason", "no payload_erased event names this position")]
    [InlineData("nothing", "market_created", "question", "nothing of a market_created may be erased")]
    [InlineData("credits_granted", "credits_granted", "reason", null)]
    [InlineData("credits_granted", "credits_granted", "amount", "names 'reason', which is still there")]
    [InlineData("credits_granted", "market_closed", "reason", "its payload_erased names a credits_granted")]
    [InlineData("another rest", "credits_granted", "reason", "more was changed than the named texts")]
    public async Task An_event_whose_salt_is_gone_needs_an_erasure_of_it_in_the_log(string announced, string type, string field, string? fault)
    {
        var folder = await ExportAsync("log", events =>
        {
            var erased = events.First(e => e.Event!.Type == type);
            var left = erased.Event! with { Data = Erasures.Without(erased.Event.Data, [field]) };
            var all = events.Select(e => e == erased ? new ExportedEvent(e.Position, left, default) : e).ToList();
            if (announced != "nothing")
            {
                var (at, position) = (events[^1].Event!.At + NodaTime.Duration.FromSeconds(1), events.Count + 1);
                var rest = Erased.RestOf(announced == "another rest" ? erased.Event.Data.Span : left.Data.Span, left.Headers.Span);
                var body = Slices.Catalog().Encode(new PayloadErased(erased.Position, announced == "credits_granted" && type != announced ? "account-x" : left.Stream.Value, "credits_granted", ["reason"], rest, "asked", at));
                all.Add(new ExportedEvent(position, Ledger.Stored(new NewEvent(Guid.CreateVersion7(), LogCustody.Stream, 1, body, at, "", "", left.Headers), position), Exports.Salt(position)));
            }

            return all;
        });
        var (exit, output) = await VerifyAsync("log", folder, "--vkey", _key.Vkey);

        Assert.True(exit == (fault is null ? 0 : 1), output);
        Assert.Contains(fault ?? "taken on the operator's word", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_log_is_a_question_and_no_fault()
    {
        Assert.Equal(2, (await VerifyAsync("log", _scratch["nowhere"])).Exit);
        Assert.Equal(2, (await VerifyAsync("log", "http://127.0.0.1:1/log", "--vkey", _key.Vkey)).Exit);
        Assert.Equal(2, (await VerifyAsync("log", await ExportAsync("log"), "--vkey", "nonsense")).Exit);
        Assert.Equal(2, (await VerifyAsync("log")).Exit);
    }

    [Fact]
    public async Task A_position_is_opened_and_proven()
    {
        var folder = await ExportAsync("log");
        Assert.Equal(0, (await VerifyAsync("event", "77", "--log", folder, "--vkey", _key.Vkey)).Exit);
        Assert.Equal(0, (await VerifyAsync("proof", "77", "--log", folder, "--vkey", _key.Vkey, "--out", _scratch["proof"])).Exit);
        var lines = await File.ReadAllLinesAsync(Path.Combine(folder, "events/000.jsonl"));
        await File.WriteAllTextAsync(_scratch["77"], lines[76]);
        await File.WriteAllTextAsync(_scratch["78"], lines[77]);
        Assert.Equal(0, (await VerifyAsync("proof", _scratch["proof"], "--event", _scratch["77"], "--vkey", _key.Vkey)).Exit);
        Assert.Equal(1, (await VerifyAsync("proof", _scratch["proof"], "--event", _scratch["78"], "--vkey", _key.Vkey)).Exit);
        await File.WriteAllTextAsync(_scratch["77"], lines[76].Replace("\"at\":\"2025", "\"at\":\"2024", StringComparison.Ordinal));
        Assert.Equal(1, (await VerifyAsync("event", _scratch["77"], "--log", folder, "--vkey", _key.Vkey)).Exit);
        Assert.Equal(2, (await VerifyAsync("event", "999999", "--log", folder, "--vkey", _key.Vkey)).Exit);
    }

    [Fact]
    public async Task A_market_is_decided_again_from_the_log()
    {
        var (exit, output) = await VerifyAsync("market", "snow", "--log", await ExportAsync("log"), "--vkey", _key.Vkey);
        Assert.True(exit == 0, output);
        Assert.Contains("settlement vector", output, StringComparison.Ordinal);
        Assert.Equal(2, (await VerifyAsync("market", "nosuch", "--log", _scratch["log"], "--vkey", _key.Vkey)).Exit);
    }

    [Fact]
    public async Task A_corrected_market_is_decided_again_to_its_last_correction()
    {
        var events = Exports.All(Ledger.Corrected());
        await Exports.WriteAsync(_scratch["log"], _key, events);
        var (exit, output) = await VerifyAsync("log", _scratch["log"], "--vkey", _key.Vkey);
        Assert.True(exit == 0, output);
        (exit, output) = await VerifyAsync("market", "rain", "--log", _scratch["log"], "--vkey", _key.Vkey);
        Assert.True(exit == 0, output);
        Assert.Contains("correction 2 by op-1 and op-2", output, StringComparison.Ordinal);

        // Whoever kept a unit of what it owes is found from the market's events alone.
        await Exports.WriteAsync(_scratch["kept"], _key, [.. events.Select(e => e.Event is { Type: "payout_corrected" } stored ? e with { Event = Kept(stored) } : e)]);
        Assert.Equal(1, (await VerifyAsync("market", "rain", "--log", _scratch["kept"], "--vkey", _key.Vkey)).Exit);
    }

    [Fact]
    public async Task Evidence_is_held_against_its_root()
    {
        var folder = await ExportAsync("log");
        var root = (await File.ReadAllLinesAsync(Path.Combine(folder, "MANIFEST")))[0].Split(' ')[2];
        Assert.Equal(0, (await VerifyAsync("evidence", folder, "--root", root)).Exit);
        Assert.Equal(1, (await VerifyAsync("evidence", folder, "--root", new string('0', 64))).Exit);
        await File.AppendAllTextAsync(Path.Combine(folder, "vkeys"), "#");
        Assert.Equal(1, (await VerifyAsync("evidence", folder)).Exit);
    }

    [Fact]
    public async Task A_file_that_was_put_among_the_evidence_is_named()
    {
        var folder = Directory.CreateDirectory(_scratch["pack"]).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "a"), "a");
        var root = EvidenceTree.Root([new EvidenceFile("pack/a", new MerkleHash(System.Security.Cryptography.SHA256.HashData("a"u8)))]);
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("a"u8));
        await File.WriteAllTextAsync(Path.Combine(folder, "ANCHOR.json"), $$"""{"root":"{{root}}","at":"now","paths":["pack"],"files":[{"path":"pack/a","size":1,"sha256":"{{hash}}"}]}""");
        await File.WriteAllTextAsync(Path.Combine(folder, "ANCHOR.txt"), $"{root}\n");
        var (exit, output) = await VerifyAsync("evidence", folder, "--base", Path.GetDirectoryName(folder)!, "--root", root.ToString());
        Assert.True(exit == 0, output);
        Directory.CreateDirectory(Path.Combine(folder, "deep"));
        await File.WriteAllTextAsync(Path.Combine(folder, "deep", "b"), "b");
        (exit, output) = await VerifyAsync("evidence", folder, "--base", Path.GetDirectoryName(folder)!, "--root", root.ToString());
        Assert.Equal(1, exit);
        Assert.Contains("pack/deep/b: it is not among the files", output, StringComparison.Ordinal);
    }

    private static StoredEvent Kept(StoredEvent stored)
    {
        var catalog = Domain.Slices.Catalog();
        var posted = (PayoutCorrected)catalog.Decode(stored).Data;
        var unit = Domain.Units.Credits.FromUnits(1);
        return posted.Due < posted.Before ? stored with { Data = catalog.Encode(posted with { Moved = posted.Moved - unit, Due = posted.Due + unit }).Data } : stored;
    }

    private static StoredEvent Richer(StoredEvent stored)
    {
        var catalog = Domain.Slices.Catalog();
        var payout = (PayoutRecorded)catalog.Decode(stored).Data;
        var more = Domain.Units.Credits.FromUnits(1);
        return stored with { Data = catalog.Encode(payout with { Shares = payout.Shares + more, Amount = payout.Amount + more }).Data };
    }

    private async Task<string> ExportAsync(string name, Func<IReadOnlyList<ExportedEvent>, IReadOnlyList<ExportedEvent>>? tamper = null, Func<SignedNote, SignedNote>? cosign = null)
    {
        var events = Exports.All(Ledger.Events);
        await Exports.WriteAsync(_scratch[name], _key, tamper?.Invoke(events) ?? events, cosign);
        return _scratch[name];
    }
}
