namespace Mbp.Ledger.Writing;

/// <summary>One command on its way through the writer.</summary>
internal sealed class Submission(Operation operation, CommandContext context)
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

    public Task<CommandOutcome> Answer => _answer.Task;

    /// <summary>Its answer is being read elsewhere; the writer's loop is done with it.</summary>
    public bool IsHandedOver { get; set; }

    /// <summary>The writer takes it; false = the caller has gone.</summary>
    public bool TryTake() => Interlocked.CompareExchange(ref _state, Taken, Queued) == Queued;

    /// <summary>The caller goes; false = too late, the writer has it and the outcome is open.</summary>
    public bool TryAbandon() => Interlocked.CompareExchange(ref _state, Abandoned, Queued) == Queued;

    public void Complete(CommandOutcome outcome) => _answer.TrySetResult(outcome);

    public void Fail(Exception exception) => _answer.TrySetException(exception);
}
