using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mbp.Cli.Files;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;

namespace Mbp.Cli.Anchoring;

/// <summary>A file of the evidence.</summary>
internal sealed record EvidenceEntry(string Path, long Size, MerkleHash Sha256);

/// <summary>
/// <c>ANCHOR.json</c>: files and the one hash over them. A link is refused: what it points to can change while everything here stays as it is.
/// </summary>
/// <param name="Root">The root of the <see cref="EvidenceTree"/> over paths and hashes; sizes and times are for people.</param>
/// <param name="Paths">What was asked for, so that a check sees what came on top.</param>
internal sealed record EvidenceManifest(MerkleHash Root, string At, IReadOnlyList<string> Paths, IReadOnlyList<EvidenceEntry> Files)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
        NewLine = "\n",
    };

    /// <summary>Hashes all files under some paths.</summary>
    /// <param name="folder">What the paths in the manifest are relative to.</param>
    /// <param name="without">Files that are not part of it: the manifest itself.</param>
    /// <exception cref="EnvironmentException">A path is not there, is outside the folder, is a link, or is no file.</exception>
    public static EvidenceManifest Of(string folder, IReadOnlyList<string> paths, IReadOnlyCollection<string> without, string at)
    {
        var files = Walk(folder, paths, without).Select(path => Entry(folder, path)).ToList();
        return files.Count == 0
            ? throw new EnvironmentException($"There is no file under {string.Join(", ", paths)}.")
            : new EvidenceManifest(RootOf(files), at, [.. paths.Select(path => Relative(folder, Path.GetFullPath(path, folder)))], files);
    }

    /// <exception cref="EnvironmentException">The file is no manifest.</exception>
    public static EvidenceManifest Load(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<EvidenceManifest>(File.ReadAllBytes(path), Json) ?? throw new EnvironmentException($"{path} is no ANCHOR.json.");
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new EnvironmentException($"{path} is no ANCHOR.json: {e.Message}");
        }
    }

    public byte[] ToUtf8() => [.. JsonSerializer.SerializeToUtf8Bytes(this, Json), (byte)'\n'];

    /// <summary>What differs between the manifest and the files, a sentence each.</summary>
    public IReadOnlyList<string> Differences(string folder, IReadOnlyCollection<string> without)
    {
        var differences = new List<string>();
        try
        {
            if (RootOf(Files) != Root)
            {
                differences.Add($"the manifest itself: its files have the root {RootOf(Files)}, not {Root}");
            }
        }
        catch (ArgumentException e)
        {
            differences.Add($"the manifest itself: {e.Message}");
        }

        var there = Walk(folder, [.. Paths.Where(path => Path.Exists(Path.GetFullPath(path, folder)))], without).ToHashSet(StringComparer.Ordinal);
        foreach (var file in Files)
        {
            if (!there.Remove(file.Path))
            {
                differences.Add($"gone: {file.Path}");
            }
            else if (Entry(folder, file.Path) is var now && now != file)
            {
                differences.Add(now.Sha256 == file.Sha256 ? $"changed: {file.Path}: its size is {now.Size}, not {file.Size}" : $"changed: {file.Path}");
            }
        }

        differences.AddRange(there.Order(StringComparer.Ordinal).Select(path => $"added: {path}"));
        return differences;
    }

    private static MerkleHash RootOf(IEnumerable<EvidenceEntry> files) => EvidenceTree.Root(files.Select(file => new EvidenceFile(file.Path, file.Sha256)));

    private static EvidenceEntry Entry(string folder, string path)
    {
        using var file = File.OpenRead(Path.Combine(folder, path));
        return new EvidenceEntry(path, file.Length, new MerkleHash(SHA256.HashData(file)));
    }

    private static IReadOnlyList<string> Walk(string folder, IReadOnlyList<string> paths, IReadOnlyCollection<string> without)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        var todo = new Stack<string>(paths.Select(path => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path, folder))));
        while (todo.TryPop(out var path))
        {
            if (!Path.Exists(path) && new FileInfo(path).LinkTarget is null)
            {
                throw new EnvironmentException($"{path} is not there.");
            }

            var relative = Relative(folder, path);
            if (new FileInfo(path).LinkTarget is { } target)
            {
                throw new EnvironmentException($"{relative} is a link to {target}; links are not evidence. Name what it points to.");
            }

            if (Directory.Exists(path))
            {
                foreach (var below in Directory.EnumerateFileSystemEntries(path))
                {
                    todo.Push(below);
                }
            }
            else if (!without.Contains(path))
            {
                if (!IsFile(path))
                {
                    throw new EnvironmentException($"{relative} is no file (a pipe, a socket or a device): it has no bytes to hash. Leave it out.");
                }

                found.Add(relative);
            }
        }

        return [.. found];
    }

    // The runtime does not say what else a path may be, and to open a pipe would wait for its writer for ever; what makes archives looks first.
    private static bool IsFile(string path)
    {
        const int TypeFlag = 156;
        if (OperatingSystem.IsWindows() || new FileInfo(path).Length > 0)
        {
            return true;
        }

        using var archive = new MemoryStream();
        try
        {
            using var tar = new TarWriter(archive, TarEntryFormat.Ustar, leaveOpen: true);
            tar.WriteEntry(path, "x");
        }
        catch (IOException)
        {
            // A socket cannot be archived.
            return false;
        }

        return archive.GetBuffer()[TypeFlag] == (byte)TarEntryType.RegularFile;
    }

    private static string Relative(string folder, string path)
    {
        var relative = Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/');
        return relative == ".." || relative.StartsWith("../", StringComparison.Ordinal) || Path.IsPathRooted(relative)
            ? throw new EnvironmentException($"{path} is not within {folder}; the manifest's paths are relative to it (--repo).")
            : relative;
    }
}
