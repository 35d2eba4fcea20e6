namespace Mbp.Ledger;

/// <summary>What a refusal means to the one who asked; the edge maps it to an HTTP status.</summary>
public enum RejectionKind
{
    /// <summary>The request itself is wrong, whatever the state.</summary>
    Invalid,

    /// <summary>What it names does not exist.</summary>
    NotFound,

    /// <summary>It is not allowed in the present state.</summary>
    Conflict,

    /// <summary>The state allows the command, but a rule of the market or the account refuses these values.</summary>
    Refused,

    /// <summary>This actor may not do it.</summary>
    Forbidden,
}

/// <summary>An expected "no". <paramref name="Code"/> is public API (<c>slice.reason</c>) and never changes its meaning.</summary>
/// <param name="Kind">What sort of refusal it is.</param>
/// <param name="Code">The stable code, for machines.</param>
/// <param name="Message">One sentence, for people.</param>
/// <param name="Field">The field of the command at fault, where there is one.</param>
public sealed record Rejection(RejectionKind Kind, string Code, string Message, string? Field = null)
{
    /// <summary>The rule of a rule set that refused, where one did: its place there, such as <c>caps.binary.max_trade_rate</c>.</summary>
    public string? Rule { get; init; }

    /// <summary>The hash of the rule set that the decision was made under, where it was made under one.</summary>
    public string? PolicyHash { get; init; }
}
