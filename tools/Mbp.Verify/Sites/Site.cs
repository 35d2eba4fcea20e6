using System.Net;
using Mbp.Ledger.Log;

namespace Mbp.Verify.Sites;

/// <summary>The question cannot be asked: a wrong option, a file that is not there, a network that fails. Never said of the log itself.</summary>
internal sealed class CannotAskException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>What the log promised by its signature, or by its manifest, is not served.</summary>
internal sealed class WithheldException(string path) : Exception($"{path} is not there, and the log's checkpoint says that it must be.")
{
    public string Path { get; } = path;
}

/// <summary>Where the files of a log are.</summary>
internal interface ISite
{
    /// <summary>As the user named it.</summary>
    string Name { get; }

    /// <summary>The bytes of a file; null where there is none.</summary>
    Task<byte[]?> ReadAsync(string path, CancellationToken cancellationToken);

    /// <summary>All files, where they can be listed.</summary>
    IEnumerable<string>? List();
}

internal static class Site
{
    public static ISite Open(string name) =>
        name.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || name.StartsWith("https://", StringComparison.OrdinalIgnoreCase)
            ? Uri.TryCreate(name, UriKind.Absolute, out var url) ? new HttpSite(url) : throw new CannotAskException($"'{name}' is no URL.")
            : Directory.Exists(name) ? new FolderSite(name) : throw new CannotAskException($"There is no folder '{name}'. Give an exported folder, or the URL of a log (https://HOST/log).");

    public static async Task<byte[]> NeedAsync(this ISite site, string path, CancellationToken cancellationToken) =>
        await site.ReadAsync(path, cancellationToken).ConfigureAwait(false) ?? throw new WithheldException(path);
}

internal sealed class FolderSite(string folder) : ISite
{
    private readonly string _root = Path.GetFullPath(folder);

    public string Name => folder;

    public async Task<byte[]?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        var file = Path.Combine(_root, path);
        return File.Exists(file) ? await File.ReadAllBytesAsync(file, cancellationToken).ConfigureAwait(false) : null;
    }

    public IEnumerable<string> List() => Directory.EnumerateFiles(_root, "*", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(_root, file).Replace(Path.DirectorySeparatorChar, '/'));
}

internal sealed class HttpSite : ISite, IDisposable
{
    private const int MaxBytes = 64 * 1024 * 1024;
    private const int Tries = 3;

    private readonly HttpClient _client;
    private readonly Uri _base;

    public HttpSite(Uri url)
    {
        _base = new Uri(url.AbsoluteUri.TrimEnd('/') + "/");
        _client = new HttpClient { Timeout = TimeSpan.FromSeconds(30), MaxResponseContentBufferSize = MaxBytes };
        Name = url.ToString();
    }

    public string Name { get; }

    public IEnumerable<string>? List() => null;

    public async Task<byte[]?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                using var answer = await _client.GetAsync(new Uri(_base, path), cancellationToken).ConfigureAwait(false);
                if (answer.StatusCode == HttpStatusCode.NotFound)
                {
                    return null;
                }

                if (answer.IsSuccessStatusCode)
                {
                    return await answer.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
                }

                if (attempt == Tries || (int)answer.StatusCode < 500)
                {
                    throw new CannotAskException($"{_base}{path} answers {(int)answer.StatusCode}.");
                }
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
            {
                if (attempt == Tries)
                {
                    throw new CannotAskException($"{_base}{path} cannot be fetched: {e.Message}", e);
                }
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200 * attempt), cancellationToken).ConfigureAwait(false);
        }
    }

    public void Dispose() => _client.Dispose();
}

/// <summary>The tiles and bundles of a site; a partial one may have grown wider since.</summary>
internal sealed class SiteTiles(ISite site) : ITileReader
{
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(TilePath path, CancellationToken ct) =>
        await site.ReadAsync(path.ToString(), ct).ConfigureAwait(false)
        ?? (path.IsFull ? null : await site.ReadAsync(path.Full.ToString(), ct).ConfigureAwait(false))
        ?? throw new WithheldException(path.ToString());
}
