using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Mbp.Ledger.Log;

namespace Mbp.Ledger.Postgres.Log.Anchors;

/// <summary>
/// A folder in which files are written once: an object store with a retention lock, another department's share. The name has the size and the root,
/// so two roots for one size are two files, side by side.
/// </summary>
public sealed class FolderAnchor(string folder) : IAnchor
{
    public string Kind => "folder";

    public string Place { get; } = Path.GetFullPath(folder) + Path.DirectorySeparatorChar;

    public Task<AnchorReceipt> PublishAsync(AnchoredCheckpoint checkpoint, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ct.ThrowIfCancellationRequested();
        var (path, content) = (PathOf(checkpoint), Encoding.UTF8.GetBytes(checkpoint.Note));
        try
        {
            if (!File.Exists(path))
            {
                DurableFile.WriteOnce(path, content);
            }

            // Also where it was there before: what counts is what the folder gives back.
            return File.ReadAllBytes(path).AsSpan().SequenceEqual(content)
                ? Task.FromResult(new AnchorReceipt(path, Digest(content)))
                : throw new AnchorException($"{path} is there and holds something else. It is not overwritten.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AnchorException($"The folder {Place} does not take the checkpoint: {e.Message}", e);
        }
    }

    public Task<Verdict> VerifyAsync(AnchoredCheckpoint checkpoint, AnchorReceipt receipt, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(receipt);
        ct.ThrowIfCancellationRequested();
        var (path, content) = (PathOf(checkpoint), Encoding.UTF8.GetBytes(checkpoint.Note));
        var faults = new List<string>();
        if (receipt.Ref != path || !receipt.Content.Span.SequenceEqual(Digest(content)))
        {
            faults.Add($"The receipt is not for this checkpoint: it names {receipt.Ref}.");
        }

        try
        {
            if (!File.ReadAllBytes(path).AsSpan().SequenceEqual(content))
            {
                faults.Add($"{path} does not hold the checkpoint.");
            }

            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & (UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) != 0)
            {
                faults.Add($"{path} can be written to.");
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            faults.Add(Directory.Exists(Place) ? $"{path} is gone." : throw new AnchorException($"The folder {Place} is not there.", e));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AnchorException($"{path} cannot be read: {e.Message}", e);
        }

        return Task.FromResult(new Verdict(faults));
    }

    private string PathOf(AnchoredCheckpoint checkpoint)
    {
        // Logs of several epochs, or of several hosts, may share the folder.
        var origin = SHA256.HashData(Encoding.UTF8.GetBytes(checkpoint.Note[..checkpoint.Note.IndexOf('\n', StringComparison.Ordinal)]));
        return string.Create(CultureInfo.InvariantCulture, $"{Place}{Convert.ToHexStringLower(origin.AsSpan(0, 4))}-{checkpoint.Size:d16}-{checkpoint.Root}.note");
    }

    private static byte[] Digest(byte[] content) => Encoding.ASCII.GetBytes($"sha256 {Convert.ToHexStringLower(SHA256.HashData(content))}\n");
}
