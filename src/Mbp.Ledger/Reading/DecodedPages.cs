using System.Runtime.CompilerServices;

namespace Mbp.Ledger.Reading;

public static class DecodedPages
{
    private const int PageLength = 2_000;

    public static async IAsyncEnumerable<IReadOnlyList<Recorded>> ReadAsync(
        IEventStore store, EventCatalog catalog, long after, long upTo, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var page = new List<Recorded>(PageLength);
        await foreach (var stored in store.ReadRangeAsync(after, upTo, cancellationToken).ConfigureAwait(false))
        {
            page.Add(catalog.Decode(stored));
            if (page.Count == PageLength)
            {
                yield return page;
                page = new List<Recorded>(PageLength);
            }
        }

        if (page.Count > 0)
        {
            yield return page;
        }
    }
}
