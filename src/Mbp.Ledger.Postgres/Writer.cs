using Npgsql;

namespace Mbp.Ledger.Postgres;

/// <summary>The connection that commits, and the position that it knows. One batch at a time.</summary>
internal sealed class Writer : IAsyncDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    // Never disposed of: it has no timer, and a late Abort must find it.
    private readonly CancellationTokenSource _abort = new();
    private readonly NpgsqlConnection _connection;
    private readonly CommitCommand _command;
    private readonly string _shard;
    private readonly long _epoch;
    private long _position;
    private bool _warned;
    private string? _broken;

    private Writer(NpgsqlConnection connection, CommitCommand command, string shard, long epoch, long position)
    {
        _connection = connection;
        _command = command;
        _shard = shard;
        _epoch = epoch;
        _position = position;
        _connection.Notice += OnNotice;
    }

    public static async Task<Writer> OpenAsync(NpgsqlDataSource pool, string shard, long epoch, long position, CancellationToken cancellationToken)
    {
        var connection = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return new(connection, await CommitCommand.PrepareAsync(connection, cancellationToken).ConfigureAwait(false), shard, epoch, position);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async Task<long> AppendAsync(PostgresLease lease, Batch batch)
    {
        var moves = batch.Moves();
        await _turn.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            if (lease.Released)
            {
                throw new FencedException("The lease was given back.");
            }

            if (_broken is not null)
            {
                throw new FencedException($"The lease of epoch {_epoch} cannot go on: {_broken}");
            }

            _warned = false;
            var head = await _command.ExecuteAsync(_shard, _epoch, _position, batch, moves, _abort.Token).ConfigureAwait(false);
            return _warned
                ? throw Lose(lease, "not confirmed by a standby", new UnknownOutcomeException("The server gave up waiting for a standby: the batch is committed here, and may be lost in a failover."))
                : _position = head;
        }
        catch (PostgresException e)
        {
            throw Explain(lease, e);
        }
        catch (OperationCanceledException e)
        {
            throw Lose(lease, "its commit was cut off", new UnknownOutcomeException("The commit did not return in time, and its connection was cut.", e));
        }
        catch (NpgsqlException e)
        {
            throw Lose(lease, "its connection broke", new UnknownOutcomeException("The connection broke during the commit.", e));
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Closes the socket under a commit that hangs. What the server makes of it is settled by the next lease.</summary>
    public void Abort() => _abort.Cancel();

    public async ValueTask DisposeAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        await _command.DisposeAsync().ConfigureAwait(false);
        await _connection.DisposeAsync().ConfigureAwait(false);
        // Left taken on purpose: whoever comes now finds the lease released. Nothing else holds it, so it needs no disposal.
        _turn.Release();
    }

    private Exception Explain(PostgresLease lease, PostgresException e)
    {
        if (e.InvariantSeverity is "FATAL" or "PANIC")
        {
            // The session ended inside the commit: before or after the point of no return, nobody can tell.
            return Lose(lease, "its session ended", new UnknownOutcomeException($"The session ended during the commit: {e.MessageText}", e));
        }

        return e.SqlState switch
        {
            "MBP01" => Lose(lease, "a later lease exists", new FencedException(e.MessageText, e)),
            "MBP02" => new ConcurrencyException(e.MessageText, e),
            "MBP03" => Lose(lease, "the ledger has grown past it", new ConcurrencyException(e.MessageText, e)),
            PostgresErrorCodes.UniqueViolation when e.TableName is "mt_events" => Lose(
                lease, "somebody else appends", new ConcurrencyException($"Somebody else appended at the same place ({e.ConstraintName}); the lease must be taken again.", e)),
            PostgresErrorCodes.UniqueViolation => new ConcurrencyException($"A command key or message id of the batch is taken ({e.ConstraintName}).", e),
            PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure => Lose(
                lease, "somebody else appends", new ConcurrencyException($"Somebody else appends at the same time: {e.MessageText}", e)),
            // Text that is no JSON, or a character that PostgreSQL cannot keep: the batch is at fault, whenever it is tried.
            PostgresErrorCodes.UntranslatableCharacter or PostgresErrorCodes.InvalidTextRepresentation or PostgresErrorCodes.CharacterNotInRepertoire =>
                new ArgumentException($"The body or the headers of an event cannot be kept: {e.MessageText} {e.Detail}", e),
            _ => new StoreUnavailableException($"PostgreSQL refused the batch ({e.SqlState}): {e.MessageText}", e),
        };
    }

    private Exception Lose(PostgresLease lease, string why, Exception exception)
    {
        _broken = why;
        lease.Lose();
        return exception;
    }

    // A cancelled wait for a synchronous standby is answered like a success, with a warning beside it. Told by its class: the text is translated.
    private void OnNotice(object sender, NpgsqlNoticeEventArgs args) =>
        _warned |= args.Notice is { InvariantSeverity: "WARNING", SqlState: "01000" or PostgresErrorCodes.AdminShutdown };
}
