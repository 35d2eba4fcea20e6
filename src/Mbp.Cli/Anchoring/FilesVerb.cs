using System.CommandLine;
using System.Text;
using Mbp.Cli.Files;
using Mbp.Ledger.Postgres.Log.Anchors;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Cli.Anchoring;

/// <summary><c>mbp anchor files</c>: one hash for a gate's evidence, and a git tag that has it in its name.</summary>
internal static class FilesVerb
{
    private const string Manifest = "ANCHOR.json";

    public static Command Create()
    {
        var paths = new Argument<string[]>("PATH") { Description = "Files and folders.", Arity = ArgumentArity.ZeroOrMore };
        var output = new Option<string>("--out") { Description = "Where ANCHOR.json and ANCHOR.txt go.", DefaultValueFactory = _ => "." };
        var tag = new Option<string?>("--tag") { Description = "Make the annotated git tag anchor-NAME-ROOT." };
        var repo = new Option<string>("--repo") { Description = "The git repository, which paths are relative to.", DefaultValueFactory = _ => "." };
        var check = new Option<string?>("--check") { Description = "Verify the files against this ANCHOR.json and name what differs." };
        var files = new Command("files", "Hashes files into one root (RFC 6962; a leaf is path, NUL, SHA-256).") { paths, output, tag, repo, check };
        files.SetAction((parsed, cancellationToken) =>
        {
            var folder = Path.GetFullPath(parsed.GetValue(repo)!);
            return (parsed.GetValue(check), parsed.GetValue(paths)) switch
            {
                ({ } manifest, null or []) => CheckAsync(parsed.InvocationConfiguration.Output, Path.GetFullPath(manifest), folder),
                (null, { Length: > 0 } some) => MakeAsync(parsed.InvocationConfiguration.Output, folder, some, Path.GetFullPath(parsed.GetValue(output)!), parsed.GetValue(tag), cancellationToken),
                _ => throw new EnvironmentException("Give paths, or --check ANCHOR.json."),
            };
        });
        return files;
    }

    private static async Task<int> MakeAsync(TextWriter output, string folder, string[] paths, string target, string? tag, CancellationToken ct)
    {
        // As the shell completes them: relative to where one stands.
        var manifest = EvidenceManifest.Of(folder, [.. paths.Select(Path.GetFullPath)], Own(target), InstantPattern.ExtendedIso.Format(SystemClock.Instance.GetCurrentInstant()));
        Directory.CreateDirectory(target);
        await File.WriteAllBytesAsync(Path.Combine(target, Manifest), manifest.ToUtf8(), ct).ConfigureAwait(false);
        await File.WriteAllTextAsync(Path.Combine(target, "ANCHOR.txt"), $"{manifest.Root}\n", new UTF8Encoding(false), ct).ConfigureAwait(false);
        if (tag is not null)
        {
            try
            {
                var name = GitAnchor.TagOf(tag, manifest.Root);
                var made = await new GitRepository(folder).EnsureTagAsync(name, $"Evidence anchor {tag}\n\n{manifest.Files.Count} files, root {manifest.Root}\n", ct).ConfigureAwait(false);
                await output.WriteLineAsync(made ? $"Tag made: {name}" : $"Tag already there: {name}").ConfigureAwait(false);
            }
            catch (AnchorException e)
            {
                throw new EnvironmentException(e.Message);
            }
        }

        await output.WriteLineAsync($"ANCHOR_ROOT={manifest.Root}").ConfigureAwait(false);
        return 0;
    }

    private static async Task<int> CheckAsync(TextWriter output, string path, string folder)
    {
        var manifest = EvidenceManifest.Load(path);
        var differences = manifest.Differences(folder, Own(Path.GetDirectoryName(path)!));
        foreach (var difference in differences)
        {
            await output.WriteLineAsync(difference).ConfigureAwait(false);
        }

        await output.WriteLineAsync(differences.Count == 0 ? $"holds: {manifest.Files.Count} files, root {manifest.Root}" : $"{differences.Count} differ from {path}").ConfigureAwait(false);
        return differences.Count == 0 ? 0 : 1;
    }

    private static string[] Own(string folder) => [Path.Combine(folder, Manifest), Path.Combine(folder, "ANCHOR.txt")];
}
