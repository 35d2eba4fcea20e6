namespace Mbp.Ledger.Reacting;

/// <summary>Which events become messages to somebody outside.</summary>
/// <param name="Name">Small letters, digits and hyphens. It is in the messages' ids: another name is another rule, and sends under other ids.</param>
/// <param name="Make">Pure, and quick. Null = no message.</param>
/// <param name="After">The position after which a new one begins; null = at the head as it is when the rule first runs.</param>
public sealed record OutboxRule(string Name, Func<Recorded, OutboxContent?> Make, long? After = null);

/// <param name="Destination">The name of a registered <see cref="IOutboxDestination"/>.</param>
/// <param name="Body">What is sent.</param>
public sealed record OutboxContent(string Destination, ReadOnlyMemory<byte> Body);

/// <summary>Somebody who is sent messages: at least once, and those of one rule in the order of their events.</summary>
public interface IOutboxDestination
{
    string Name { get; }

    /// <summary>Returns once the message has arrived; whatever it throws means "again later". The receiver deduplicates by the message's id.</summary>
    Task SendAsync(OutboxMessage message, CancellationToken cancellationToken);
}
