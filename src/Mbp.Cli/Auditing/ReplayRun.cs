using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Cli.Anchoring;
using Mbp.Domain;
using Mbp.Domain.Audit;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Custody;
using Mbp.Ledger.Reading;

namespace Mbp.Cli.Auditing;

/// <summary>One replay: commands in order into the audit, the host's digest compared on the way, and the report.</summary>
internal sealed class ReplayRun(PostgresEventStore store, DeepCheck leaves, LiveDigest? live)
{
    private const string Different = "DIFFERENT from";

    private readonly Stopwatch _watch = new();
    private string? _unreadable;
    private string? _digest;
    private long _head;
    private bool _cutOff;

    public LedgerAudit Audit { get; } = new();

    public bool Holds => Audit.Report.Holds && leaves.Report.Holds && _unreadable is null && _digest is not Different && !_cutOff;

    public async Task GoAsync(long? to, CancellationToken cancellationToken)
    {
        _watch.Start();
        var catalog = Slices.Catalog();
        _head = await store.HeadAsync(cancellationToken).ConfigureAwait(false);
        await leaves.PrepareAsync(cancellationToken).ConfigureAwait(false);
        var command = new List<Recorded>();
        try
        {
            // Reading, decoding and auditing go on beside each other; the audit itself is one thread on purpose. A trade's decision rests on what its
            // account did in every other market just before, so markets do not part the work; and the database delivers no faster than it is used here.
            await foreach (var page in DecodedPages.ReadAsync(store, catalog, 0, _head, leaves.InspectAsync, cancellationToken).ConfigureAwait(false))
            {
                foreach (var recorded in page)
                {
                    if (command.Count > 0 && command[^1].Stored.CausationId != recorded.Stored.CausationId)
                    {
                        Take(command);
                        command.Clear();
                        if (Audit.Position >= to)
                        {
                            break;
                        }
                    }

                    command.Add(recorded);
                }

                if (Audit.Position >= to)
                {
                    break;
                }
            }

            if (command.Count > 0)
            {
                Take(command);
            }
        }
        catch (Exception e) when (e is UnknownEventTypeException or UnreadableEventException)
        {
            // Nothing after it can be vouched for.
            _unreadable = e.Message;
        }

        if (to is null && _unreadable is null)
        {
            var versions = new List<(StreamId, long)>();
            await foreach (var claimed in store.ReadStreamVersionsAsync(cancellationToken).ConfigureAwait(false))
            {
                versions.Add(claimed);
            }

            // What was committed after the replay's last event is not the replay's to judge: a head that moved since is read again from there.
            Audit.CheckEnd(_head, _head == await store.HeadAsync(cancellationToken).ConfigureAwait(false) ? versions : []);
            _cutOff = live is not null && live.Position > Audit.Position;
        }

        _watch.Stop();
    }

    public string ToText(string? market)
    {
        var (report, text) = (Audit.Report, new StringBuilder());
        var seconds = Math.Max(_watch.Elapsed.TotalSeconds, 0.001);
        text.Append(CultureInfo.InvariantCulture, $"replayed   {Audit.Position} events in {Audit.Commands} commands, {Audit.Position / seconds:0} events/s\n");
        text.Append(CultureInfo.InvariantCulture, $"redecided  {Audit.Redecided} commands\n");
        text.Append(CultureInfo.InvariantCulture, $"credits    granted {WideDecimal.Format(Audit.GrantedUnits)} = accounts {WideDecimal.Format(Audit.AccountUnits)} + markets {WideDecimal.Format(Audit.MarketUnits)} + on the way {WideDecimal.Format(Audit.OnTheWayUnits)} + paid out {WideDecimal.Format(Audit.PaidOutUnits)}\n");
        text.Append(CultureInfo.InvariantCulture, $"read models {DigestLine()}\n\n");
        foreach (var check in Enum.GetValues<Check>())
        {
            var faults = report.FaultsOf(check);
            text.Append(CultureInfo.InvariantCulture, $"{(faults == 0 ? report.CountOf(check) == 0 ? "none" : "ok" : "FAIL"),-5} {AuditWords.Of(check),-62} {report.CountOf(check),9} checks{(faults == 0 ? "" : $", {faults} faults")}\n");
        }

        var (log, leafFaults) = (leaves.Report, leaves.Report.FaultCount);
        text.Append(CultureInfo.InvariantCulture, $"{(leafFaults > 0 ? "FAIL" : log.Checks == 0 ? "none" : "ok"),-5} {"leaves: every event and its salt give the log's entry",-62} {log.Checks,9} checks{(leafFaults == 0 ? "" : $", {leafFaults} faults")}\n");
        text.Append(CultureInfo.InvariantCulture, $"\n{LeafWords.Erased(log)}\n");
        foreach (var fault in log.Faults.Take(LeafWords.Shown))
        {
            text.Append(CultureInfo.InvariantCulture, $"\nFAULT at position {fault.Position} (leaves, {fault.Kind}): {fault.What}");
        }

        foreach (var fault in report.Faults)
        {
            text.Append(CultureInfo.InvariantCulture, $"\nFAULT at position {fault.Position} ({fault.Check}): {fault.What}");
        }

        if (_unreadable is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $"\nSTOPPED after position {Audit.Position}: {_unreadable}");
        }

        if (market is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{(Audit.States.Markets.TryGetValue(market, out var states) ? $"market {market}: {states.Pool.Prices}, reserves {states.Pool.Reserves}, locked {states.Pool.Locked}, {states.Resolution.GetType().Name}, {states.Settlement.GetType().Name}" : $"There is no market {market}.")}\n");
        }

        return text.Append(CultureInfo.InvariantCulture, $"\n{(Holds ? "the ledger holds" : "THE LEDGER DOES NOT HOLD")}").ToString();
    }

    public string ToJson() => JsonSerializer.Serialize(
        new
        {
            events = Audit.Position, commands = Audit.Commands, redecided = Audit.Redecided,
            eventsPerSecond = Math.Round(Audit.Position / Math.Max(_watch.Elapsed.TotalSeconds, 0.001)),
            granted = WideDecimal.Format(Audit.GrantedUnits), accounts = WideDecimal.Format(Audit.AccountUnits), markets = WideDecimal.Format(Audit.MarketUnits),
            onTheWay = WideDecimal.Format(Audit.OnTheWayUnits), paidOut = WideDecimal.Format(Audit.PaidOutUnits),
            readModels = DigestLine(),
            checks = Enum.GetValues<Check>().ToDictionary(c => c.ToString(), Audit.Report.CountOf),
            leaves = new
            {
                checks = leaves.Report.Checks, voids = leaves.Report.Voids, erased = leaves.Report.ErasedCount, erasedPositions = leaves.Report.Erased, faultCount = leaves.Report.FaultCount,
                faults = leaves.Report.Faults.Select(fault => new { position = fault.Position, kind = fault.Kind.ToString(), what = fault.What }),
            },
            faults = Audit.Report.Faults, faultCount = Audit.Report.FaultCount, stopped = _unreadable, holds = Holds,
        },
        Importing.ImportReport.Json);

    private void Take(List<Recorded> command)
    {
        Audit.Observe(command);
        if (live is not null && Audit.Position == live.Position)
        {
            var digest = LedgerDigest.Of(
                Audit.States.Accounts, Audit.States.Markets.Select(m => KeyValuePair.Create(m.Key, m.Value.Pool)));
            _digest = digest == live.Digest ? "equal to" : Different;
        }
    }

    private string DigestLine() =>
        live is null ? "not compared: no host answers"
        : _cutOff ? $"AHEAD: the host shows position {live.Position}, the ledger ends before it"
        : _digest is null ? $"not compared: the host shows position {live.Position}, which the replay did not reach"
        : $"{_digest} the host's at position {live.Position} (every balance, pool and price)";
}

/// <summary>The checks in words, with the requirements' ids.</summary>
internal static class AuditWords
{
    public static string Of(Check check) => check switch
    {
        Check.Order => "order: positions and versions without a gap, time never back",
        Check.Decision => "S3.INV5 the decider, asked again, says the same",
        Check.NoNegative => "Q4.I1 nobody pays, sells or withdraws more than there is",
        Check.Conservation => "Q4.I2 accounts + markets + on the way + paid out = grants",
        Check.CompleteSets => "Q4.I2 reserve + holdings = complete sets, per outcome",
        Check.OneResolution => "Q4.I3 one final value for a market",
        Check.SettlementPlan => "Q4.I4 the settlement plan follows from the market alone",
        Check.NoEarlyPayout => "Q4.I5 no payout before the value is final",
        Check.LiquidityShares => "Q4.I6 sum of LP shares = LP supply",
        Check.NoOverflow => "Q4.I7 no overflow, every fold checked",
        Check.NoLateTrade => "S4.I1, Q4.I8 no trade after close or in a hard halt",
        Check.PoolInvariant => "D6 the product never falls, moves below 1e-9",
        Check.Prices => "D2 quoted prices are the pool's",
        Check.ResolutionEvidence => "S3.INV1 source, evidence and trace for every resolution",
        Check.PolicyHash => "C20 each decision names the rule set in force at its position",
        Check.RiskCaps => "C26 exposure, open interest and rate within the caps in force",
        Check.SettledInFull => "settled markets paid what was planned",
        Check.CorrectionPlan => "I10 a correction follows from the pool and two values",
        Check.CorrectionByTwo => "I10 two people without a position behind each correction",
        Check.CorrectionShortfall => "I10 insurance carries what debtors had spent, no more",
        Check.CorrectedInFull => "I10 corrections posted every difference",
        Check.OnePayout => "no withdrawal is paid twice, or both paid and returned",
        _ => throw new InvalidOperationException($"{check} has no words."),
    };
}
