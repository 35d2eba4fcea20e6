using System.Buffers;
using Mbp.Domain.Audit;
using Mbp.Domain.Markets;
using Mbp.Domain.Settlement;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Verify.Output;
using Mbp.Verify.Sites;

namespace Mbp.Verify.Checks;

/// <summary>One market decided again by a third party, from its own events.</summary>
internal sealed class MarketCheck(Report report)
{
    /// <summary>From a self-contained file; the checkpoint inside has been checked by the caller.</summary>
    public void Run(MarketFile file, Checkpoint checkpoint, string name)
    {
        var scratch = new ArrayBufferWriter<byte>();
        foreach (var item in file.Events)
        {
            var position = item.Event.Position;
            if (!MerkleProof.VerifyInclusion(MerkleTree.LeafHash(item.Entry.Span), position - 1, checkpoint.Size, item.Path, checkpoint.Root))
            {
                report.Fault(FaultKind.Proof, $"its path does not lead to the root of the {checkpoint.Size} events", name, position);
            }
            else if (item.Event.Differs(item.Entry.Span, scratch) is { } difference)
            {
                report.Fault(FaultKind.Event, difference, name, position);
            }
        }

        if (file.Ruleset is { } rules && (!rules.Holds || rules.Hash != file.Scope.PolicyHash))
        {
            report.Fault(FaultKind.Ruleset, $"the rule set in the file has not the hash {file.Scope.PolicyHash}", name, file.Scope.CreatedAt);
        }

        if (report.FaultCount == 0)
        {
            report.Checked($"events     {file.Events.Count} of {file.Scope.Streams.Count} streams are in the log, and are what it committed to");
        }

        Decide(file.Scope, file.Events.Select(item => item.Event), name);
    }

    /// <summary>From a whole log.</summary>
    public async Task RunAsync(string id, ISite site, Checkpoint checkpoint, CancellationToken cancellationToken)
    {
        var index = MarketIndex.Parse(System.Text.Encoding.UTF8.GetString(await site.NeedAsync(ExportPaths.MarketIndex, cancellationToken).ConfigureAwait(false)));
        var scope = index.FirstOrDefault(market => market.Id == id)
                    ?? throw new CannotAskException($"{site.Name} has no settled market '{id}' in {ExportPaths.MarketIndex} ({index.Count} are there). It may not be settled yet.");
        var (entries, streams, events) = (new LogEntries(site, checkpoint), scope.Streams.ToHashSet(StringComparer.Ordinal), new List<ExportedEvent>());
        for (var bundle = 0L; bundle * TilePath.FullWidth < Math.Min(scope.SettledAt ?? checkpoint.Size, checkpoint.Size); bundle++)
        {
            var file = ExportPaths.Events(bundle);
            foreach (var line in FullCheck.Lines(await site.NeedAsync(file, cancellationToken).ConfigureAwait(false)))
            {
                var exported = ExportedEvent.Parse(line);
                if (exported.Event is { } e && streams.Contains(e.Stream.Value) && exported.Position <= scope.SettledAt)
                {
                    await entries.OpenAsync(exported, report, cancellationToken).ConfigureAwait(false);
                    events.Add(exported);
                }
            }
        }

        if (report.FaultCount == 0)
        {
            report.Checked($"events     {events.Count} of {scope.Streams.Count} streams are in the log, and are what it committed to");
        }

        var path = ExportPaths.Ruleset(scope.Ruleset, scope.PolicyHash);
        if (await site.ReadAsync(path, cancellationToken).ConfigureAwait(false) is { } rules)
        {
            FullCheck.CheckRuleset(report, rules, path, scope.PolicyHash, scope.CreatedAt);
        }

        Decide(scope, events, ExportPaths.MarketIndex);
    }

    private void Corrected(MarketSettlement.Settled settled)
    {
        if (settled.Corrections is { Step: CorrectionStep.Done { Plan: var plan, Result: var done } } corrections)
        {
            report.Checked($"correction {corrections.Count} by {string.Join(" and ", plan.By)}: vector {string.Join(" ", plan.Vector)}, {plan.Accounts} accounts; back {done.Back} (insurance {done.Shortfall}), more {done.More}; paid {done.Paid} = locked {settled.Result.Locked} + fees {settled.Result.Fees} - dust {done.Dust} - {done.FeeDust}");
        }
    }

    private void Decide(MarketScope scope, IEnumerable<ExportedEvent> events, string name)
    {
        var replay = new Replay(report, partial: true);
        foreach (var exported in events)
        {
            replay.Take(exported, exported.Event is { } stored ? Replay.Decode(stored, report) : null);
        }

        replay.Finish();
        var found = replay.Scopes.All.FirstOrDefault(market => market.Id == scope.Id);
        if (found is null || found.PolicyHash != scope.PolicyHash || found.SettledAt != scope.SettledAt || !found.Streams.SequenceEqual(scope.Streams, StringComparer.Ordinal))
        {
            report.Fault(FaultKind.Market, $"what is said to belong to the market '{scope.Id}' is not what its events say: streams are missing, or the market is not there or not settled", name, scope.SettledAt);
            return;
        }

        var states = replay.Audit.States.Market(new MarketId(scope.Id));
        if (states.Settlement is MarketSettlement.Settled settled)
        {
            if (report.FaultCount == 0)
            {
                report.Checked($"market     {scope.Id}: {replay.Audit.Redecided} of {replay.Audit.Commands} commands decided again to the same events; versions of every stream without a gap");
                report.Checked($"settlement vector {string.Join(" ", SettlementDecider.FinalVector(states.Resolution) ?? [])}, paid {settled.Result.Paid} = locked {settled.Result.Locked} + fees {settled.Result.Fees} - dust {settled.Result.Dust} - {settled.Result.FeeDust}");
                Corrected(settled);
            }
        }
        else
        {
            report.Note($"the market {scope.Id} is not settled: {states.Settlement.GetType().Name}");
        }

        report.Note($"The other side of what accounts did in other markets is not in this check; `verify_anchor log` decides the whole ledger again, to the sum of all credits.");
    }
}
