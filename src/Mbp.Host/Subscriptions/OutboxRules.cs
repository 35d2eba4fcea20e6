using Mbp.Ledger.Reacting;

namespace Mbp.Host.Subscriptions;

/// <summary>Which events are told to others outside. None yet: webhooks to partners and the RabbitMQ feed will use it.</summary>
internal static class OutboxRules
{
    public static IReadOnlyList<OutboxRule> All { get; } = [];
}
