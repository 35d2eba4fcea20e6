namespace Mbp.Domain.Markets.Halts;

/// <summary>What the requirements' decision hooks call a halt (capabilities, section B): the watcher that saw it, the action, and whom it is told.</summary>
/// <param name="Watcher">Its name.</param>
/// <param name="Action">What is done.</param>
/// <param name="Notify">The owners.</param>
/// <param name="Route">Where the market is sent, for <c>degrade_route</c>.</param>
public sealed record HaltHook(string Watcher, string Action, string Notify, string? Route = null)
{
    private static readonly HaltHook Spike = new("mbp_price_spike_divergence", "freeze", "PM/SRE");
    private static readonly HaltHook Nearing = new("mbp_price_spike_divergence", "alert", "PM/SRE");

    /// <summary>The hook of a rule at a level; null for what a person does. What was a freeze and is eased is one no more.</summary>
    public static HaltHook? Of(HaltRule rule, HaltLevel level) => rule switch
    {
        HaltRule.Divergence or HaltRule.Band when level == HaltLevel.Hard => Spike,
        HaltRule.Divergence or HaltRule.Band or HaltRule.Distance or HaltRule.Window => Nearing,
        HaltRule.Depth => new HaltHook("mbp_liquidity_depth", "degrade_route", "PM", "liquidity_program"),
        HaltRule.Abuse => new HaltHook("mbp_abuse_anomaly", "alert+moderation", "SEC/PM"),
        HaltRule.Sla => new HaltHook("mbp_resolution_sla", "freeze", "PM/BC"),
        HaltRule.Manual or HaltRule.Moderation => null,
        _ => throw new ArgumentOutOfRangeException(nameof(rule)),
    };
}
