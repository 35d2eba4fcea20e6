using Mbp.Ledger.Writing;

namespace Mbp.Ledger.Reacting;

/// <summary>What one slice's event means to another: event in, command out.</summary>
/// <param name="Name">Small letters, digits and hyphens. It is in the cursor's name and in the idempotency keys: another name is another reaction.</param>
/// <param name="React">Pure, and quick. Null = nothing to do. It sees the events of its own commands, too.</param>
/// <param name="After">The position after which a new one begins; null = at the head as it is when the reaction first runs.</param>
public sealed record Reaction(string Name, Func<Recorded, Operation?> React, long? After = null);
