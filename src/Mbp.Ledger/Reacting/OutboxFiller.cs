namespace Mbp.Ledger.Reacting;

/// <summary>Puts a rule's messages into the outbox, in one transaction with the rule's cursor, beside the commits and not in them.</summary>
public sealed class OutboxFiller(OutboxRule rule, OutboxDelivery delivery, SubscriptionContext context) : Subscription("outbox", rule.Name, rule.After, context)
{
    protected override async Task<bool> TakeAsync(IReadOnlyList<Recorded> events, CancellationToken cancellationToken)
    {
        var messages = new List<PlacedMessage>();
        try
        {
            foreach (var recorded in events)
            {
                if (Make(recorded) is { } content)
                {
                    messages.Add(new(recorded.Position, new OutboxMessage(Deduplication.MessageId(rule.Name, recorded.Position), content.Destination, content.Body)));
                }

                Passed(recorded.Position);
            }
        }
        catch (SubscriptionFaultException)
        {
            await PutAsync().ConfigureAwait(false);
            throw;
        }

        return await PutAsync().ConfigureAwait(false);

        async Task<bool> PutAsync()
        {
            var isOurs = await SaveAsync(messages.Count > 0, messages, cancellationToken).ConfigureAwait(false);
            delivery.Wake(messages.Select(message => message.Message.Destination));
            return isOurs;
        }
    }

    private OutboxContent? Make(Recorded recorded)
    {
        try
        {
            var content = rule.Make(recorded);
            // Nobody would ever take it out again.
            return content is null || delivery.Knows(content.Destination) ? content : throw new InvalidOperationException($"There is no destination '{content.Destination}'.");
        }
        catch (Exception e)
        {
            throw new SubscriptionFaultException(this, recorded.Position, recorded.Stored.Type, e);
        }
    }
}
