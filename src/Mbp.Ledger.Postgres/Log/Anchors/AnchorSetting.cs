using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using NodaTime;

namespace Mbp.Ledger.Postgres.Log.Anchors;

/// <summary>
/// One anchor as it is configured: <c>folder=DIR</c>, <c>git=REPOSITORY</c> or <c>rfc3161=URL,cert=FILE</c>, each with <c>,every=10m</c> where it runs by
/// itself, git with <c>,push=REMOTE</c>. In a file, one a line.
/// </summary>
/// <param name="Every">How often the host publishes by itself; null = only by command.</param>
public sealed record AnchorSetting(string Kind, string Place, string? Certificates, string? Remote, Duration? Every)
{
    /// <summary>All kinds there are.</summary>
    public static readonly IReadOnlyList<string> Kinds = ["git", "rfc3161", "folder", "ots", "chain"];

    // integrity.md, section 1.5.
    private static readonly Duration TimestampEvery = Duration.FromMinutes(10);

    private static readonly HttpClient Http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5), PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
    {
        Timeout = TimeSpan.FromSeconds(30),
    };

    /// <exception cref="FormatException">The text is no setting; the message says why.</exception>
    public static AnchorSetting Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var items = text.Split(',');
        var (kind, place) = Pair(items[0]);
        if (!Kinds.Contains(kind))
        {
            throw new FormatException($"'{kind}' is no kind of anchor; there are {string.Join(", ", Kinds)}.");
        }

        if (kind is "ots" or "chain")
        {
            throw new FormatException($"{kind} cannot be configured in this build: it has no client for one.");
        }

        var setting = new AnchorSetting(kind, place, Certificates: null, Remote: null, kind == "rfc3161" ? TimestampEvery : null);
        foreach (var (name, value) in items[1..].Select(Pair))
        {
            setting = (kind, name) switch
            {
                (_, "every") => setting with { Every = Period(value) },
                ("rfc3161", "cert") => setting with { Certificates = value },
                ("git", "push") => setting with { Remote = value },
                _ => throw new FormatException($"An anchor of the kind {kind} has no '{name}'."),
            };
        }

        return setting.Kind != "rfc3161" ? setting
            : setting.Certificates is null ? throw new FormatException("rfc3161 needs cert=FILE, the authority's certificate or its root's: a stamp that nobody can check is none.")
            : Uri.TryCreate(place, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? setting
            : throw new FormatException($"'{place}' is no http or https URL of an authority.");
    }

    /// <summary>The settings of a file; none where it is not there. Empty lines and those that begin with # say nothing.</summary>
    /// <exception cref="FormatException">A line is no setting.</exception>
    public static IReadOnlyList<AnchorSetting> Load(string path) => File.Exists(path)
        ? [.. File.ReadLines(path).Select(line => line.Trim()).Where(line => line is not "" and not ['#', ..]).Select(Parse)]
        : [];

    /// <summary>The anchor itself.</summary>
    /// <param name="gate">What a git tag is for.</param>
    /// <exception cref="AnchorException">Something that it needs is not there.</exception>
    public IAnchor Open(string gate) => Kind switch
    {
        "folder" => new FolderAnchor(Place),
        "git" => new GitAnchor(new GitRepository(Place), gate, Remote),
        _ => new TimestampAnchor(new Uri(Place), Trusted(), Http),
    };

    private X509Certificate2Collection Trusted()
    {
        var trusted = new X509Certificate2Collection();
        try
        {
            trusted.ImportFromPemFile(Certificates!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new AnchorException($"The certificates of {Place} cannot be read from {Certificates}: {e.Message}", e);
        }

        return trusted.Count > 0 ? trusted : throw new AnchorException($"There is no certificate in {Certificates}.");
    }

    private static (string Name, string Value) Pair(string item) => item.IndexOf('=', StringComparison.Ordinal) is > 0 and var at && at + 1 < item.Length
        ? (item[..at], item[(at + 1)..])
        : throw new FormatException($"'{item}' is not NAME=VALUE.");

    private static Duration Period(string text)
    {
        var unit = text is [.. , 's'] ? Duration.FromSeconds(1) : text is [.., 'm'] ? Duration.FromMinutes(1) : text is [.., 'h'] ? Duration.FromHours(1) : Duration.Zero;
        return unit > Duration.Zero && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= 10_000
            ? unit * number
            : throw new FormatException($"'{text}' is no time such as 30s, 10m or 1h.");
    }
}
