using System.Security.Cryptography;
using System.Text.Json;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Verify.Output;
using Mbp.Verify.Sites;

namespace Mbp.Verify.Checks;

/// <summary>A folder of evidence and the one hash over it: MANIFEST of an export, ANCHOR.json of a gate.</summary>
internal static class EvidenceCheck
{
    private const string AnchorFile = "ANCHOR.json";

    public static async Task RunAsync(string folder, string? root, string? relativeTo, Report report, CancellationToken cancellationToken)
    {
        var path = Path.Combine(folder, AnchorFile);
        if (File.Exists(path))
        {
            await AnchorAsync(path, relativeTo ?? folder, root, report, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (!File.Exists(Path.Combine(folder, ExportPaths.Manifest)))
        {
            throw new CannotAskException($"{folder} has neither {AnchorFile} nor {ExportPaths.Manifest}: there is no hash to hold its files against.");
        }

        if (await HashedSite.OverAsync(Site.Open(folder), report, cancellationToken).ConfigureAwait(false) is HashedSite site)
        {
            await site.FinishAsync(cancellationToken).ConfigureAwait(false);
            Expect(root, FolderManifest.Parse(await File.ReadAllBytesAsync(Path.Combine(folder, ExportPaths.Manifest), cancellationToken).ConfigureAwait(false)).Root, ExportPaths.Manifest, report);
        }
    }

    private static async Task AnchorAsync(string anchor, string folder, string? expected, Report report, CancellationToken cancellationToken)
    {
        var files = new List<EvidenceFile>();
        var paths = new List<string>();
        MerkleHash root;
        try
        {
            using var document = JsonDocument.Parse(await File.ReadAllBytesAsync(anchor, cancellationToken).ConfigureAwait(false), new JsonDocumentOptions { AllowDuplicateProperties = false });
            root = document.RootElement.GetProperty("root").Deserialize<MerkleHash>();
            files.AddRange(document.RootElement.GetProperty("files").EnumerateArray().Select(file =>
                new EvidenceFile(file.GetProperty("path").GetString() ?? "", file.GetProperty("sha256").Deserialize<MerkleHash>())));
            if (document.RootElement.TryGetProperty("paths", out var asked))
            {
                paths.AddRange(asked.EnumerateArray().Select(path => path.GetString() ?? ""));
            }

            if (EvidenceTree.Root(files) != root)
            {
                report.Fault(FaultKind.Manifest, "the root is not that of the files that are listed: the list was changed", anchor);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or ArgumentException)
        {
            report.Fault(FaultKind.Manifest, $"it cannot be read: {e.Message}", anchor);
            return;
        }

        foreach (var file in files)
        {
            var path = Path.GetFullPath(Path.Combine(folder, file.Path));
            if (!path.StartsWith(Path.GetFullPath(folder), StringComparison.Ordinal) || !File.Exists(path))
            {
                report.Fault(FaultKind.Missing, $"{AnchorFile} lists this file, and it is not there", file.Path);
                continue;
            }

            using var stream = File.OpenRead(path);
            if (new MerkleHash(await SHA256.HashDataAsync(stream, cancellationToken).ConfigureAwait(false)) != file.Content)
            {
                report.Fault(FaultKind.Manifest, "its bytes are not those that were anchored", file.Path);
            }
        }

        foreach (var added in Added(folder, paths, files, Path.GetDirectoryName(Path.GetFullPath(anchor))!))
        {
            report.Fault(FaultKind.Manifest, $"it is not among the files that were anchored: it came later, or was left out of {AnchorFile}", added);
        }

        Expect(expected, root, anchor, report);
        if (report.FaultCount == 0)
        {
            report.Checked($"evidence   {files.Count} files, root {root}");
        }
    }

    /// <summary>What lies under the paths that were asked for and is not listed, but for what the anchoring itself wrote.</summary>
    private static IEnumerable<string> Added(string folder, IEnumerable<string> paths, IEnumerable<EvidenceFile> files, string own)
    {
        var listed = files.Select(file => Path.GetFullPath(Path.Combine(folder, file.Path))).Append(Path.Combine(own, AnchorFile)).Append(Path.Combine(own, "ANCHOR.txt")).ToHashSet(StringComparer.Ordinal);
        return paths.Select(path => Path.GetFullPath(Path.Combine(folder, path)))
            .Where(path => (path + Path.DirectorySeparatorChar).StartsWith(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) + Path.DirectorySeparatorChar, StringComparison.Ordinal) && Directory.Exists(path))
            .SelectMany(path => Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories))
            .Where(path => !listed.Contains(path)).Select(path => Path.GetRelativePath(folder, path)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);
    }

    private static void Expect(string? expected, MerkleHash root, string file, Report report)
    {
        if (expected is not null && !string.Equals(expected, root.ToString(), StringComparison.OrdinalIgnoreCase))
        {
            report.Fault(FaultKind.Manifest, $"the root is {root}, you expected {expected}", file);
        }
        else if (expected is null)
        {
            report.Note($"The root was not compared with one from elsewhere. Give --root with the one that was anchored (a git tag, a timestamp): {root}");
        }
    }
}
