using System.Collections.Immutable;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Resolution;

/// <summary>The internal truth table (C17): facts that operators record once, and that any number of markets read.</summary>
public abstract record TruthEvent;

public sealed record TruthRecorded(string Key, string Value, string EvidenceUri, string By, Instant At) : TruthEvent;

public abstract record TruthCommand;

public sealed record RecordTruth(string Key, string Value, string EvidenceUri, string By, Instant At) : TruthCommand;

public sealed record Fact(string Value, string EvidenceUri, string By);

/// <summary>One table's facts by key.</summary>
public sealed record TruthTable(ImmutableDictionary<string, Fact> Facts)
{
    public static TruthTable Initial { get; } = new(ImmutableDictionary<string, Fact>.Empty);

    public static readonly Fold<TruthTable> Fold = new(
        "truth", 1, Initial, (table, @event) => @event is TruthEvent e ? Evolve(table, e) : table, snapshotEvery: 1_000);

    /// <summary>The table in a market's reference; null where it refers to none.</summary>
    public static string? NameIn(string? reference) => reference?.IndexOf('/', StringComparison.Ordinal) is { } at and > 0 && Identifier.IsValid(reference[..at]) ? reference[..at] : null;

    public static StreamId StreamOf(string table) => StreamId.Of("truth", table);

    public static TruthTable Evolve(TruthTable table, TruthEvent @event) => @event switch
    {
        TruthRecorded e => new TruthTable(table.Facts.Add(e.Key, new Fact(e.Value, e.EvidenceUri, e.By))),
        _ => throw new InvalidOperationException($"{@event.GetType().Name} is no event of a truth table."),
    };

    /// <summary>The fact that a market's reference (<c>table/key</c>) points to; the table itself was chosen by the caller.</summary>
    public Fact? Find(string? reference) =>
        reference?.IndexOf('/', StringComparison.Ordinal) is { } at and > 0 ? Facts.GetValueOrDefault(reference[(at + 1)..]) : null;
}

public static class TruthDecider
{
    public static readonly Decider<TruthCommand, TruthEvent, TruthTable> Decider = new(TruthTable.Initial, Decide, TruthTable.Evolve);

    public static readonly Rejection AlreadyRecorded = new(
        RejectionKind.Conflict, "truth.already_recorded", "This fact is recorded with another value; a fact is never overwritten.", "value");

    private static Decision<TruthEvent> Decide(TruthCommand command, TruthTable table) => command switch
    {
        RecordTruth c when table.Facts.TryGetValue(c.Key, out var known) => known.Value == c.Value ? [] : AlreadyRecorded,
        RecordTruth c when !Identifier.IsValid(c.Key) => new Rejection(RejectionKind.Invalid, "truth.bad_key", $"A key is {Identifier.Rule}.", "key"),
        RecordTruth c when !EvidenceUri.IsValid(c.EvidenceUri) => ResolutionErrors.EvidenceNeeded,
        RecordTruth c => [new TruthRecorded(c.Key, c.Value, c.EvidenceUri, c.By, c.At)],
        _ => throw new InvalidOperationException($"{command.GetType().Name} has no decision."),
    };
}
