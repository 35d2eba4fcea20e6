using Mbp.Host.Payments;
using Mbp.Ledger.Reacting;

namespace Mbp.Host.Subscriptions;

/// <summary>Who reacts to events in this host, inside it and by the outbox. A test gives another set in the options.</summary>
public sealed record SubscriptionSet
{
    /// <summary>The product's.</summary>
    public static SubscriptionSet Product { get; } = new() { Reactions = Subscriptions.Reactions.All, Rules = OutboxRules.All, Destinations = PayoutOutbox.Destinations };

    public IReadOnlyList<Reaction> Reactions { get; init; } = [];

    public IReadOnlyList<OutboxRule> Rules { get; init; } = [];

    /// <summary>Where messages go; made once, when the host starts.</summary>
    public IReadOnlyList<Func<IServiceProvider, IOutboxDestination>> Destinations { get; init; } = [];

    /// <exception cref="InvalidOperationException">A name is given twice, or is not one.</exception>
    internal void Check()
    {
        CheckNames(Reactions.Select(reaction => reaction.Name));
        CheckNames(Rules.Select(rule => rule.Name));
    }

    // A name is half of a cursor and of every key: two of the same would take each other's events away.
    private static void CheckNames(IEnumerable<string> names)
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (name.Length == 0 || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-') || !known.Add(name))
            {
                throw new InvalidOperationException($"'{name}' cannot be the name of a reaction or rule: small letters, digits and hyphens, and each once.");
            }
        }
    }
}
