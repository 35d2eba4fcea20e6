using Mbp.Domain;
using Mbp.Domain.Audit;
using Mbp.Ledger;

namespace Mbp.Host.Tests.Protection;

/// <summary>The ledger of a running host, read past it: what a test holds the host's answers against.</summary>
internal static class LedgerReading
{
    public static async Task<IReadOnlyList<Recorded>> AllAsync(IEventStore store)
    {
        var (catalog, all) = (Slices.Catalog(), new List<Recorded>());
        await foreach (var stored in store.ReadAllAsync(0, CancellationToken.None))
        {
            all.Add(catalog.Decode(stored));
        }

        return all;
    }

    /// <summary>Decides the whole ledger again; every invariant holds, and the ones that are named were looked at.</summary>
    public static LedgerAudit Audit(IReadOnlyList<Recorded> ledger, params Check[] lookedAt)
    {
        var audit = new LedgerAudit();
        for (int from = 0, to = 1; to <= ledger.Count; to++)
        {
            if (to == ledger.Count || ledger[to].Stored.CausationId != ledger[from].Stored.CausationId)
            {
                audit.Observe([.. ledger.Skip(from).Take(to - from)]);
                from = to;
            }
        }

        Assert.True(audit.Report.Holds, string.Join("\n", audit.Report.Faults.Select(fault => $"{fault} {ledger[(int)fault.Position - 1].Stored.Type}")));
        Assert.All(lookedAt, check => Assert.True(audit.Report.CountOf(check) > 0, $"{check} was never looked at."));
        return audit;
    }
}
