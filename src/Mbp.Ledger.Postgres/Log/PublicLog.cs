using Mbp.Ledger.Log;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>The public log of a ledger: its name, its tables, and what of it is kept outside of the database.</summary>
public sealed class PublicLog : IAsyncDisposable
{
    /// <summary>The log's name where none is given.</summary>
    public const string DefaultName = "mbp.localhost";

    private const string Within = "/mbp-ledger/";

    private volatile LogRecord _record;

    private PublicLog(LogRecord record, LogStore store, LogKeys keys, LastSigned lastSigned, LogEvidence evidence)
    {
        (_record, Store, Keys, LastSigned, Evidence) = (record, store, keys, lastSigned, evidence);
        Tiles = new LogTiles(store);
    }

    /// <summary>The log of today. It changes when a new epoch is opened.</summary>
    public LogRecord Record => _record;

    /// <summary>Whose log: its origin without the epoch.</summary>
    public string Name => Origin[..Origin.LastIndexOf(Within, StringComparison.Ordinal)];

    public string Origin => Record.Origin;

    public int Epoch => Record.Epoch;

    public LogStore Store { get; }

    public LogTiles Tiles { get; }

    public LogKeys Keys { get; }

    public LastSigned LastSigned { get; }

    /// <summary>The signed heads of logs that were given up.</summary>
    public LogEvidence Evidence { get; }

    /// <summary>Called when another epoch has taken over.</summary>
    public event Action? EpochBegan;

    /// <summary>Looks whether another epoch has taken over, in this process or elsewhere.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        if (await Store.FindAsync(cancellationToken).ConfigureAwait(false) is { } record && record.Epoch != Epoch)
        {
            _record = record;
            EpochBegan?.Invoke();
        }
    }

    /// <summary>Opens the log, and begins it where there is none yet.</summary>
    /// <param name="connections">The ledger's database.</param>
    /// <param name="folder">Where keys and the last signed head are: <c>log</c> in the data folder.</param>
    /// <param name="name">Whose log; null = what it is called already, or else <see cref="DefaultName"/>.</param>
    /// <param name="cancellationToken">While waiting for the database.</param>
    /// <exception cref="PostgresSetupException">This machine cannot sign, or the log has another name.</exception>
    public static async Task<PublicLog> OpenAsync(RoleConnections connections, string folder, string? name, CancellationToken cancellationToken)
    {
        LogKeys.Probe();
        var log = await TryOpenAsync(connections, folder, cancellationToken).ConfigureAwait(false) ?? await BeginAsync(connections, folder, name ?? DefaultName, cancellationToken).ConfigureAwait(false);
        if (name is not null && log.Origin != OriginOf(name, log.Epoch))
        {
            await log.DisposeAsync().ConfigureAwait(false);
            throw new PostgresSetupException($"The ledger's public log is {log.Origin}: it was named at the first start, and everybody who holds a checkpoint knows it by that. Leave --log-name away.");
        }

        return log;
    }

    /// <summary>Opens the log of a ledger; null where it was never begun.</summary>
    public static async Task<PublicLog?> TryOpenAsync(RoleConnections connections, string folder, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var store = new LogStore(connections);
        try
        {
            if (await store.FindAsync(cancellationToken).ConfigureAwait(false) is { } record)
            {
                return new PublicLog(
                    record, store, new LogKeys(Path.Combine(folder, "keys")), new LastSigned(Path.Combine(folder, "last-signed")),
                    new LogEvidence(Path.Combine(folder, "evidence")));
            }
        }
        catch
        {
            await store.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        await store.DisposeAsync().ConfigureAwait(false);
        return null;
    }

    /// <summary>The newest checkpoint with what witnesses have said of it since.</summary>
    public async Task<(StoredCheckpoint Checkpoint, SignedNote Note)?> NewestAsync(CancellationToken cancellationToken)
    {
        if (await Store.NewestAsync(Epoch, cancellationToken).ConfigureAwait(false) is not { } newest)
        {
            return null;
        }

        var cosignatures = await Store.CosignaturesAsync(Epoch, newest.Size, cancellationToken).ConfigureAwait(false);
        return (newest, newest.Note.With(cosignatures.Select(cosignature => cosignature.Line)));
    }

    /// <summary>The oldest key in force of the present epoch whose private half is here; null where none is.</summary>
    /// <exception cref="LogFormatException">The key's file holds something else.</exception>
    public async Task<ICheckpointSigner?> SignerAsync(CancellationToken cancellationToken) =>
        (await InForceAsync(cancellationToken).ConfigureAwait(false)).Select(Keys.Find).FirstOrDefault(signer => signer is not null);

    /// <summary>The keys of the present epoch that are not retired, the oldest first.</summary>
    public async Task<IReadOnlyList<VerifierKey>> InForceAsync(CancellationToken cancellationToken) =>
        [.. (await Store.KeysAsync(Epoch, cancellationToken).ConfigureAwait(false)).Where(key => key.Until is null).Select(key => key.Key)];

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync().ConfigureAwait(false);
        Keys.Dispose();
    }

    /// <summary>The origin of an epoch.</summary>
    public static string OriginOf(string name, int epoch) => FormattableString.Invariant($"{name}{Within}{epoch}");

    /// <summary>The epoch of an origin of this log; null for another's.</summary>
    public int? EpochOf(string origin)
    {
        ArgumentNullException.ThrowIfNull(origin);
        return origin.StartsWith(Name + Within, StringComparison.Ordinal)
            && int.TryParse(origin.AsSpan(Name.Length + Within.Length), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var epoch) && origin == OriginOf(Name, epoch)
            ? epoch : null;
    }

    private static async Task<PublicLog> BeginAsync(RoleConnections connections, string folder, string name, CancellationToken cancellationToken)
    {
        const int Epoch = 1;
        using var keys = new LogKeys(Path.Combine(folder, "keys"));
        await using var store = new LogStore(connections);
        VerifierKey key;
        try
        {
            key = keys.Create(OriginOf(name, Epoch));
        }
        catch (LogFormatException e)
        {
            throw new PostgresSetupException($"'{name}' cannot name a log: {e.Message}", e);
        }

        // The key is on the disk before anybody is told of it; of two hosts that start together, one finds that it is not the first.
        if (!await store.BeginAsync(Epoch, OriginOf(name, Epoch), key, cancellationToken).ConfigureAwait(false))
        {
            keys.Destroy(key);
        }

        return await TryOpenAsync(connections, folder, cancellationToken).ConfigureAwait(false) ?? throw new InvalidOperationException("The log was begun and is not there.");
    }
}
