using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Threading.Channels;

namespace Mbp.Ledger.Reading;

/// <summary>
/// A range of the ledger in order, decoded, for whoever goes through all of it (a replay, a rebuild). While one page is being used the next ones
/// are read and decoded on other cores, but never more than a few: memory does not grow with the ledger.
/// </summary>
public static class DecodedPages
{
    // Small enough that a page's events die young, large enough that handing it over costs nothing for each of them.
    private const int PageSize = 500;

    // Reading is one task and decoding may be as many as there are cores; more pages than that would only wait.
    private static readonly int LookAhead = Math.Clamp(Environment.ProcessorCount, 2, 16);

    /// <summary>
    /// The events after one position up to another. A page ends anywhere, also within a command. Where an event cannot be read, those before it
    /// still come, and then the exception of <see cref="EventCatalog.Decode(StoredEvent)"/>.
    /// </summary>
    /// <param name="store">The ledger.</param>
    /// <param name="catalog">Decodes.</param>
    /// <param name="after">A position.</param>
    /// <param name="upTo">The other.</param>
    /// <param name="inspect">
    /// Looks at each page as it is stored, on the cores that decode, in no order: every position after the first number up to the second either has an
    /// event in the list or has none. A page that is delivered has been inspected.
    /// </param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async IAsyncEnumerable<IReadOnlyList<Recorded>> ReadAsync(
        IEventStore store, EventCatalog catalog, long after, long upTo, Func<long, long, IReadOnlyList<StoredEvent>, CancellationToken, Task>? inspect,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(catalog);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var pages = Channel.CreateBounded<Task<Page>>(new BoundedChannelOptions(LookAhead) { SingleReader = true, SingleWriter = true });
        var reading = Task.Run(() => ReadAsync(store.ReadRangeAsync(after, upTo, stop.Token), DecodeAsync, after, upTo, pages.Writer, stop.Token), CancellationToken.None);
        try
        {
            await foreach (var decoding in pages.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                var page = await decoding.ConfigureAwait(false);
                if (page.Events.Count > 0)
                {
                    yield return page.Events;
                }

                page.Fault?.Throw();
            }
        }
        finally
        {
            // Whoever stops in the middle leaves no reader behind. What went wrong in it has been thrown, or does not matter any more.
            await stop.CancelAsync().ConfigureAwait(false);
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        Task<Page> DecodeAsync(long from, long to, List<StoredEvent> stored) => Task.Run(async () =>
        {
            var page = Decode(stored, catalog);
            if (inspect is not null)
            {
                await inspect(from, to, stored, stop.Token).ConfigureAwait(false);
            }

            return page;
        });
    }

    /// <summary>As above, with nothing to inspect.</summary>
    public static IAsyncEnumerable<IReadOnlyList<Recorded>> ReadAsync(
        IEventStore store, EventCatalog catalog, long after, long upTo, CancellationToken cancellationToken) =>
        ReadAsync(store, catalog, after, upTo, inspect: null, cancellationToken);

    private static async Task ReadAsync(
        IAsyncEnumerable<StoredEvent> events, Func<long, long, List<StoredEvent>, Task<Page>> decode, long after, long upTo, ChannelWriter<Task<Page>> pages,
        CancellationToken cancellationToken)
    {
        Exception? fault = null;
        try
        {
            var stored = new List<StoredEvent>(PageSize);
            await foreach (var e in events.ConfigureAwait(false))
            {
                stored.Add(e);
                if (stored.Count == PageSize)
                {
                    await pages.WriteAsync(decode(after, e.Position, stored), cancellationToken).ConfigureAwait(false);
                    after = e.Position;
                    stored = new List<StoredEvent>(PageSize);
                }
            }

            await pages.WriteAsync(decode(after, upTo, stored), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            fault = e;
            throw;
        }
        finally
        {
            pages.Complete(fault);
        }
    }

    private static Page Decode(List<StoredEvent> stored, EventCatalog catalog)
    {
        var events = new List<Recorded>(stored.Count);
        try
        {
            foreach (var e in stored)
            {
                events.Add(catalog.Decode(e));
            }

            return new Page(events, Fault: null);
        }
        catch (Exception e) when (e is UnknownEventTypeException or UnreadableEventException)
        {
            return new Page(events, ExceptionDispatchInfo.Capture(e));
        }
    }

    private sealed record Page(List<Recorded> Events, ExceptionDispatchInfo? Fault);
}
