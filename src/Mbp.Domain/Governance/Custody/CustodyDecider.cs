using Mbp.Ledger;

namespace Mbp.Domain.Governance.Custody;

public static class CustodyDecider
{
    public const int LongestWhy = 500;

    public static readonly Decider<CustodyCommand, CustodyEvent, LogCustody> Decider = new(LogCustody.Initial, Decide, LogCustody.Evolve);

    private static Decision<CustodyEvent> Decide(CustodyCommand command, LogCustody custody) => command switch
    {
        AddAnchorKey c => Add(c, custody),
        RetireAnchorKey c => Retire(c, custody),
        OpenLogEpoch c => Open(c, custody),
        ErasePayload c => Erase(c, custody),
        _ => throw new InvalidOperationException($"{command.GetType().Name} has no decision."),
    };

    private static Decision<CustodyEvent> Add(AddAnchorKey c, LogCustody custody) => custody.Keys.GetValueOrDefault(c.KeyId) switch
    {
        // Whoever was interrupted between the event and the key's use asks again.
        { UntilSize: null } known when known == new AnchorKey(c.Vkey, custody.Epoch, c.FromSize, UntilSize: null) => [],
        not null => CustodyErrors.KeyExists,
        null when c.KeyId.Length == 0 || c.Vkey.Length == 0 => CustodyErrors.BadKey,
        null when c.FromSize < 0 => CustodyErrors.BadSize,
        null => [new AnchorKeyAdded(c.KeyId, c.Vkey, c.FromSize, c.At)],
    };

    private static Decision<CustodyEvent> Retire(RetireAnchorKey c, LogCustody custody) => custody.Keys.GetValueOrDefault(c.KeyId) switch
    {
        null => CustodyErrors.KeyUnknown,
        { UntilSize: { } until } => until == c.UntilSize ? [] : CustodyErrors.KeyRetired,
        var key when c.UntilSize < key.FromSize => CustodyErrors.BadSize,
        // A key of a log that was given up leaves nothing unsigned.
        var key when key.Epoch == custody.Epoch && custody.InForce.All(k => k.Key == c.KeyId) => CustodyErrors.LastKey,
        _ => [new AnchorKeyRetired(c.KeyId, c.UntilSize, c.Reason, c.At)],
    };

    private static Decision<CustodyEvent> Open(OpenLogEpoch c, LogCustody custody) =>
        // Whoever was interrupted between the event and the new log's first key asks again; the first log was opened by no event.
        c.Epoch == custody.Epoch && c.Epoch > 1 ? []
        // Numbers may be left out: the ledger that opened them was lost, and their origins are taken.
        : c.Epoch <= custody.Epoch ? CustodyErrors.EpochOutOfOrder
        : c.Origin.Length == 0 || c.LastCheckpoint.Length == 0 ? CustodyErrors.NoEvidence
        : [new LogEpochOpened(c.Origin, c.Epoch, c.LastCheckpoint, c.At, c.Reason)];

    private static Decision<CustodyEvent> Erase(ErasePayload c, LogCustody custody)
    {
        if (c.Fields.Count == 0)
        {
            return CustodyErrors.NothingNamed;
        }

        var allowed = Erasable.Of(c.Type);
        if (c.Fields.FirstOrDefault(field => !allowed.Contains(field)) is { } kept)
        {
            return CustodyErrors.NotErasable(c.Type, kept);
        }

        if (c.Why.Length is 0 or > LongestWhy)
        {
            return CustodyErrors.WhyNeeded;
        }

        // What is erased already is not erased again; and every field has one event that speaks for it.
        var erased = custody.ErasedAt(c.Position);
        var fields = c.Fields.Except(erased).Order(StringComparer.Ordinal).ToList();
        return fields.Count == 0 ? [] : [new PayloadErased(c.Position, c.Stream, c.Type, [.. fields], c.RestSha256, c.Why, c.At)];
    }
}
