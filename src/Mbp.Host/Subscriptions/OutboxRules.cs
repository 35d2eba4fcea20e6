using Mbp.Host.Payments;
using Mbp.Ledger.Reacting;

namespace Mbp.Host.Subscriptions;

/// <summary>Which events are told to others outside. Webhooks to partners and the RabbitMQ feed will use it, too.</summary>
internal static class OutboxRules
{
    public static IReadOnlyList<OutboxRule> All { get; } = [PayoutOutbox.Rule];
}
