using System.Runtime.CompilerServices;
using Mbp.Domain;
using Mbp.Ledger;
using Mbp.Ledger.Reading;

namespace Mbp.Cli.Auditing;

/// <summary>The ledger command by command, decoded.</summary>
internal static class LedgerCommands
{
    /// <exception cref="UnknownEventTypeException">This build does not know an event.</exception>
    /// <exception cref="UnreadableEventException">An event is damaged.</exception>
    public static async IAsyncEnumerable<IReadOnlyList<Recorded>> ReadAsync(IEventStore store, long upTo, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var command = new List<Recorded>();
        await foreach (var page in DecodedPages.ReadAsync(store, Slices.Catalog(), 0, upTo, cancellationToken).ConfigureAwait(false))
        {
            foreach (var recorded in page)
            {
                if (command.Count > 0 && command[^1].Stored.CausationId != recorded.Stored.CausationId)
                {
                    yield return command;
                    command = [];
                }

                command.Add(recorded);
            }
        }

        if (command.Count > 0)
        {
            yield return command;
        }
    }
}
