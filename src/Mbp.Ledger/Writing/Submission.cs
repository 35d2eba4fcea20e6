namespace Mbp.Ledger.Writing;

/// <summary>One command on its way through the writer.</summary>
/// <param name="operation">What is asked.</param>
/// <param name="context">By whom.</param>
/// <param name="until">The time stamp up to which the caller waits.</param>
/// <param name="caller">Fires when the caller has gone; a command that was not looked at by then is dropped.</param>
internal sealed class Submission(Operation operation, CommandContext context, long until, CancellationToken caller)
{
    private int _state = Queued;

    private const int Queued = 0;
    private const int Taken = 1;
    private const int Abandoned = 2;

    // Continuations run elsewhere: a caller's code must never run inside the writer's loop.
    private readonly TaskCompletionSource<CommandOutcome> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Operation Operation => operation;

    public CommandContext Context => context;

    public Guid CommandId { get; } = Guid.CreateVersion7();

    public long Until => until;

    public Task<CommandOutcome> Answer => _answer.Task;

    /// <summary>The writer takes it; false = the caller has gone.</summary>
    public bool TryTake()
    {
        if (caller.IsCancellationRequested && TryAbandon())
        {
            _answer.TrySetCanceled(caller);
            return false;
        }

        return Interlocked.CompareExchange(ref _state, Taken, Queued) == Queued;
    }

    /// <summary>The deadline has passed: not looked at yet means not written; otherwise the outcome is open.</summary>
    public void Expire(TimeSpan deadline) => Fail(TryAbandon()
        ? new LedgerBusyException($"The command waited {deadline.TotalSeconds:0} s without being looked at; nothing was written.")
        : new UnknownOutcomeException("The command was being committed when the wait ended. Ask again with the same idempotency key."));

    public void Complete(CommandOutcome outcome) => _answer.TrySetResult(outcome);

    public void Fail(Exception exception) => _answer.TrySetException(exception);

    private bool TryAbandon() => Interlocked.CompareExchange(ref _state, Abandoned, Queued) == Queued;
}
