using System.Net;
using System.Text;
using Mbp.Host.Platform;
using Mbp.Host.Tests.Anchoring;
using Mbp.Host.Tests.Hosting;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Testing;
using NodaTime;

namespace Mbp.Host.Tests.Tampering;

/// <summary>
/// A ledger as an honest host left it, and what people outside kept of it: an export and its checkpoint from before, two witnesses, two receipts.
/// Each row of the table tampers with a copy of its own.
/// </summary>
public sealed class HonestLedger : IAsyncLifetime, IDisposable
{
    private readonly HostFixture _host = new();
    private readonly HttpClient _http = new();
    private RunningWitness _early = null!;
    private RunningWitness _late = null!;

    internal string Folder { get; } = Directory.CreateTempSubdirectory("mbp-tamper-").FullName;

    internal string Superuser => _host.Superuser;

    internal MbpOptions Options => _host.Options;

    /// <summary>The log's verifier key, as somebody has it from elsewhere.</summary>
    internal VerifierKey Key { get; private set; } = null!;

    /// <summary>Of a grant of credits, which has a reason in words: no rule reads it, so no market betrays who changes it.</summary>
    internal long Granted { get; private set; }

    /// <summary>Of the opening of an account that never did anything: nothing rests on it, so nothing misses it.</summary>
    internal long Opened { get; private set; }

    /// <summary>The last event that <see cref="Before"/> covers.</summary>
    internal long SizeBefore => Checkpoint.Of(Before).Size;

    /// <summary>The last event that was signed.</summary>
    internal long Size => Checkpoint.Of(Newest).Size;

    internal SignedNote Before { get; private set; } = null!;

    internal SignedNote Newest { get; private set; } = null!;

    internal Instant WitnessedAt { get; private set; }

    internal string GrantReceipt => Path.Combine(Folder, "grant.json");

    internal string OpeningReceipt => Path.Combine(Folder, "opening.json");

    internal string BeforeNote => Path.Combine(Folder, "checkpoint-before");

    internal string NewestNote => Path.Combine(Folder, "checkpoint-newest");

    /// <summary>An export from before; a copy that somebody shows as the newest state is stale.</summary>
    internal string BeforeExport => Path.Combine(Folder, "export-before");

    /// <summary>A policy with the witness that saw the earlier checkpoint.</summary>
    internal string Policy => Path.Combine(Folder, "policy");

    public async Task InitializeAsync()
    {
        await _host.InitializeAsync();
        var api = _host.Api;
        var house = await api.AccountAsync("house", "50000");
        await api.AccountAsync("ana", "3000");
        Granted = await KeepAsync(await api.PostAsync("/v2/accounts/ana/credits", new { amount = "500", reason = "prize" }), GrantReceipt);
        Opened = await KeepAsync(await api.PostAsync("/v2/accounts", new { id = "ghost" }), OpeningReceipt);
        await SettleAsync(await api.MarketAsync(house));
        var open = await api.MarketAsync(house);
        await Task.WhenAll(Enumerable.Range(0, 120).Select(_ => api.BuyAsync(open, "ana", "YES", "1")));
        Before = await SignAsync();

        var keys = _host.Host.Database.Log;
        Key = (await keys.Store.KeysAsync(keys.Epoch, CancellationToken.None)).Single().Key;
        _early = await RunningWitness.StartAsync(Path.Combine(Folder, "w1"), "early.example", Key);
        _late = await RunningWitness.StartAsync(Path.Combine(Folder, "w2"), "late.example", Key);
        await KeepWitnessedAsync();
        await Task.WhenAll(Enumerable.Range(0, 160).Select(_ => api.BuyAsync(open, "ana", "NO", "1")));
        Newest = await SignAsync();
        await _host.StopAsync();

        Assert.InRange(Math.Max(Granted, Opened), 1, 256);
        Assert.InRange(Size, 513, 4_096);
        await using var copy = await TamperedCopy.MakeAsync(this, "honest");
        var hashes = await copy.HashesAsync();
        Assert.Equal(HttpStatusCode.OK, await AskAsync(early: false, new AddCheckpoint(SizeBefore, MerkleProof.Consistency(hashes.AsSpan(0, (int)Size), (int)SizeBefore), Newest)));
        await File.WriteAllTextAsync(BeforeNote, Before.Format());
        await File.WriteAllTextAsync(NewestNote, Newest.Format());
    }

    public async Task DisposeAsync()
    {
        await _early.DisposeAsync();
        await _late.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Asks a witness to sign, as a log's host does.</summary>
    internal async Task<HttpStatusCode> AskAsync(bool early, AddCheckpoint request) => (await PostAsync(early ? _early : _late, request)).Status;

    // The early witness's word goes where a host stores it, so that the export from before has it.
    private async Task KeepWitnessedAsync()
    {
        var (_, line) = await PostAsync(_early, new AddCheckpoint(0, [], Before));
        await PostAsync(_late, new AddCheckpoint(0, [], Before));
        WitnessedAt = Cosignature.Verify(_early.Key, Before.Text, NoteSignature.Parse(line)) ?? throw new InvalidDataException(line);
        await File.WriteAllTextAsync(Policy, $"log {Key}\nwitness early {_early.Key}\nquorum early\n");
        await PostgresFixture.ExecuteAsync(Superuser, $"INSERT INTO ledger_cosignature (epoch, size, key, line) VALUES (1, {SizeBefore}, '{_early.Key}', '{line}')");
        var (exit, output) = await Verbs.MbpAsync("anchor", "export", BeforeExport, "--postgres", Superuser, "--data", Options.Data);
        Assert.True(exit == 0, output);
    }

    private async Task<(HttpStatusCode Status, string Body)> PostAsync(RunningWitness witness, AddCheckpoint request)
    {
        using var content = new ByteArrayContent(request.ToUtf8());
        using var answer = await _http.PostAsync(new Uri(witness.Address, "add-checkpoint"), content);
        return (answer.StatusCode, (await answer.Content.ReadAsStringAsync()).TrimEnd('\n'));
    }

    private async Task SettleAsync(string market)
    {
        var api = _host.Api;
        (await api.BuyAsync(market, "ana", "YES", "100")).Ok();
        (await api.BuyAsync(market, "ana", "NO", "30")).Ok();
        (await api.PostAsync($"/v2/markets/{market}/close", new { reason = "the end" })).Ok();
        (await api.PostAsync($"/v2/markets/{market}/resolution/start")).Ok();
        (await api.PostAsync($"/v2/markets/{market}/resolution/manual", new { value = "YES", evidenceUri = "https://example.org/proof" })).Ok();
        (await _host.Second.PostAsync($"/v2/markets/{market}/resolution/manual/approve")).Ok();
        await api.UntilAsync(market, "Settled");
    }

    private async Task<SignedNote> SignAsync() => SignedNote.Parse((await _host.Api.PostAsync("/v2/log/checkpoint")).Ok()["note"]);

    private static async Task<long> KeepAsync(Answer answer, string file)
    {
        await File.WriteAllTextAsync(file, answer.Ok().Text);
        return LogReceipt.Parse(Encoding.UTF8.GetBytes(answer.Json["receipt"]!.ToJsonString())).Position;
    }
}
