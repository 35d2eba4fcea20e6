using System.Diagnostics;
using Mbp.Cli.Anchoring;
using Mbp.Cli.Files;
using System.CommandLine;

namespace Mbp.Host.Tests.Anchoring;

/// <summary><c>mbp anchor files</c>.</summary>
public sealed class EvidenceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mbp-evidence-").FullName;

    public EvidenceTests()
    {
        foreach (var name in new[] { "a", "b", "c" })
        {
            Write($"three/{name}", name);
            Write($"four/{name}", name);
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_copy_of_the_last_file_changes_the_root()
    {
        var three = Root("three");
        Assert.Equal(three, Root("three/c", "three/a", "three", "three/b"));
        var before = Root("four");
        Write("four/c2", "c");
        Assert.NotEqual(before, Root("four"));
        Assert.NotEqual(three, before);
    }

    [Fact]
    public void Links_and_what_is_outside_or_absent_are_refused()
    {
        File.CreateSymbolicLink(Path.Combine(_folder, "three", "link"), "/etc/hostname");
        Assert.Throws<EnvironmentException>(() => Root("three"));
        Assert.Throws<EnvironmentException>(() => Root("/etc/hostname"));
        Assert.Throws<EnvironmentException>(() => Root("nowhere"));
    }

    [Fact]
    public async Task What_is_no_file_is_refused_by_name_and_not_waited_for()
    {
        Write("three/empty", "");
        _ = Root("three");
        var pipe = Path.Combine(_folder, "three", "pipe");
        using (var mkfifo = Process.Start("mkfifo", [pipe]))
        {
            await mkfifo.WaitForExitAsync();
        }

        var refused = await Assert.ThrowsAsync<EnvironmentException>(() => Task.Run(() => Root("three")).WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.StartsWith("three/pipe is no file", refused.Message, StringComparison.Ordinal);
        File.Delete(pipe);
        Assert.StartsWith("null is no file", Assert.Throws<EnvironmentException>(() => EvidenceManifest.Of("/dev", ["null"], [], "now")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_check_names_what_differs_and_the_tag_is_made_once()
    {
        Git("init", "-q");
        Git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "start");
        var (evidence, target) = (Path.Combine(_folder, "three"), Path.Combine(_folder, "three", "out"));
        var (code, output) = await RunAsync(evidence, "--out", target, "--repo", _folder, "--tag", "M2");
        var root = (await File.ReadAllTextAsync(Path.Combine(target, "ANCHOR.txt"))).Trim();
        Assert.Equal((0, $"Tag made: anchor-M2-{root}\nANCHOR_ROOT={root}\n"), (code, output));
        (code, output) = await RunAsync(evidence, "--out", target, "--repo", _folder, "--tag", "M2");
        Assert.Equal((0, $"Tag already there: anchor-M2-{root}\nANCHOR_ROOT={root}\n"), (code, output));

        var manifest = Path.Combine(target, "ANCHOR.json");
        Assert.Equal((0, $"holds: 3 files, root {root}\n"), await CheckAsync(manifest));
        Write("three/a", "A");
        File.Delete(Path.Combine(evidence, "b"));
        Write("three/d", "d");
        Assert.Equal((1, $"changed: three/a\ngone: three/b\nadded: three/d\n3 differ from {manifest}\n"), await CheckAsync(manifest));
        Write("three/a", "a");
        Write("three/b", "b");
        File.Delete(Path.Combine(evidence, "d"));
        await File.WriteAllTextAsync(manifest, (await File.ReadAllTextAsync(manifest)).Replace(root, new string('0', 64), StringComparison.Ordinal));
        (code, output) = await CheckAsync(manifest);
        Assert.Equal((1, true), (code, output.StartsWith("the manifest itself", StringComparison.Ordinal)));
    }

    private Task<(int, string)> CheckAsync(string manifest) => RunAsync("--check", manifest, "--repo", _folder);

    private static async Task<(int Code, string Output)> RunAsync(params string[] arguments)
    {
        var output = new StringWriter { NewLine = "\n" };
        var code = await FilesVerb.Create().Parse(arguments).InvokeAsync(new InvocationConfiguration { Output = output, EnableDefaultExceptionHandler = false });
        return (code, output.ToString());
    }

    private string Root(params string[] paths) => EvidenceManifest.Of(_folder, paths, [], "now").Root.ToString();

    private void Write(string path, string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder, path))!);
        File.WriteAllText(Path.Combine(_folder, path), content);
    }

    private void Git(params string[] arguments)
    {
        using var git = Process.Start(new ProcessStartInfo("git", arguments) { WorkingDirectory = _folder })!;
        git.WaitForExit();
        Assert.Equal(0, git.ExitCode);
    }
}
