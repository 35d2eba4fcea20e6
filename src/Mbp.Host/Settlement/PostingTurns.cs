namespace Mbp.Host.Settlement;

/// <summary>
/// How many postings of settlements may be on their way to the ledger at a time, over all markets together. A commit is as long as it has events, and traders wait for
/// the one that is under way: so one large market, or a thousand small ones at once, hold nobody up for longer than one batch. First come, first served, batch by
/// batch: a large market takes turns with the others.
/// </summary>
internal sealed class PostingTurns
{
    private readonly int _most;
    private readonly Lock _gate = new();
    private readonly Queue<(int Postings, TaskCompletionSource Turn)> _waiting = new();
    private int _free;

    /// <param name="most">Postings; no batch may have more.</param>
    public PostingTurns(int most) => _most = _free = most;

    /// <summary>Returns when so many may go; <see cref="Leave"/> has to follow with as many.</summary>
    /// <exception cref="OperationCanceledException">The wait was given up; there is nothing to leave.</exception>
    public async Task EnterAsync(int postings, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(postings, _most);
        var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            _waiting.Enqueue((postings, turn));
            LetIn();
        }

        await using var giveUp = cancellationToken.UnsafeRegister(static turn => ((TaskCompletionSource)turn!).TrySetCanceled(), turn);
        await turn.Task.ConfigureAwait(false);
    }

    public void Leave(int postings)
    {
        lock (_gate)
        {
            _free += postings;
            LetIn();
        }
    }

    private void LetIn()
    {
        while (_waiting.TryPeek(out var next) && next.Postings <= _free)
        {
            _waiting.Dequeue();
            // Whoever gave up needs no room.
            _free -= next.Turn.TrySetResult() ? next.Postings : 0;
        }
    }
}
