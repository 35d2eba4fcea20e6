using System.Globalization;
using System.Net;
using System.Runtime.Versioning;
using System.Text;
using Mbp.Cli.Files;
using Mbp.Cli.Witness;
using Mbp.Ledger.Log;
using Mbp.Testing;
using Microsoft.AspNetCore.Builder;
using NodaTime;

namespace Mbp.Host.Tests.Anchoring;

/// <summary>A witness over HTTP, held to C2SP tlog-witness.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class WitnessTests : IAsyncLifetime, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mbp-witness-").FullName;
    private readonly TestLog _log = new();
    private readonly HttpClient _http = new();
    private RunningWitness _witness = null!;

    public async Task InitializeAsync()
    {
        _log.Grow(300);
        _witness = await RunningWitness.StartAsync(_folder, "w.example/one", _log.Key);
    }

    public async Task DisposeAsync()
    {
        await _witness.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    public void Dispose()
    {
        _http.Dispose();
        _log.Dispose();
    }

    [Fact]
    public async Task It_signs_what_extends_what_it_signed_and_shows_it()
    {
        var before = SystemClock.Instance.GetCurrentInstant() - Duration.FromSeconds(1);
        foreach (var (old, size) in new[] { (0, 1), (1, 7), (7, 7), (7, 256), (256, 300) })
        {
            var (status, _, body) = await PostAsync(_log.Request(old, size));
            Assert.Equal(HttpStatusCode.OK, status);
            Assert.EndsWith("\n", body, StringComparison.Ordinal);
            var at = Cosignature.Verify(_witness.Key, _log.At(size).ToText(), NoteSignature.Parse(body.TrimEnd('\n')));
            Assert.InRange(at!.Value, before, before + Duration.FromMinutes(1));
            Assert.Null(Cosignature.Verify(_witness.Key, _log.At(size - 1).ToText(), NoteSignature.Parse(body.TrimEnd('\n'))));
        }

        var shown = SignedNote.Parse(await _http.GetStringAsync(new Uri(_witness.Address, $"{WitnessStore.NameOf(_log.Origin)}/checkpoint")));
        Assert.Equal((SignatureState.Valid, SignatureState.Valid, _log.At(300).ToText()), (shown.Verify(_log.Key), shown.Verify(_witness.Key), shown.Text));
        Assert.Equal(HttpStatusCode.NotFound, (await _http.GetAsync(new Uri(_witness.Address, $"{WitnessStore.NameOf("nobody")}/checkpoint"))).StatusCode);
    }

    [Fact]
    public async Task What_it_does_not_sign_it_says_why()
    {
        using var stranger = new TestLog("stranger.example/log");
        using var forger = new TestLog(_log.Origin);
        stranger.Grow(3);
        forger.Grow(3);
        Assert.Equal(HttpStatusCode.NotFound, (await PostAsync(stranger.Request(0, 3))).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await PostAsync(forger.Request(0, 3))).Status);
        // An answer of its own: the server's has no words, and a stack trace in the log.
        var (tooLarge, _, why) = await PostAsync(new byte[3_000_000]);
        Assert.Equal((HttpStatusCode.RequestEntityTooLarge, true), (tooLarge, why.EndsWith('\n')));
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync(new AddCheckpoint(9, [], _log.Note(3)).ToUtf8())).Status);
        var good = Encoding.UTF8.GetString(_log.Request(0, 3));
        foreach (var bad in new[] { "", "old 0\n", good.Replace("old 0", "old 00", StringComparison.Ordinal), good.Replace("old 0", "new 0", StringComparison.Ordinal), good.Replace("old 0\n", "old 0\nAAAA\n", StringComparison.Ordinal), good[..^1], good.Replace("old 0\n", "old 0\n" + string.Concat(Enumerable.Repeat($"{Convert.ToBase64String(new byte[32])}\n", 64)), StringComparison.Ordinal) })
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync(Encoding.UTF8.GetBytes(bad))).Status);
        }

        // A proof from nothing is empty.
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await PostAsync(new AddCheckpoint(0, _log.Proof(1, 3), _log.Note(3)).ToUtf8())).Status);
        Assert.Equal(HttpStatusCode.OK, (await PostAsync(_log.Request(0, 3))).Status);
    }

    [Fact]
    public async Task A_rollback_and_a_fork_are_refused_and_kept()
    {
        await PostAsync(_log.Request(0, 200));
        var (status, type, body) = await PostAsync(_log.Request(0, 250));
        Assert.Equal((HttpStatusCode.Conflict, "text/x.tlog.size", "200\n"), (status, type, body));
        // A rollback has no old size that would do: the witness's own is larger than the checkpoint's.
        Assert.Equal(HttpStatusCode.Conflict, (await PostAsync(_log.Request(0, 100))).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync(new AddCheckpoint(200, [], _log.Note(100)).ToUtf8())).Status);
        _log.Rewrite(from: 150);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await PostAsync(_log.Request(200, 250))).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await PostAsync(_log.Request(200, 200))).Status);
        Assert.Equal(2, Directory.GetFiles(Path.Combine(_folder, "evidence")).Length);
    }

    [Fact]
    public async Task Of_many_submissions_at_once_one_wins_and_none_puts_it_back()
    {
        await PostAsync(_log.Request(0, 10));
        for (var (round, size) = (0, 10); round < 10; round++)
        {
            var from = size;
            var answers = await Task.WhenAll(Enumerable.Range(1, 12).Select(more => Task.Run(async () => (Size: from + more, (await PostAsync(_log.Request(from, from + more))).Status))));
            var won = Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
            Assert.All(answers.Where(answer => answer != won), answer => Assert.Equal(HttpStatusCode.Conflict, answer.Status));
            size = won.Size;
            Assert.Equal(size.ToString(CultureInfo.InvariantCulture), (await PostAsync(_log.Request(0, 1))).Body.TrimEnd('\n'));
        }
    }

    [Fact]
    public async Task It_remembers_after_a_restart_and_there_is_one_of_it()
    {
        await PostAsync(_log.Request(0, 200));
        var key = _witness.Key;
        Assert.Throws<EnvironmentException>(() => WitnessStore.Open(_folder, null));
        await _witness.DisposeAsync();
        Assert.Throws<EnvironmentException>(() => WitnessStore.Open(_folder, "w.example/another"));
        _witness = await RunningWitness.StartAsync(_folder, null, _log.Key);
        Assert.Equal(key, _witness.Key);
        Assert.Equal("200\n", (await PostAsync(_log.Request(0, 300))).Body);
        Assert.Equal(HttpStatusCode.OK, (await PostAsync(_log.Request(200, 300))).Status);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, "key")));
    }

    [Fact]
    public async Task A_damaged_memory_is_not_taken_for_none()
    {
        await PostAsync(_log.Request(0, 200));
        await _witness.DisposeAsync();
        var path = Path.Combine(_folder, WitnessStore.NameOf(_log.Origin));
        var good = await File.ReadAllTextAsync(path);
        foreach (var bad in new[] { "", good.Replace("\n200\n", "\n100\n", StringComparison.Ordinal), good[..100] })
        {
            await File.WriteAllTextAsync(path, bad);
            await Assert.ThrowsAsync<EnvironmentException>(() => RunningWitness.StartAsync(_folder, null, _log.Key));
        }

        await File.WriteAllTextAsync(path, good);
        _witness = await RunningWitness.StartAsync(_folder, null, _log.Key);
    }

    [Fact]
    public async Task Killed_at_any_moment_the_process_has_what_it_answered_with()
    {
        var store = Directory.CreateTempSubdirectory("mbp-witness-kill-").FullName;
        var size = 0;
        for (var round = 0; round < 3; round++)
        {
            await using var child = await WitnessProcess.StartAsync(store, _log.Key);
            for (var until = DateTime.UtcNow.AddMilliseconds(150 + (100 * round)); DateTime.UtcNow < until && size < 299;)
            {
                using var content = new ByteArrayContent(_log.Request(size, size + 1));
                var answer = await _http.PostAsync(new Uri(child.Address, "add-checkpoint"), content);
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                size++;
            }

            // kill -9 while one more is under way: it may have been signed and kept, or not.
            using var last = new ByteArrayContent(_log.Request(size, size + 1));
            var underWay = _http.PostAsync(new Uri(child.Address, "add-checkpoint"), last);
            child.Kill();
            var answered = false;
            try
            {
                answered = (await underWay).IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                // It was dead before it could answer.
            }

            using var after = WitnessStore.Open(store, null);
            var kept = (int)Checkpoint.Of(after.Load(_log.Origin)!).Size;
            Assert.InRange(kept, answered ? size + 1 : size, size + 1);
            size = kept;
        }

        Directory.Delete(store, recursive: true);
    }

    private async Task<(HttpStatusCode Status, string? Type, string Body)> PostAsync(byte[] request)
    {
        using var content = new ByteArrayContent(request);
        using var answer = await _http.PostAsync(new Uri(_witness.Address, "add-checkpoint"), content);
        return (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType, await answer.Content.ReadAsStringAsync());
    }
}

/// <summary>A witness in this process.</summary>
internal sealed class RunningWitness(WebApplication app, WitnessStore store) : IAsyncDisposable
{
    private bool _stopped;

    public Uri Address { get; } = new(app.Urls.First());

    public VerifierKey Key => store.Key;

    public WitnessAddress Entry => WitnessAddress.Parse($"{Address}={Key}");

    public static async Task<RunningWitness> StartAsync(string folder, string? name, VerifierKey log, MovableClock? clock = null)
    {
        var store = WitnessStore.Open(folder, name);
        try
        {
            var app = WitnessServer.Build(new LogWitness(store, [log], clock ?? new MovableClock()), "http://127.0.0.1:0");
            await app.StartAsync();
            return new RunningWitness(app, store);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stopped)
        {
            _stopped = true;
            await app.StopAsync();
            await app.DisposeAsync();
            store.Dispose();
        }
    }
}
