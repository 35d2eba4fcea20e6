using System.Collections.Concurrent;
using System.Security.Cryptography;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Verify.Output;

namespace Mbp.Verify.Sites;

/// <summary>An exported folder whose every file is held against its manifest when it is read; what nobody read is read at the end.</summary>
internal sealed class HashedSite : ISite
{
    private readonly ISite _site;
    private readonly Report _report;
    private readonly Dictionary<string, MerkleHash> _listed;
    private readonly ConcurrentDictionary<string, bool> _seen = new(StringComparer.Ordinal);

    private HashedSite(ISite site, Report report, IReadOnlyList<EvidenceFile> files) =>
        (_site, _report, _listed) = (site, report, files.ToDictionary(file => file.Path, file => file.Content, StringComparer.Ordinal));

    public string Name => _site.Name;

    /// <summary>The site with its manifest; the site itself where it has none or a broken one.</summary>
    public static async Task<ISite> OverAsync(ISite site, Report report, CancellationToken cancellationToken)
    {
        if (await site.ReadAsync(ExportPaths.Manifest, cancellationToken).ConfigureAwait(false) is not { } manifest)
        {
            if (site is FolderSite)
            {
                report.Fault(FaultKind.Missing, "an exported folder has a MANIFEST, written last: without it the export is not finished, or it was taken away", ExportPaths.Manifest);
            }

            return site;
        }

        try
        {
            var (root, files) = FolderManifest.Parse(manifest);
            report.Checked($"manifest   {files.Count} files, root {root}");
            return new HashedSite(site, report, files);
        }
        catch (LogFormatException e)
        {
            report.Fault(FaultKind.Manifest, e.Message, ExportPaths.Manifest);
            return site;
        }
    }

    public IEnumerable<string>? List() => _site.List();

    public async Task<byte[]?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        var bytes = await _site.ReadAsync(path, cancellationToken).ConfigureAwait(false);
        if (bytes is not null && path != ExportPaths.Manifest && _seen.TryAdd(path, true))
        {
            if (!_listed.TryGetValue(path, out var hash))
            {
                _report.Fault(FaultKind.Manifest, "the file is not in the MANIFEST: it was added after the export", path);
            }
            else if (new MerkleHash(SHA256.HashData(bytes)) != hash)
            {
                _report.Fault(FaultKind.Manifest, "its bytes are not those that the MANIFEST lists", path);
            }
        }

        return bytes;
    }

    /// <summary>Reads what was not read yet, and compares the list with what is there.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        var rest = _listed.Keys.Where(path => !_seen.ContainsKey(path)).ToList();
        await Parallel.ForEachAsync(rest, cancellationToken, async (path, token) =>
        {
            if (await ReadAsync(path, token).ConfigureAwait(false) is null)
            {
                _report.Fault(FaultKind.Missing, "the MANIFEST lists this file, and it is not there", path);
            }
        }).ConfigureAwait(false);
        foreach (var path in (_site.List() ?? []).Where(path => path != ExportPaths.Manifest && !_listed.ContainsKey(path) && !_seen.ContainsKey(path)))
        {
            _report.Fault(FaultKind.Manifest, "the file is not in the MANIFEST: it was added after the export", path);
        }
    }
}
