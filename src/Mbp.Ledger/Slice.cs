namespace Mbp.Ledger;

/// <summary>A part of the domain, named, with the one place that names its events.</summary>
public sealed record Slice(string Name, Action<EventCatalog> Wire);
