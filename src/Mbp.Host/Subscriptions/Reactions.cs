using Mbp.Ledger.Reacting;

namespace Mbp.Host.Subscriptions;

/// <summary>What one slice's events mean to another, as commands. None yet: rulings are the first that will use it (a ruling that voids a market starts its refund).</summary>
internal static class Reactions
{
    public static IReadOnlyList<Reaction> All { get; } = [];
}
