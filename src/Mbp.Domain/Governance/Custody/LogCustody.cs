using System.Collections.Immutable;
using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Governance.Custody;

/// <summary>A key of the public log, and the tree sizes that it may sign.</summary>
/// <param name="Vkey">Its verifier key.</param>
/// <param name="Epoch">The epoch that it signs; a key's name is its log's origin, so none signs two.</param>
/// <param name="FromSize">The first size.</param>
/// <param name="UntilSize">The last size; null while it is in force.</param>
public sealed record AnchorKey(string Vkey, int Epoch, long FromSize, long? UntilSize);

/// <summary>The public log's keys, its epoch, and what was erased from the ledger.</summary>
/// <param name="Epoch">1 for the first log.</param>
/// <param name="Keys">All that ever signed, by id.</param>
/// <param name="Erased">The names of the erased texts, by position.</param>
public sealed record LogCustody(
    int Epoch, ImmutableSortedDictionary<string, AnchorKey> Keys, ImmutableSortedDictionary<long, EquatableArray<string>> Erased)
{
    public static LogCustody Initial { get; } = new(1, ImmutableSortedDictionary<string, AnchorKey>.Empty, ImmutableSortedDictionary<long, EquatableArray<string>>.Empty);

    public static readonly Fold<LogCustody> Fold = new(
        "custody", 1, Initial, (custody, @event) => @event is CustodyEvent e ? Evolve(custody, e) : custody, snapshotEvery: 500);

    /// <summary>The one stream of it.</summary>
    public static StreamId Stream { get; } = StreamId.Parse("custody");

    /// <summary>The keys that may sign the present epoch's next checkpoint.</summary>
    public IEnumerable<KeyValuePair<string, AnchorKey>> InForce => Keys.Where(k => k.Value.Epoch == Epoch && k.Value.UntilSize is null);

    public static LogCustody Evolve(LogCustody custody, CustodyEvent @event) => @event switch
    {
        AnchorKeyAdded e => custody with { Keys = custody.Keys.Add(e.KeyId, new AnchorKey(e.Vkey, custody.Epoch, e.FromSize, UntilSize: null)) },
        AnchorKeyRetired e => custody with { Keys = custody.Keys.SetItem(e.KeyId, custody.Keys[e.KeyId] with { UntilSize = e.UntilSize }) },
        LogEpochOpened e => custody with { Epoch = e.Epoch },
        PayloadErased e => custody with { Erased = custody.Erased.SetItem(e.Position, [.. custody.ErasedAt(e.Position), .. e.Fields]) },
        _ => throw new InvalidOperationException($"{@event.GetType().Name} is no event of the custody."),
    };

    internal EquatableArray<string> ErasedAt(long position) => Erased.GetValueOrDefault(position, []);
}
