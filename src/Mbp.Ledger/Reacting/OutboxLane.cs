namespace Mbp.Ledger.Reacting;

/// <summary>
/// The way to one destination. A message goes when the one before it has arrived, and is deleted when it has arrived itself; a crash between the
/// two sends it again, under the same id.
/// </summary>
public sealed class OutboxLane(IOutboxDestination destination, ISubscriptionStore store, Func<bool> isWriter, TimeProvider time, Action<string, Exception> report)
{
    private const int Page = 100;

    /// <summary>How long a destination may take for one message.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // Messages that were put there by somebody else, or while this process was not the writer; its own wake it.
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    private TaskCompletionSource _wake = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _failures;

    public string Name => destination.Name;

    /// <summary>How often in a row the first message has failed; 0 = all is well.</summary>
    public int Failures => Volatile.Read(ref _failures);

    /// <summary>How long to wait after so many failures in a row.</summary>
    public static TimeSpan PauseAfter(int failures) => failures > 9 ? LongestPause : TimeSpan.FromTicks(Math.Min(LongestPause.Ticks, Pause.Ticks << (failures - 1)));

    public void Wake() => Volatile.Read(ref _wake).TrySetResult();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            TimeSpan? pause;
            try
            {
                pause = await RoundAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // The database: the destination has nothing to do with it.
                report(Name, e);
                pause = Pause;
            }

            if (pause is { } length)
            {
                await Task.Delay(length, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Sends what there is, or waits for something; returns for how long to leave the destination alone.</summary>
    private async Task<TimeSpan?> RoundAsync(CancellationToken cancellationToken)
    {
        if (!isWriter())
        {
            return Pause;
        }

        // Before looking: what comes after that wakes it.
        var wake = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _wake, wake);
        var waiting = await store.WaitingAsync(Name, Page, cancellationToken).ConfigureAwait(false);
        if (waiting.Count == 0)
        {
            await wake.Task.WaitAsync(Poll, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return null;
        }

        foreach (var message in waiting)
        {
            if (!isWriter())
            {
                break;
            }

            if (await FailureAsync(message, cancellationToken).ConfigureAwait(false) is { } failure)
            {
                report(Name, failure);
                return PauseAfter(Interlocked.Increment(ref _failures));
            }

            Volatile.Write(ref _failures, 0);
            await store.DeleteAsync(message.Id, cancellationToken).ConfigureAwait(false);
        }

        return null;
    }

    private async Task<Exception?> FailureAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await destination.SendAsync(message, ended.Token).ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return e;
        }
    }
}
