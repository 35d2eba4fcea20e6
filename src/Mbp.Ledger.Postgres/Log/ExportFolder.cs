using System.Security.Cryptography;
using System.Text;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>A folder that is being filled, and the hashes of what is in it. Any thread may write; a path is written once.</summary>
public sealed class ExportFolder
{
    private readonly string _root;
    private readonly List<EvidenceFile> _files = [];
    private readonly Lock _gate = new();

    private ExportFolder(string root) => _root = root;

    public long Bytes { get; private set; }

    public int Files
    {
        get
        {
            lock (_gate)
            {
                return _files.Count;
            }
        }
    }

    /// <summary>Takes a folder that is not there yet or is empty: files of an older export beside new ones would be evidence of nothing.</summary>
    /// <exception cref="IOException">There is something in it.</exception>
    public static ExportFolder Create(string path)
    {
        var root = Path.GetFullPath(path);
        if (File.Exists(root) || (Directory.Exists(root) && Directory.EnumerateFileSystemEntries(root).Any()))
        {
            throw new IOException($"{path} is not empty. An export needs a folder of its own: name a new one, or remove this one.");
        }

        Directory.CreateDirectory(root);
        return new ExportFolder(root);
    }

    public Task WriteAsync(string path, string text, CancellationToken cancellationToken) => WriteAsync(path, Encoding.UTF8.GetBytes(text), cancellationToken);

    public async Task WriteAsync(string path, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        var stream = new FileStream(file, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        await using (stream.ConfigureAwait(false))
        {
            await stream.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        }

        var hash = new MerkleHash(SHA256.HashData(bytes.Span));
        lock (_gate)
        {
            _files.Add(new EvidenceFile(path, hash));
            Bytes += bytes.Length;
        }
    }

    /// <summary>Writes the manifest over all that was written: the folder is complete.</summary>
    /// <returns>The root over all files.</returns>
    public async Task<MerkleHash> SealAsync(CancellationToken cancellationToken)
    {
        EvidenceFile[] files = [.. _files];
        await File.WriteAllBytesAsync(Path.Combine(_root, ExportPaths.Manifest), FolderManifest.Format(files), cancellationToken).ConfigureAwait(false);
        return EvidenceTree.Root(files);
    }
}
