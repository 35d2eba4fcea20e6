using System.Net;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Testing;
using NodaTime;
using Npgsql;
using Xunit.Abstractions;

namespace Mbp.Host.Tests.Tampering;

/// <summary>
/// Who sees what (integrity.md, section 3), end to end: a real host's ledger, changed by a superuser in each way that there is, and every check that
/// must see it, with no more in hand than its row of the table grants; and the checks that cannot see it, which say so by holding.
/// </summary>
public sealed class TamperTests(HonestLedger ledger, ITestOutputHelper output) : IClassFixture<HonestLedger>
{
    public static TheoryData<string> Rows =>
    [
        "nothing", "data edited", "leaf edited", "leaf hash edited", "tile edited", "data and leaf edited", "event deleted", "event and leaf deleted", "event deleted, the rest moved up",
        "event added at the end", "event inserted with its leaf", "two events swapped", "two events and their leaves swapped", "tail cut off", "tail cut off, last signed head too",
        "history rewritten and signed again", "two versions shown", "old view shown", "event left out and signed again",
    ];

    private string Vkey => ledger.Key.ToString();

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task What_a_superuser_changes_is_seen(string row)
    {
        await using var copy = await TamperedCopy.MakeAsync(ledger, row.Replace(' ', '-').Replace(",", "", StringComparison.Ordinal));
        var seen = new List<string>();
        await (row switch
        {
            "nothing" => NothingAsync(),
            "data edited" => DataEditedAsync(),
            "leaf edited" => LeafEditedAsync(() => copy.EditLeafAsync(ledger.Granted, TamperedCopy.OneCharacter, rehash: false)),
            "leaf hash edited" => LeafEditedAsync(() => copy.ExecuteAsync(
                $"UPDATE ledger_leaf SET hashes = set_byte(hashes, (32 * ({ledger.Granted} - first_position))::int, 255 - get_byte(hashes, (32 * ({ledger.Granted} - first_position))::int)) WHERE first_position <= {ledger.Granted} AND last_position >= {ledger.Granted}")),
            "tile edited" => TileEditedAsync(),
            "data and leaf edited" => BothEditedAsync(),
            "event deleted" => DeletedAsync(),
            "event and leaf deleted" => DeletedWithLeafAsync(),
            "event deleted, the rest moved up" => MovedUpAsync(),
            "event added at the end" => AddedAsync(),
            "event inserted with its leaf" => InsertedAsync(),
            "two events swapped" => SwappedAsync(),
            "two events and their leaves swapped" => SwappedWithLeavesAsync(),
            "tail cut off" => CutOffAsync(lastSignedToo: false),
            "tail cut off, last signed head too" => CutOffAsync(lastSignedToo: true),
            "history rewritten and signed again" => RewrittenAsync(),
            "two versions shown" => TwoVersionsAsync(),
            "old view shown" => StaleAsync(),
            "event left out and signed again" => LeftOutAsync(),
            _ => throw new InvalidOperationException($"'{row}' is no row of the table."),
        });
        output.WriteLine($"{row}: {string.Join("; ", seen)}");

        async Task NothingAsync()
        {
            Unseen("deep-check", await copy.DeepCheckAsync());
            Unseen("rebuild --check", await copy.RebuildAsync());
            Unseen("export", await copy.ExportAsync());
            Unseen("log --old --min-size", await copy.VerifyAsync("--old", ledger.BeforeNote, "--old", ledger.NewestNote, "--min-size", $"{ledger.Size}"));
            Unseen("receipt", await copy.ReceiptAsync(ledger.GrantReceipt));
            Unseen("receipt", await copy.ReceiptAsync(ledger.OpeningReceipt));
        }

        async Task DataEditedAsync()
        {
            await EditDataAsync();
            Seen("deep-check", await copy.DeepCheckAsync(), $"FAULT at position {ledger.Granted} (DataEdited)");
            Unseen("the tree alone (rebuild --check)", await copy.RebuildAsync());
            Seen("export", await copy.ExportAsync(), $"The event at position {ledger.Granted} is not the one that the log has there");
        }

        async Task LeafEditedAsync(Func<Task> edit)
        {
            await edit();
            Seen("rebuild --check", await copy.RebuildAsync(), $"Position {ledger.Granted}: its entry does not hash to the hash that was stored with it");
            Seen("deep-check", await copy.DeepCheckAsync(), $"FAULT at position {ledger.Granted} (LeafEdited)");
            Seen("export", await copy.ExportAsync(), $"position {ledger.Granted} does not have the hash");
        }

        async Task TileEditedAsync()
        {
            await copy.ExecuteAsync($"UPDATE ledger_tile SET hashes = set_byte(hashes, {32 * (int)(ledger.Granted - 1)}, 255 - get_byte(hashes, {32 * (int)(ledger.Granted - 1)})) WHERE level = 0 AND idx = 0");
            Seen("rebuild --check", await copy.RebuildAsync(), "tile/0/000", $"from position {ledger.Granted} on");
            Unseen("deep-check", await copy.DeepCheckAsync());

            // The export makes its tiles anew; the host serves the stored ones.
            await using var host = await MbpHost.StartAsync(ledger.Options with { Data = copy.Data, Postgres = copy.Superuser }, CancellationToken.None);
            var log = new Uri(host.Address, "log").ToString();
            Seen("log URL --full", await Verbs.VerifyAsync("log", log, "--full", "--vkey", Vkey), $"position {ledger.Granted}, tile/entries/000");
            Seen("proof", await Verbs.VerifyAsync("proof", $"{ledger.Granted}", "--log", log, "--vkey", Vkey), "FAULT", "tile/0/000");
        }

        async Task BothEditedAsync()
        {
            await EditDataAsync();
            await copy.RemakeLeafAsync(ledger.Granted);
            Unseen("deep-check", await copy.DeepCheckAsync());
            Seen("rebuild --check", await copy.RebuildAsync(), $"from position {ledger.Granted} on", "the leaves have the root");
            Seen("export", await copy.ExportAsync(), "is not the one that was signed");
        }

        async Task DeletedAsync()
        {
            await copy.ExecuteAsync($"DELETE FROM mt_events WHERE seq_id = {ledger.Granted}");
            Seen("deep-check", await copy.DeepCheckAsync(), $"FAULT at position {ledger.Granted} (EventMissing)");
            Unseen("the tree alone (rebuild --check)", await copy.RebuildAsync());
            Seen("export", await copy.ExportAsync(), $"At position {ledger.Granted} the log has an entry, the ledger has no event");
        }

        async Task DeletedWithLeafAsync()
        {
            // A commit of one event has a row of entries for itself.
            await copy.ExecuteAsync($"DELETE FROM mt_events WHERE seq_id = {ledger.Granted}; DELETE FROM ledger_leaf WHERE last_position = {ledger.Granted} AND first_position = {ledger.Granted}");
            Seen("deep-check", await copy.DeepCheckAsync(), $"FAULT at position {ledger.Granted} (LeafMissing)");
            Seen("rebuild --check", await copy.RebuildAsync(), $"The entry of position {ledger.Granted} is missing");
            Seen("export", await copy.ExportAsync(), "is not the one that was signed");
        }

        async Task MovedUpAsync()
        {
            await TakeOutAsync(ledger.Opened);
            Unseen("deep-check", await copy.DeepCheckAsync());
            Seen("rebuild --check", await copy.RebuildAsync(), $"from position {ledger.Opened} on", "the leaves have the root");
            Seen("export", await copy.ExportAsync(), $"ledger_leaf ends at position {ledger.Size - 1}");
        }

        async Task AddedAsync()
        {
            var head = (await copy.SaltsAsync()).Count;
            await InventAsync(head + 1);
            await copy.ExecuteAsync($"UPDATE ledger_head SET position = {head + 1}");
            Seen("deep-check", await copy.DeepCheckAsync(), $"FAULT at position {head + 1} (LeafMissing)");
            Unseen("what was signed before it (rebuild --check)", await copy.RebuildAsync());
        }

        async Task InsertedAsync()
        {
            await InsertAsync();
            Unseen("deep-check", await copy.DeepCheckAsync());
            Seen("rebuild --check", await copy.RebuildAsync(), $"from position {ledger.Opened + 1} on", "the leaves have the root");
            Seen("export", await copy.ExportAsync(), "is not the one that was signed");
        }

        async Task SwappedAsync()
        {
            await SwapAsync();
            Seen("deep-check", await copy.DeepCheckAsync(), $"FAULT at position {ledger.Granted} (DataEdited)", $"FAULT at position {ledger.Opened} (DataEdited)");
            Unseen("the tree alone (rebuild --check)", await copy.RebuildAsync());
            Seen("export", await copy.ExportAsync(), "is not the one that the log has there: the event says account_opened", "the log's entry credits_granted");
        }

        async Task SwappedWithLeavesAsync()
        {
            await SwapAsync();
            await copy.RemakeLeavesAsync();
            Unseen("deep-check", await copy.DeepCheckAsync());
            Seen("rebuild --check", await copy.RebuildAsync(), $"from position {ledger.Granted} on", "the leaves have the root");
            Seen("export", await copy.ExportAsync(), "is not the one that was signed");
        }

        async Task CutOffAsync(bool lastSignedToo)
        {
            await copy.ExecuteAsync($"""
                DELETE FROM mt_events WHERE seq_id > {ledger.SizeBefore};
                DELETE FROM ledger_leaf WHERE last_position > {ledger.SizeBefore};
                DELETE FROM ledger_salt WHERE last_position > {ledger.SizeBefore};
                DELETE FROM ledger_tile WHERE (idx + 1) << (8 * (level + 1)) > {ledger.SizeBefore};
                DELETE FROM ledger_checkpoint WHERE size > {ledger.SizeBefore};
                UPDATE ledger_head SET position = {ledger.SizeBefore};
                """);
            Unseen("deep-check", await copy.DeepCheckAsync());
            if (lastSignedToo)
            {
                await copy.ForgetLastSignedAsync();
                Unseen("rebuild --check", await copy.RebuildAsync());
            }
            else
            {
                Seen("the last signed head (status)", await copy.StatusAsync(), $"{ledger.Size} leaves were signed, and the ledger ends at {ledger.SizeBefore}");
                Seen("rebuild --check", await copy.RebuildAsync(), $"size {ledger.Size}: the last signed head is beyond the ledger's end, {ledger.SizeBefore}");
            }

            Unseen("export", await copy.ExportAsync());
            Unseen("the tree alone (log)", await copy.VerifyAsync());
            Seen("log --old", await copy.VerifyAsync("--old", ledger.NewestNote), $"the log shows {ledger.SizeBefore} events", $"its signed word that there were {ledger.Size}");
            Seen("log --min-size", await copy.VerifyAsync("--min-size", $"{ledger.Size}"), $"at least {ledger.Size} were asked for");
            Assert.Equal(HttpStatusCode.Conflict, await ledger.AskAsync(early: false, new AddCheckpoint(ledger.SizeBefore, [], ledger.Before)));
            seen.Add("a witness: 409");
        }

        async Task RewrittenAsync()
        {
            await RewriteAsync();
            Unseen("deep-check", await copy.DeepCheckAsync());
            Unseen("rebuild --check", await copy.RebuildAsync());
            Unseen("export", await copy.ExportAsync());
            Unseen("the tree alone (log)", await copy.VerifyAsync());
            Seen("log --old", await copy.VerifyAsync("--old", ledger.BeforeNote), "signed two histories", $"the first {ledger.SizeBefore} of the log's {ledger.Size} events are not those");
            Seen("receipt", await copy.ReceiptAsync(ledger.GrantReceipt), $"position {ledger.Granted}, ", "the receipt promises the leaf");
            var hashes = (await copy.HashesAsync())[..(int)ledger.Size];
            var request = new AddCheckpoint(ledger.SizeBefore, MerkleProof.Consistency(hashes, (int)ledger.SizeBefore), SignedNote.Parse(await File.ReadAllBytesAsync(Path.Combine(copy.Export, "checkpoint"))));
            Assert.Equal(HttpStatusCode.UnprocessableEntity, await ledger.AskAsync(early: true, request));
            seen.Add("a witness: 422");
        }

        async Task TwoVersionsAsync()
        {
            await RewriteAsync();
            Unseen("export", await copy.ExportAsync());
            Unseen("one of them alone (log)", await copy.VerifyAsync());
            Seen("log --old", await copy.VerifyAsync("--old", ledger.NewestNote), $"for the same {ledger.Size} events", "signed two histories");
            Seen(
                "consistency", await Verbs.VerifyAsync("consistency", ledger.NewestNote, Path.Combine(copy.Export, "checkpoint"), "--log", copy.Export, "--vkey", Vkey), "signed two histories");
        }

        async Task StaleAsync()
        {
            var (now, later) = (ledger.WitnessedAt + Duration.FromMinutes(14), ledger.WitnessedAt + Duration.FromMinutes(16));
            string[] asked = ["log", ledger.BeforeExport, "--policy", ledger.Policy, "--max-age", "15m", "--now"];
            Unseen("without an age (log)", await Verbs.VerifyAsync("log", ledger.BeforeExport, "--policy", ledger.Policy));
            Unseen("in time (log --max-age)", await Verbs.VerifyAsync([.. asked, $"{now}"]));
            Seen("too late (log --max-age)", await Verbs.VerifyAsync([.. asked, $"{later}"]), "FAULT  checkpoint: witnesses saw it last at");
        }

        async Task LeftOutAsync()
        {
            await TakeOutAsync(ledger.Opened);
            await copy.ReanchorAsync(without: ledger.Opened);
            Unseen("deep-check", await copy.DeepCheckAsync());
            Unseen("rebuild --check", await copy.RebuildAsync());
            Unseen("export", await copy.ExportAsync());
            Unseen("the tree alone (log)", await copy.VerifyAsync());
            Seen("receipt", await copy.ReceiptAsync(ledger.OpeningReceipt), $"position {ledger.Opened}, ", "the receipt promises the leaf");
            Unseen("the receipt of an earlier event", await copy.ReceiptAsync(ledger.GrantReceipt));
        }

        Task EditDataAsync() => copy.ExecuteAsync($"UPDATE mt_events SET data = jsonb_set(data, '{{reason}}', '\"present\"') WHERE seq_id = {ledger.Granted} AND data ->> 'reason' = 'prize'");

        async Task RewriteAsync()
        {
            await EditDataAsync();
            await copy.RemakeLeavesAsync();
            await copy.ReanchorAsync();
        }

        async Task TakeOutAsync(long position)
        {
            var salts = await copy.SaltsAsync();
            salts.RemoveAt((int)position - 1);
            await copy.ExecuteAsync($"DELETE FROM mt_events WHERE seq_id = {position}");
            await copy.RenumberAsync(position, by: -1);
            await copy.RemakeLeavesAsync(salts);
        }

        async Task InsertAsync()
        {
            var salts = await copy.SaltsAsync();
            salts.Insert((int)ledger.Opened, new byte[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 });
            await copy.RenumberAsync(ledger.Opened + 1, by: 1);
            await InventAsync(ledger.Opened + 1);
            await copy.RemakeLeavesAsync(salts);
        }

        // One more account, opened when the other one was.
        Task InventAsync(long position) => copy.ExecuteAsync($"""
            INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type, correlation_id, causation_id, headers)
            SELECT {position}, gen_random_uuid(), replace(stream_id, 'ghost', 'spirit'), version, replace(data::text, 'ghost', 'spirit')::jsonb, type, timestamp, tenant_id, mt_dotnet_type, correlation_id, causation_id, headers
            FROM mt_events WHERE seq_id = {ledger.Opened}
            """);

        Task SwapAsync() => copy.ExecuteAsync($"""
            UPDATE mt_events SET seq_id = -1 WHERE seq_id = {ledger.Granted};
            UPDATE mt_events SET seq_id = {ledger.Granted} WHERE seq_id = {ledger.Opened};
            UPDATE mt_events SET seq_id = {ledger.Opened} WHERE seq_id = -1;
            """);

        void Seen(string by, (int Exit, string Output) found, params string[] says)
        {
            Assert.True(found.Exit == 1, $"{row}, by {by}: exit {found.Exit}\n{found.Output}");
            Assert.All(says, said => Assert.True(found.Output.Contains(said, StringComparison.Ordinal), $"{row}, by {by}: '{said}' is not in\n{found.Output}"));
            seen.Add($"{by}: \"{says[0]}\"");
        }

        void Unseen(string by, (int Exit, string Output) found)
        {
            Assert.True(found.Exit == 0, $"{row}, by {by}: exit {found.Exit}\n{found.Output}");
            seen.Add($"{by}: no");
        }
    }

    [Theory]
    [InlineData("mt_events")]
    [InlineData("ledger_leaf")]
    [InlineData("ledger_tile")]
    [InlineData("ledger_checkpoint")]
    public async Task Replica_mode_alone_changes_nothing(string table)
    {
        var refused = await Assert.ThrowsAsync<PostgresException>(() => PostgresFixture.ExecuteAsync(ledger.Superuser, $"SET session_replication_role = replica; DELETE FROM {table}"));
        Assert.Equal("MBP10", refused.SqlState);
    }
}
