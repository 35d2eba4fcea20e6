using Mbp.Ledger.Reading;

namespace Mbp.Ledger.Reacting;

/// <summary>What those who react share.</summary>
/// <param name="Feed">The events.</param>
/// <param name="Store">Cursors and messages.</param>
/// <param name="Head">The ledger's head, for a new cursor.</param>
/// <param name="IsWriter">Whether this process is the writer: only there does anybody react.</param>
/// <param name="Time">What pauses are measured by.</param>
/// <param name="Report">Told of every trouble that is waited out, and of the fault that stops one of them; by name.</param>
public sealed record SubscriptionContext(
    EventFeed Feed, ISubscriptionStore Store, Func<CancellationToken, Task<long>> Head, Func<bool> IsWriter, TimeProvider Time, Action<string, Exception> Report);

/// <summary>
/// Follows the ledger from a durable cursor, which moves after what it has passed was dealt with: so everything is dealt with at least once. An
/// event that cannot be dealt with stops this one alone, until the process starts again; trouble with the database is waited out.
/// </summary>
public abstract class Subscription(string kind, string name, long? after, SubscriptionContext context)
{
    private const int Page = 500;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    // While nothing is done, the cursor is written so seldom: what it has not passed is looked at again, and nothing more.
    private static readonly TimeSpan SaveEvery = TimeSpan.FromSeconds(1);

    private readonly string _cursor = $"mbp:{kind}:{name}";
    private long _position = -1;
    private long _savedPosition;
    private long _savedAt;
    private volatile SubscriptionFaultException? _fault;

    public string Kind => kind;

    public string Name => name;

    /// <summary>The last event that was dealt with; -1 before the cursor was looked at.</summary>
    public long Position => Volatile.Read(ref _position);

    /// <summary>Why it stopped; null while it goes on.</summary>
    public SubscriptionFaultException? Fault => _fault;

    protected SubscriptionContext Context => context;

    /// <summary>Follows until it is cancelled, or stopped by an event.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                if (context.IsWriter())
                {
                    await FollowAsync(cancellationToken).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (SubscriptionFaultException fault)
            {
                _fault = fault;
                context.Report(name, fault);
                return;
            }
            catch (Exception e)
            {
                context.Report(name, e);
            }

            await PauseAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Deals with events in their order. False: start over at the cursor, as soon as this process is the writer.</summary>
    protected abstract Task<bool> TakeAsync(IReadOnlyList<Recorded> events, CancellationToken cancellationToken);

    protected Task PauseAsync(CancellationToken cancellationToken) => Task.Delay(Pause, context.Time, cancellationToken);

    /// <summary>An event was dealt with; the cursor may follow later.</summary>
    protected void Passed(long position) => Volatile.Write(ref _position, position);

    /// <summary>Moves the cursor to where this is, with messages or for what was done; where there is nothing of it, only now and then.</summary>
    protected async Task<bool> SaveAsync(bool isDue, IReadOnlyList<PlacedMessage> messages, CancellationToken cancellationToken)
    {
        if (Position == _savedPosition || (!isDue && context.Time.GetElapsedTime(_savedAt) < SaveEvery))
        {
            return true;
        }

        if (!await context.Store.AdvanceAsync(_cursor, _savedPosition, Position, messages, cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        (_savedPosition, _savedAt) = (Position, context.Time.GetTimestamp());
        return true;
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        // Another process may have led since.
        Passed(_savedPosition = await FindAsync(cancellationToken).ConfigureAwait(false));
        IReadOnlyList<Recorded> events;
        do
        {
            try
            {
                events = await context.Feed.ReadAsync(Position, Page, cancellationToken).ConfigureAwait(false);
            }
            catch (UnknownEventTypeException e)
            {
                throw new SubscriptionFaultException(this, e.Position ?? Position + 1, e.Type, e);
            }
            catch (UnreadableEventException e)
            {
                throw new SubscriptionFaultException(this, e.Position, "unreadable", e);
            }
        }
        while (context.IsWriter() && await TakeAsync(events, cancellationToken).ConfigureAwait(false));
    }

    private async Task<long> FindAsync(CancellationToken cancellationToken)
    {
        var position = await context.Store.FindAsync(_cursor, cancellationToken).ConfigureAwait(false);
        if (position is null)
        {
            await context.Store.CreateAsync(_cursor, after ?? await context.Head(cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
            position = await context.Store.FindAsync(_cursor, cancellationToken).ConfigureAwait(false);
        }

        return position ?? throw new InvalidOperationException($"The cursor {_cursor} vanishes as soon as it is made.");
    }
}

/// <summary>An event that a reaction or a rule cannot deal with: it stays before it, and everything else goes on.</summary>
public sealed class SubscriptionFaultException(Subscription subscription, long position, string type, Exception cause)
    : Exception($"The {subscription.Kind} '{subscription.Name}' stopped at {type}, position {position}: {cause.Message}", cause)
{
    public long Position { get; } = position;

    /// <summary>The event's wire name.</summary>
    public string Type { get; } = type;
}
