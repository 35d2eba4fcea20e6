using System.Data.Common;
using Mbp.Ledger.Writing;

namespace Mbp.Ledger.Reacting;

/// <summary>Sends a reaction's commands to the writer, one after the other in the order of their events.</summary>
/// <param name="reaction">What to do.</param>
/// <param name="submit">The writer.</param>
/// <param name="context">What is shared.</param>
/// <param name="refused">Told of a refusal, which is an answer like any other, with the event's position.</param>
public sealed class ReactionRunner(
    Reaction reaction, Func<Operation, CommandContext, CancellationToken, Task<CommandOutcome>> submit, SubscriptionContext context, Action<long, Rejection> refused)
    : Subscription("reaction", reaction.Name, reaction.After, context)
{
    protected override async Task<bool> TakeAsync(IReadOnlyList<Recorded> events, CancellationToken cancellationToken)
    {
        var acted = false;
        try
        {
            foreach (var recorded in events)
            {
                if (React(recorded) is { } operation)
                {
                    if (!await IsAnsweredAsync(recorded, operation, cancellationToken).ConfigureAwait(false))
                    {
                        return false;
                    }

                    acted = true;
                }

                Passed(recorded.Position);
            }
        }
        catch (SubscriptionFaultException)
        {
            // What came before was answered, and need not wait for the fix to be known as such.
            await SaveAsync(acted, [], cancellationToken).ConfigureAwait(false);
            throw;
        }

        return await SaveAsync(acted, [], cancellationToken).ConfigureAwait(false);
    }

    private Operation? React(Recorded recorded)
    {
        try
        {
            return reaction.React(recorded);
        }
        catch (Exception e)
        {
            throw new SubscriptionFaultException(this, recorded.Position, recorded.Stored.Type, e);
        }
    }

    /// <summary>Asks until there is an answer; false when this process is not the writer any more.</summary>
    private async Task<bool> IsAnsweredAsync(Recorded cause, Operation operation, CancellationToken cancellationToken)
    {
        var command = Deduplication.ForReaction(reaction.Name, cause.Stored);
        while (true)
        {
            try
            {
                var outcome = await submit(operation, command, cancellationToken).ConfigureAwait(false);
                if (outcome.Rejection is { } rejection)
                {
                    refused(cause.Position, rejection);
                }

                return true;
            }
            catch (NotWriterException)
            {
                return false;
            }
            catch (Exception e) when (IsPassing(e))
            {
                Context.Report(reaction.Name, e);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // The decision itself fails, or a stream that it reads cannot be read: asking again would not change that.
                throw new SubscriptionFaultException(this, cause.Position, cause.Stored.Type, e);
            }

            await PauseAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    // Where the outcome is unknown, the key finds it.
    private static bool IsPassing(Exception e) =>
        e is LedgerBusyException or UnknownOutcomeException or StoreUnavailableException or FencedException or DbException or TimeoutException or IOException;
}
