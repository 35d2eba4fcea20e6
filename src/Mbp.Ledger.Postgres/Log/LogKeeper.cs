using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using NodaTime;
using Npgsql;
using NpgsqlTypes;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>How often the log is signed.</summary>
public sealed record LogKeeperOptions
{
    /// <summary>A log that has grown is signed after so long at the latest.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Or when it has grown by so many events.</summary>
    public int Events { get; init; } = 256;

    /// <summary>But not more often than this: a signature costs a synced file and a row, and under load many commits share one.</summary>
    public TimeSpan AtMost { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How often a log that does not grow is looked after: whether the file of its last signed head is still what was written.</summary>
    public TimeSpan Look { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a process waits before it tries to keep the log that another one keeps.</summary>
    public TimeSpan LockRetry { get; init; } = TimeSpan.FromSeconds(2);
}

/// <summary>The keeper in numbers.</summary>
/// <param name="Keeps">Whether this process keeps the log.</param>
/// <param name="Size">The leaves in its tree.</param>
/// <param name="SignedSize">The leaves under the newest checkpoint.</param>
/// <param name="SignedAt">When that was signed by this process.</param>
/// <param name="UnsignedSince">Since when there are events that no checkpoint covers; null = there are none.</param>
/// <param name="Fault">Why it halted, if it did.</param>
/// <param name="Lacks">The id of a key that signs the log and was never in this data folder: it is another process's to keep.</param>
public sealed record LogState(bool Keeps, long Size, long SignedSize, Instant? SignedAt, Instant? UnsignedSince, LogFault? Fault, string? Lacks = null);

/// <summary>
/// Makes the public log of the ledger: reads new leaves back, hashes them anew, grows the tree, stores full tiles and signs (ADR 0011). One of
/// them at a time for a database, by an advisory lock of the session that it writes with; never in the path of a command. What it cannot
/// sign in good conscience it does not sign: it halts with a <see cref="LogFault"/>, and tries again when somebody asks for a checkpoint.
/// </summary>
public sealed partial class LogKeeper : IAsyncDisposable
{
    // A backlog is signed in steps.
    private const int Stride = 32_768;
    private const int RowsAtATime = 256;
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan StandbyPause = TimeSpan.FromMilliseconds(100);

    private readonly PublicLog _log;
    private readonly IEventStore _ledger;
    private readonly LogKeeperOptions _options;
    private readonly IClock _clock;
    private readonly Action<Exception, string> _trouble;
    private readonly NpgsqlDataSource _sessions;
    private readonly ConcurrentQueue<Request> _requests = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly LeafRows _rows = new();
    private volatile LogState _state = new(false, 0, 0, null, null, null);
    private long _lastSigned;

    /// <param name="log">The log.</param>
    /// <param name="connections">Its database.</param>
    /// <param name="ledger">Tells when the ledger has grown.</param>
    /// <param name="options">How often.</param>
    /// <param name="clock">For what the state says of time; nothing that is signed has one.</param>
    /// <param name="trouble">Told of what it survives, and of why it halts.</param>
    public LogKeeper(PublicLog log, RoleConnections connections, IEventStore ledger, LogKeeperOptions options, IClock clock, Action<Exception, string> trouble)
    {
        ArgumentNullException.ThrowIfNull(connections);
        (_log, _ledger, _options, _clock, _trouble) = (log, ledger, options, clock, trouble);
        _sessions = RoleConnections.Pool("mbp_log_keeper", connections.Writer, c =>
        {
            c.Pooling = false;
            // The events are durable before they are seen here, and the signed head is in a file that is synced first: losing the newest row to a
            // crash loses nothing that the next start does not put back. So no commit of the ledger waits for a sync of this session.
            c.Options = $"{c.Options} -c synchronous_commit=off -c statement_timeout=0 -c idle_session_timeout=0 -c jit=off -c enable_seqscan=off -c enable_sort=off -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=15000".Trim();
            c.MaxAutoPrepare = 10;
            c.AutoPrepareMinUsages = 2;
        });
    }

    public LogState State => _state;

    /// <summary>
    /// Whether commits wait for synchronous standbys whose places the writer's role may not see (<c>pg_read_all_stats</c>): then a head is signed on the server's word
    /// that a commit is not shown before they have it.
    /// </summary>
    public bool StandbysHidden { get; private set; }

    /// <summary>How often it has halted.</summary>
    public long Faults { get; private set; }

    /// <summary>Called after each signature, on the keeper's thread: be quick.</summary>
    public event Action<SignedNote>? CheckpointSigned;

    /// <summary>Has the log signed up to its head at once; a halted keeper tries again.</summary>
    /// <exception cref="LogHaltException">It cannot be signed.</exception>
    /// <exception cref="LogElsewhereException">Another process keeps it.</exception>
    public Task<SignedNote> SignNowAsync(CancellationToken cancellationToken) => AskAsync(retire: null, cancellationToken);

    /// <summary>
    /// Signs once more with every key and ends the time of one of them with that size: it signs no later tree. Whoever calls sees to it that it
    /// signs no receipts any more.
    /// </summary>
    /// <inheritdoc cref="SignNowAsync" path="/exception"/>
    public Task<SignedNote> RetireAsync(VerifierKey key, CancellationToken cancellationToken) => AskAsync(LogKeys.IdOf(key), cancellationToken);

    /// <summary>Keeps the log whenever nobody else does.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await using var session = await _sessions.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
                // Another process may have opened a new epoch meanwhile.
                await _log.RefreshAsync(cancellationToken).ConfigureAwait(false);
                var lacks = await LacksAsync(cancellationToken).ConfigureAwait(false);
                if (lacks is null && await TryLockAsync(session, cancellationToken).ConfigureAwait(false))
                {
                    await ServeAsync(session, cancellationToken).ConfigureAwait(false);
                }

                _state = _state with { Keeps = false, Fault = null, UnsignedSince = null, Lacks = lacks };
                Answer(new LogElsewhereException());
                await Task.Delay(_options.LockRetry, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                break;
            }
            catch (LogHaltException e)
            {
                await HaltAsync(e, cancellationToken).ConfigureAwait(false);
            }
            catch (LogFaultException e)
            {
                await HaltAsync(LogHaltException.From(e), cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                // The database went away, most likely. What was not stored is made again: it is the same.
                _state = _state with { Keeps = false };
                _trouble(e, "The public log is not signed for the moment; it is tried again, and commands are not affected.");
                await Task.Delay(_options.Every, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        _state = _state with { Keeps = false };
        Answer(new LogElsewhereException());
    }

    public async ValueTask DisposeAsync()
    {
        await _sessions.DisposeAsync().ConfigureAwait(false);
        _wake.Dispose();
    }

    private async Task<SignedNote> AskAsync(string? retire, CancellationToken cancellationToken)
    {
        // A process that has just started, or lost its session, is about to.
        for (var since = System.Diagnostics.Stopwatch.GetTimestamp(); !_state.Keeps && _state.Fault is null;)
        {
            if (System.Diagnostics.Stopwatch.GetElapsedTime(since) > 2 * _options.LockRetry)
            {
                throw new LogElsewhereException();
            }

            await Task.Delay(StandbyPause / 5, cancellationToken).ConfigureAwait(false);
        }

        var request = new Request(retire, new TaskCompletionSource<SignedNote>(TaskCreationOptions.RunContinuationsAsynchronously));
        _requests.Enqueue(request);
        _wake.Release();
        return await request.Answer.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A key that this data folder never had. One that has signed before and lost it is a fault, and halts.</summary>
    private async Task<string?> LacksAsync(CancellationToken cancellationToken) => _log.LastSigned.Read() is not null
        ? null
        : (await _log.Store.KeysAsync(_log.Epoch, cancellationToken).ConfigureAwait(false)).FirstOrDefault(key => key.Until is null && _log.Keys.Find(key.Key) is null)?.Id;

    private static async Task<bool> TryLockAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_try_advisory_lock(5063248, 5)", session);
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
    }

    private async Task HaltAsync(LogHaltException e, CancellationToken cancellationToken)
    {
        Faults++;
        _state = _state with { Keeps = false, Fault = e.Fault, UnsignedSince = _state.UnsignedSince ?? _clock.GetCurrentInstant() };
        _trouble(e, $"The public log is HALTED ({e.Fault.Kind}{(e.Fault.Position is { } at ? $" at {at}" : "")}): {e.Fault.What} Commands are not affected.");
        Answer(e);
        while (_requests.IsEmpty && !cancellationToken.IsCancellationRequested)
        {
            await _wake.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Answer(Exception e)
    {
        while (_requests.TryDequeue(out var request))
        {
            request.Answer.TrySetException(e);
        }
    }

    private async Task ServeAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        var tree = await ContinueAsync(session, cancellationToken).ConfigureAwait(false);
        _state = new LogState(true, tree.Builder.Size, tree.Signed, _state.SignedAt, null, null);
        // Whether it is known already that there is more to do.
        var behind = false;
        while (true)
        {
            if (!behind)
            {
                await GatherAsync(tree, cancellationToken).ConfigureAwait(false);
            }

            var (retire, waiting) = Requests();
            try
            {
                behind = await GrowAsync(session, tree, limit: null, cancellationToken).ConfigureAwait(false);
                if (waiting.Count == 0 && !behind && IsTooSoon(tree))
                {
                    // A few events: they wait for others to share the signature with, and are in the tree by then.
                    await UntilAsync(long.MaxValue, Left(_options.Every) is var left && left < Glance ? left : Glance, cancellationToken).ConfigureAwait(false);
                    behind = true;
                    continue;
                }

                var lsn = await ConfirmedAsync(session, cancellationToken).ConfigureAwait(false);
                await SignAsync(session, tree, lsn, retire, cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                // Whoever halts answers them, once the state says so; after any other failure they are served by the next try.
                waiting.ForEach(_requests.Enqueue);
                throw;
            }

            if (tree.Last is { } note && !behind)
            {
                waiting.ForEach(request => request.Answer.TrySetResult(note));
            }
            else
            {
                // Before there is anything to sign, or in the middle of a backlog: they wait on.
                waiting.ForEach(_requests.Enqueue);
                behind |= waiting.Count > 0 && tree.Builder.Size > 0;
                if (!behind && waiting.Count > 0)
                {
                    Answer(new InvalidOperationException("The ledger is empty: there is nothing to sign yet."));
                }
            }
        }
    }

    private (string? Retire, List<Request> Waiting) Requests()
    {
        var waiting = new List<Request>();
        string? retire = null;
        while (_requests.TryPeek(out var next) && (next.Retire is null || retire is null || retire == next.Retire) && _requests.TryDequeue(out var request))
        {
            retire ??= request.Retire;
            waiting.Add(request);
        }

        return (retire, waiting);
    }

    /// <summary>Waits until there is something to sign and its time has come, or somebody asks.</summary>
    private async Task GatherAsync(Growing tree, CancellationToken cancellationToken)
    {
        do
        {
            await UntilAsync(tree.Signed, _options.Look, cancellationToken).ConfigureAwait(false);
            if (!_requests.IsEmpty)
            {
                return;
            }

            ThrowIfLastSignedChanged(tree);
        }
        while (await _ledger.HeadAsync(cancellationToken).ConfigureAwait(false) <= tree.Signed);

        _state = _state with { UnsignedSince = _clock.GetCurrentInstant() };
        await UntilAsync(long.MaxValue, Left(_options.AtMost), cancellationToken).ConfigureAwait(false);
    }

    private bool IsTooSoon(Growing tree) => tree.Builder.Size - tree.Signed is var grown && grown > 0 && grown < _options.Events && Left(_options.Every) > TimeSpan.Zero;

    private TimeSpan Left(TimeSpan pause)
    {
        var left = pause - System.Diagnostics.Stopwatch.GetElapsedTime(_lastSigned);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    // Until the ledger is beyond a position, the time is up, or somebody asks.
    private async Task UntilAsync(long position, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (patience == TimeSpan.Zero || !_requests.IsEmpty)
        {
            return;
        }

        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waits = new List<Task> { _wake.WaitAsync(enough.Token) };
        if (position < long.MaxValue)
        {
            waits.Add(_ledger.WaitBeyondAsync(position, enough.Token));
        }

        if (patience != Timeout.InfiniteTimeSpan)
        {
            waits.Add(Task.Delay(patience, enough.Token));
        }

        var first = await Task.WhenAny(waits).ConfigureAwait(false);
        await enough.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(waits).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        await first.ConfigureAwait(false);
    }

    /// <summary>Takes the tree up where the newest checkpoint left it, and holds it against the head that was signed last.</summary>
    private async Task<Growing> ContinueAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        var newest = await _log.Store.NewestAsync(_log.Epoch, cancellationToken).ConfigureAwait(false);
        // A new epoch takes over leaves and tiles, as far as the database has heads of the old one; it signs nothing that they do not bear out.
        var stored = newest ?? await _log.Store.LargestBeforeAsync(_log.Epoch, cancellationToken).ConfigureAwait(false);
        var tree = new Growing(await _log.Tiles.ContinueAsync(stored?.Size ?? 0, cancellationToken).ConfigureAwait(false)) { Signed = stored?.Size ?? 0, Last = newest?.Note };
        if (stored is not null && tree.Builder.Root() != stored.Root)
        {
            throw new LogHaltException(
                LogFaults.Tree, stored.Size,
                $"The tiles have the root {tree.Builder.Root()} at size {stored.Size}, where {stored.Root} was signed. `mbp anchor rebuild --check` names the tile or the entry that was changed.");
        }

        await LoadKeysAsync(tree, cancellationToken).ConfigureAwait(false);
        if (_log.LastSigned.Read() is not { } note)
        {
            return newest is null ? tree : throw new LogHaltException(
                LogFaults.LastSigned, newest.Size,
                $"{_log.LastSigned.FilePath} is missing, and the log has signed {newest.Size} leaves at least: a database that was restored cannot say whether there were more. "
                + "Put the newest checkpoint there that anybody holds (the old data folder's, a witness's, an export's), then `mbp anchor checkpoint`.");
        }

        if (newest is null && _log.EpochOf(Checkpoint.Of(note).Origin) < _log.Epoch)
        {
            // The last head of the log that was given up; it is quoted by this one's first event and kept as evidence. The first signature takes its place.
            tree.OnFile = note;
            return tree;
        }

        await ExtendsAsync(session, tree, note, cancellationToken).ConfigureAwait(false);
        return tree;
    }

    private async Task ExtendsAsync(NpgsqlConnection session, Growing tree, SignedNote note, CancellationToken cancellationToken)
    {
        var last = Checkpoint.Of(note);
        var keys = await _log.Store.KeysAsync(_log.Epoch, cancellationToken).ConfigureAwait(false);
        if (last.Origin != _log.Origin || !keys.Any(key => note.Verify(key.Key) == SignatureState.Valid))
        {
            throw new LogHaltException(
                LogFaults.LastSigned, last.Size,
                $"{_log.LastSigned.FilePath} is a checkpoint of {last.Origin}, size {last.Size}, that no key of this database's log has signed: the data folder and the database do not belong together. "
                + "Start the host with the folder that belongs to the database, or the other way round.");
        }

        MerkleHash root;
        if (last.Size <= tree.Builder.Size)
        {
            root = await TileTree.Of(last.Size, _log.Tiles).RootAsync(cancellationToken).ConfigureAwait(false);
        }
        else
        {
            // Signed, and the process ended before the row was there: the leaves are, or the ledger has been cut off since.
            await GrowAsync(session, tree, last.Size, cancellationToken).ConfigureAwait(false);
            if (tree.Builder.Size < last.Size)
            {
                throw new LogHaltException(
                    LogFaults.Behind, last.Size,
                    $"The ledger ends at position {tree.Builder.Size}, but {last.Size} leaves have been signed: {last.Size - tree.Builder.Size} events are gone, as after a restore of an older copy. "
                    + "Restore newer data (a standby, the WAL archive) and ask again with `mbp anchor checkpoint`. If they are lost for good, the log cannot go on: keep this file as evidence and open a new epoch (`mbp anchor new-epoch`).");
            }

            root = tree.Builder.Root();
        }

        if (root != last.Root)
        {
            throw new LogHaltException(
                LogFaults.Fork, last.Size,
                $"The first {last.Size} leaves have the root {root}, but {last.Root} was signed: the ledger's past is not what it was. Nothing is signed that would contradict the signed head. "
                + "Compare with a copy of the log (`mbp anchor rebuild --check` and an export), restore what was there, and ask again with `mbp anchor checkpoint`.");
        }

        if (last.Size > tree.Signed)
        {
            await LogStore.InsertAsync(session, _log.Epoch, tree.Completed, note, await DurableAsync(session, cancellationToken).ConfigureAwait(false), retire: null, cancellationToken).ConfigureAwait(false);
            tree.Completed.Clear();
            tree.Signed = last.Size;
        }

        tree.Last = last.Size >= tree.Signed ? note : tree.Last;
        tree.OnFile = note;
    }

    /// <summary>Reads new leaves into the tree.</summary>
    /// <param name="limit">No leaf beyond this position.</param>
    /// <returns>Whether there are more than were taken.</returns>
    private async Task<bool> GrowAsync(NpgsqlConnection session, Growing tree, long? limit, CancellationToken cancellationToken)
    {
        int rows;
        do
        {
            rows = 0;
            await foreach (var (first, hashes) in _rows.ReadAsync(session, tree.Builder.Size, RowsAtATime, cancellationToken).ConfigureAwait(false))
            {
                var take = limit is { } most ? (int)Math.Min(hashes.Length, most - first + 1) : hashes.Length;
                tree.Completed.AddRange(tree.Builder.Append(hashes.Span[..take]));
                rows++;
                if (tree.Builder.Size == limit || (limit is null && tree.Builder.Size >= Math.Max(tree.Signed + Stride, tree.First)))
                {
                    return true;
                }
            }

            _state = _state with { Size = tree.Builder.Size };
        }
        while (rows == RowsAtATime);
        return false;
    }

    private async Task SignAsync(NpgsqlConnection session, Growing tree, NpgsqlLogSequenceNumber lsn, string? retire, CancellationToken cancellationToken)
    {
        var size = tree.Builder.Size;
        if (size == 0 || (size == tree.Signed && retire is null) || size < tree.First)
        {
            _state = _state with { UnsignedSince = null };
            return;
        }

        ThrowIfLastSignedChanged(tree);
        await LoadKeysAsync(tree, cancellationToken).ConfigureAwait(false);
        SignedNote? note = null;
        if (size > tree.Signed)
        {
            note = SignedNote.Sign(new Checkpoint(_log.Origin, size, tree.Builder.Root()).ToText(), tree.Signers(size));
            _log.LastSigned.Write(note);
            (tree.Last, tree.OnFile) = (note, note);
        }

        await LogStore.InsertAsync(session, _log.Epoch, tree.Completed, note, lsn, retire, cancellationToken).ConfigureAwait(false);
        tree.Completed.Clear();
        tree.Signed = size;
        _lastSigned = System.Diagnostics.Stopwatch.GetTimestamp();
        _state = new LogState(true, size, size, _clock.GetCurrentInstant(), null, null);
        if (note is not null)
        {
            CheckpointSigned?.Invoke(note);
        }
    }

    private void ThrowIfLastSignedChanged(Growing tree)
    {
        if (_log.LastSigned.Read()?.Format() != tree.OnFile?.Format())
        {
            throw new InvalidDataException($"{_log.LastSigned.FilePath} was written by somebody else; what it says is looked at before anything is signed.");
        }
    }

    private async Task LoadKeysAsync(Growing tree, CancellationToken cancellationToken)
    {
        tree.Keys.Clear();
        foreach (var key in (await _log.Store.KeysAsync(_log.Epoch, cancellationToken).ConfigureAwait(false)).Where(key => key.Until is null))
        {
            tree.Keys.Add((key.From, _log.Keys.Find(key.Key) ?? throw new LogHaltException(
                LogFaults.Key, null,
                $"The log's private key {key.Id} is not in {_log.Keys.Folder}. Start the host that has it, or bring {key.Id}.pem there from the backup of the data folder.")));
        }
    }

    private static async Task<NpgsqlLogSequenceNumber> DurableAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_current_wal_flush_lsn()", session);
        return (NpgsqlLogSequenceNumber)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>Waits until what was read would outlive a failover: flushed by as many synchronous standbys as a commit waits for.</summary>
    private async Task<NpgsqlLogSequenceNumber> ConfirmedAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        var lsn = default(NpgsqlLogSequenceNumber);
        for (var first = true; ; first = false)
        {
            // Who may not see the standbys' places has the server's word alone: a commit is seen by others only after its standbys flushed it.
            await using var command = new NpgsqlCommand(
                """
                SELECT current_setting('synchronous_standby_names'), pg_current_wal_flush_lsn(),
                  (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum') AND flush_lsn >= $1), pg_has_role('pg_read_all_stats', 'USAGE')
                """,
                session)
            {
                Parameters = { new() { Value = lsn, NpgsqlDbType = NpgsqlDbType.PgLsn } },
            };
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (first)
            {
                // Everything that has been read was flushed here by now.
                lsn = reader.GetFieldValue<NpgsqlLogSequenceNumber>(1);
            }

            StandbysHidden = reader.GetString(0).Length > 0 && !reader.GetBoolean(3);
            if (reader.GetString(0).Length == 0 || !reader.GetBoolean(3) || (!first && reader.GetInt64(2) >= Needed(reader.GetString(0))))
            {
                return lsn;
            }

            if (!first)
            {
                await Task.Delay(StandbyPause, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static int Needed(string standbys) =>
        Count().Match(standbys) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan, provider: null) : 1;

    [GeneratedRegex(@"^\s*(?:FIRST|ANY)?\s*(\d+)\s*\(", RegexOptions.IgnoreCase)]
    private static partial Regex Count();

    private sealed record Request(string? Retire, TaskCompletionSource<SignedNote> Answer);

    /// <summary>The tree in hand: what is in it, and what of it is signed.</summary>
    private sealed class Growing(TileBuilder builder)
    {
        public TileBuilder Builder => builder;

        /// <summary>Full tiles that are not stored yet.</summary>
        public List<FullTile> Completed { get; } = [];

        public List<(long From, ICheckpointSigner Signer)> Keys { get; } = [];

        public long Signed { get; set; }

        public SignedNote? Last { get; set; }

        /// <summary>The first size that a key may sign: a new epoch begins with the event that opened it.</summary>
        public long First => Keys.Count == 0 ? 0 : Keys.Min(key => key.From);

        /// <summary>What the file of the last signed head must hold.</summary>
        public SignedNote? OnFile { get; set; }

        public IReadOnlyList<ICheckpointSigner> Signers(long size) => [.. Keys.Where(key => key.From <= size).Select(key => key.Signer)];
    }
}
