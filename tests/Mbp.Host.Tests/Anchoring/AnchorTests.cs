using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.Versioning;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Mbp.Host.Anchoring;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres.Log;
using Mbp.Ledger.Postgres.Log.Anchors;
using Mbp.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using NodaTime;

namespace Mbp.Host.Tests.Anchoring;

/// <summary>Each kind of anchor publishes and verifies; a checkpoint or a receipt that was changed does not.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class AnchorTests(PostgresFixture database) : IClassFixture<PostgresFixture>, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mbp-anchors-").FullName;
    private readonly TestLog _log = Filled();

    public void Dispose()
    {
        _log.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_folder_keeps_what_it_was_given_and_takes_nothing_else_for_it()
    {
        var anchor = new FolderAnchor(_folder);
        var receipt = await HoldsAsync(anchor);
        Assert.Equal(receipt.Ref, (await anchor.PublishAsync(At(5), default)).Ref);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead, File.GetUnixFileMode(receipt.Ref));
        File.SetUnixFileMode(receipt.Ref, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.False((await anchor.VerifyAsync(At(5), receipt, default)).Holds);
        await File.WriteAllTextAsync(receipt.Ref, "something else");
        var refused = await Assert.ThrowsAsync<AnchorException>(() => anchor.PublishAsync(At(5), default));
        Assert.Contains("not overwritten", refused.Message, StringComparison.Ordinal);
        Assert.Equal("something else", await File.ReadAllTextAsync(receipt.Ref));
        Assert.False((await anchor.VerifyAsync(At(5), receipt, default)).Holds);
        File.Delete(receipt.Ref);
        Assert.Contains("gone", (await anchor.VerifyAsync(At(5), receipt, default)).ToString(), StringComparison.Ordinal);
        await Assert.ThrowsAsync<AnchorException>(() => new FolderAnchor(Path.Combine(_folder, "nowhere")).PublishAsync(At(5), default));
    }

    [Fact]
    public async Task A_git_tag_has_the_root_in_its_name_and_the_note_in_its_body()
    {
        await Assert.ThrowsAsync<AnchorException>(() => new GitAnchor(new GitRepository(_folder), "M2").PublishAsync(At(5), default));
        Git("init", "-q", "--bare", "remote.git");
        Git("init", "-q", "repo");
        Git("-C", "repo", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "start");
        var repository = Path.Combine(_folder, "repo");
        var anchor = new GitAnchor(new GitRepository(repository), "M2", Path.Combine(_folder, "remote.git"));
        var receipt = await HoldsAsync(anchor);
        Assert.Equal($"anchor-M2-{_log.At(5).Root}", receipt.Ref);
        Assert.Equal(receipt.Ref, (await anchor.PublishAsync(At(5), default)).Ref);
        Assert.Contains(_log.Note(5).Format(), Git("-C", "remote.git", "cat-file", "tag", receipt.Ref), StringComparison.Ordinal);
        Git("-C", "repo", "-c", "user.name=t", "-c", "user.email=t@t", "tag", "-f", "-a", "-m", "another", receipt.Ref);
        Assert.False((await anchor.VerifyAsync(At(5), receipt, default)).Holds);
        await Assert.ThrowsAsync<AnchorException>(() => anchor.PublishAsync(At(5), default));
        Git("-C", "repo", "tag", "-d", receipt.Ref);
        Assert.False((await anchor.VerifyAsync(At(5), receipt, default)).Holds);
        Assert.Throws<AnchorException>(() => GitAnchor.TagOf("a b", _log.At(5).Root));
        Assert.Throws<AnchorException>(() => GitAnchor.TagOf("--force", _log.At(5).Root));
    }

    [OpensslFact]
    public async Task A_time_stamp_is_of_this_note_and_of_this_authority()
    {
        using var authority = TestAuthority.Start(Path.Combine(_folder, "tsa"));
        using var other = TestAuthority.Start(Path.Combine(_folder, "other"));
        using var http = new HttpClient();
        var anchor = new TimestampAnchor(authority.Address, Trusted(authority), http);
        var receipt = await HoldsAsync(anchor);
        Assert.InRange(TimestampAnchor.TimeOf(receipt)!.Value, DateTimeOffset.UtcNow.AddMinutes(-2), DateTimeOffset.UtcNow.AddMinutes(2));
        Assert.Contains("not the authority given", (await new TimestampAnchor(authority.Address, Trusted(other), http).VerifyAsync(At(5), receipt, default)).ToString(), StringComparison.Ordinal);
        // An answer to an earlier question, and one of somebody else's key.
        authority.Instead = authority.Last;
        await Assert.ThrowsAsync<AnchorException>(() => anchor.PublishAsync(At(6), default));
        await Assert.ThrowsAsync<AnchorException>(() => new TimestampAnchor(authority.Address, Trusted(other), http).PublishAsync(At(6), default));
        authority.Dispose();
        await Assert.ThrowsAsync<AnchorException>(() => anchor.PublishAsync(At(6), default));
        Assert.True((await anchor.VerifyAsync(At(5), receipt, default)).Holds);
    }

    [Fact]
    public async Task A_chain_holds_the_root()
    {
        var chain = new FakeChain();
        var receipt = await HoldsAsync(new ChainAnchor(chain));
        chain.Transactions.Clear();
        Assert.False((await new ChainAnchor(chain).VerifyAsync(At(5), receipt, default)).Holds);
    }

    [Theory]
    [InlineData("ots")]
    [InlineData("chain")]
    public async Task What_is_not_configured_says_so(string kind)
    {
        Assert.Throws<FormatException>(() => AnchorSetting.Parse($"{kind}=somewhere"));
        var (code, _, error) = await Mbp("anchor", "publish", kind, "--data", _folder);
        Assert.Equal((2, true), (code, error.Contains($"{kind} is not configured", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("folder")]
    [InlineData("floppy=x")]
    [InlineData("folder=x,every=10")]
    [InlineData("folder=x,cert=y")]
    [InlineData("rfc3161=http://tsa.example")]
    [InlineData("rfc3161=tsa,cert=x.pem")]
    public void A_wrong_setting_is_refused(string text) => Assert.Throws<FormatException>(() => AnchorSetting.Parse(text));

    [Fact]
    public void Stamps_come_every_ten_minutes_unless_told_otherwise()
    {
        Assert.Equal(Duration.FromMinutes(10), AnchorSetting.Parse("rfc3161=http://tsa.example,cert=x.pem").Every);
        Assert.Null(AnchorSetting.Parse("git=.,push=origin").Every);
        Assert.Equal(Duration.FromHours(1), AnchorSetting.Parse("folder=/mnt/worm,every=1h").Every);
    }

    [Fact]
    public async Task The_worker_leaves_what_was_not_left_yet_after_a_failure_and_a_restart()
    {
        await using var store = new AnchorStore(database.Connections);
        var (clock, chain) = (new MovableClock(), new FakeChain { Fails = true });
        var folder = new FolderAnchor(_folder);
        (IAnchor, Duration)[] anchors = [(new ChainAnchor(chain), Duration.FromMinutes(10)), (folder, Duration.FromMinutes(10))];
        await _log.StoreAsync(database.Superuser, 5);
        using (var worker = new AnchorWorker(store, anchors, clock, () => true, NullLogger<AnchorWorker>.Instance))
        {
            await worker.StartAsync(default);
            // One that is away keeps nobody.
            await UntilAsync(() => worker.States[1].Size == 5 && worker.States[0].Trouble is not null);
            await worker.StopAsync(default);
        }

        chain.Fails = false;
        await _log.StoreAsync(database.Superuser, 6);
        using (var worker = new AnchorWorker(store, anchors, clock, () => true, NullLogger<AnchorWorker>.Instance))
        {
            await worker.StartAsync(default);
            await UntilAsync(() => worker.States[0].Size == 6);
            await Task.Delay(1500);
            // The folder's time has not come, and the chain got one checkpoint, not two.
            Assert.Equal((5, 1), (worker.States[1].Size, chain.Transactions.Count));
            clock.Advance(Duration.FromMinutes(11));
            await UntilAsync(() => worker.States[1].Size == 6);
            await worker.StopAsync(default);
        }

        var kept = await store.AnchorsAsync(default);
        Assert.Equal(["5 folder", "6 chain", "6 folder"], kept.Select(anchor => $"{anchor.Size} {anchor.Kind}").Order());
        Assert.All(kept, anchor => Assert.NotNull(anchor.VerifiedAt));
        foreach (var anchor in kept)
        {
            Assert.True((await AnchorRounds.VerifyAsync(store, anchor.Kind == "folder" ? folder : new ChainAnchor(chain), anchor, default)).Holds);
        }
    }

    private static TestLog Filled()
    {
        var log = new TestLog();
        log.Grow(10);
        return log;
    }

    private AnchoredCheckpoint At(int size) => new(_log.Note(size).Format(), size, _log.At(size).Root);

    private async Task<AnchorReceipt> HoldsAsync(IAnchor anchor)
    {
        var receipt = await anchor.PublishAsync(At(5), default);
        Assert.StartsWith(anchor.Place, receipt.Ref, StringComparison.Ordinal);
        Assert.True((await anchor.VerifyAsync(At(5), receipt, default)).Holds);
        Assert.False((await anchor.VerifyAsync(At(6), receipt, default)).Holds);
        if (anchor is not ChainAnchor)
        {
            // A chain holds the root alone; the others every byte of the note.
            var changed = At(5) with { Note = At(5).Note.Replace("test.example", "test.examplf", StringComparison.Ordinal) };
            Assert.False((await anchor.VerifyAsync(changed, receipt, default)).Holds);
        }

        foreach (var at in new[] { 0, receipt.Content.Length / 2, receipt.Content.Length - 1 })
        {
            var content = receipt.Content.ToArray();
            content[at] ^= 1;
            Assert.False((await anchor.VerifyAsync(At(5), receipt with { Content = content }, default)).Holds, $"byte {at}");
        }

        return receipt;
    }

    private static X509Certificate2Collection Trusted(TestAuthority authority)
    {
        var trusted = new X509Certificate2Collection();
        trusted.ImportFromPemFile(authority.Certificate);
        return trusted;
    }

    private string Git(params string[] arguments)
    {
        using var git = Process.Start(new ProcessStartInfo("git", arguments) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true, StandardOutputEncoding = Encoding.UTF8 })!;
        var output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        Assert.Equal(0, git.ExitCode);
        return output;
    }

    internal static async Task<(int Code, string Output, string Error)> Mbp(params string[] arguments)
    {
        using var mbp = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "mbp.dll"), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (mbp.StandardOutput.ReadToEndAsync(), mbp.StandardError.ReadToEndAsync());
        await mbp.WaitForExitAsync();
        return (mbp.ExitCode, await output, await error);
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        for (var until = DateTime.UtcNow.AddSeconds(30); !holds(); await Task.Delay(50))
        {
            Assert.True(DateTime.UtcNow < until, "It did not come about.");
        }
    }

    private sealed class FakeChain : IChain
    {
        public ConcurrentDictionary<string, MerkleHash> Transactions { get; } = new();

        public bool Fails { get; set; }

        public string Name => "fake";

        public Task<string> WriteAsync(MerkleHash root, CancellationToken ct)
        {
            var transaction = Fails ? throw new AnchorException("The chain is away.") : $"tx{Transactions.Count}";
            Transactions[transaction] = root;
            return Task.FromResult(transaction);
        }

        public Task<MerkleHash?> ReadAsync(string transaction, CancellationToken ct) => Task.FromResult(Transactions.TryGetValue(transaction, out var root) ? root : (MerkleHash?)null);
    }
}
