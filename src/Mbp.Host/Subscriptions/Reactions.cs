using Mbp.Host.Payments;
using Mbp.Ledger.Reacting;

namespace Mbp.Host.Subscriptions;

/// <summary>What one slice's events mean to another, as commands.</summary>
internal static class Reactions
{
    public static IReadOnlyList<Reaction> All { get; } = [PayoutOutbox.Begin];
}
