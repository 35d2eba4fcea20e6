using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Mbp.Domain;
using Mbp.Domain.Audit;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Ledger;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;

namespace Mbp.Cli.Rulesets;

/// <summary>What came of the decisions under one rule set.</summary>
internal sealed class HashLine
{
    public string Name { get; set; } = "";

    public long Same { get; set; }

    public long Different { get; set; }
}

/// <summary>
/// Goes through a ledger, has every decision made again, and compares what comes out with what is stored: the rule set, the streams, the types and
/// the bodies in canonical JSON (RFC 8785), since the database does not keep the spelling of a body.
/// </summary>
internal sealed class RulesetVerification
{
    private const int MostFaults = 20;

    private readonly IReadOnlyList<VerifierKey> _keys;
    private readonly EventCatalog _catalog = Slices.Catalog();
    private readonly IncrementalHash _digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly SortedDictionary<string, HashLine> _byHash = new(StringComparer.Ordinal);
    private readonly List<AuditFault> _faults = [];
    private readonly ArrayBufferWriter<byte> _again = new();
    private readonly ArrayBufferWriter<byte> _stored = new();

    /// <param name="keys">Every key that the log ever had.</param>
    public RulesetVerification(IReadOnlyList<VerifierKey> keys)
    {
        _keys = keys;
        Audit = new LedgerAudit { OnRedecided = Compare };
    }

    public LedgerAudit Audit { get; }

    public IReadOnlyDictionary<string, HashLine> ByHash => _byHash;

    public IReadOnlyList<AuditFault> Faults => _faults;

    /// <summary>Decisions that were made again and name no rule set.</summary>
    public long Unnamed { get; private set; }

    /// <summary>Events that were decided again under a named rule set.</summary>
    public long Events { get; private set; }

    public int Signed { get; private set; }

    public int Unsigned { get; private set; }

    public int BadlySigned { get; private set; }

    public string? Stopped { get; set; }

    /// <summary>SHA-256 over a line for each event that was decided again: position, rule set, stream, type and body.</summary>
    public string Digest { get; private set; } = "";

    public bool Holds => Stopped is null && BadlySigned == 0 && Audit.Report.FaultsOf(Check.Decision) == 0 && Audit.Report.FaultsOf(Check.PolicyHash) == 0
        && _byHash.Values.All(line => line.Different == 0);

    public void Observe(IReadOnlyList<Recorded> command)
    {
        foreach (var recorded in command)
        {
            switch (recorded.Data)
            {
                case RulesetPublished e:
                    CheckSignature(e, recorded.Position);
                    break;
                case RulesetActivated e:
                    Line(e.PolicyHash).Name = $"{e.Name} {e.Version}";
                    break;
            }
        }

        Audit.Observe(command);
    }

    public void Finish()
    {
        Digest = Convert.ToHexStringLower(_digest.GetHashAndReset());
        // The audit has more to say of where the two differ.
        var worded = Audit.Report.Faults.Where(fault => fault.Check is Check.Decision or Check.PolicyHash).ToList();
        _faults.RemoveAll(fault => worded.Any(other => other.Position == fault.Position));
        _faults.AddRange(worded);
        _faults.Sort((a, b) => a.Position.CompareTo(b.Position));
    }

    private void Compare(IReadOnlyList<Recorded> command, Decision<StreamEvent> decision)
    {
        if (command[0].Stored.Header("policy_hash") is not { } hash)
        {
            Unnamed++;
            return;
        }

        var same = decision.PolicyHash == hash && decision.Rejection is null && decision.Events.Length == command.Count;
        for (var i = 0; i < decision.Events.Length; i++)
        {
            var (stream, @event) = decision.Events[i];
            var encoded = _catalog.Encode(@event);
            var again = Canonical(encoded.Data, _again);
            var position = i < command.Count ? command[i].Position : command[^1].Position;
            _digest.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{position} {decision.PolicyHash} {stream} {encoded.Type} ")));
            _digest.AppendData(again);
            _digest.AppendData("\n"u8);
            Events++;
            same = same && command[i].Stream == stream && command[i].Stored.Type == encoded.Type && again.SequenceEqual(Canonical(command[i].Stored.Data.Span, _stored));
        }

        var line = Line(hash);
        if (same)
        {
            line.Same++;
            return;
        }

        line.Different++;
        Fail(command[^1].Position, $"decided again under {decision.PolicyHash ?? "no rule set"}, {command[^1].Stored.Type} under {hash} comes out as other bytes{(decision.Rejection is { } refused ? $": refused, {refused.Code}" : "")}");
    }

    private void CheckSignature(RulesetPublished e, long position)
    {
        if (e.Signature.Length == 0)
        {
            Unsigned++;
        }
        else if (new RulesetNote(e.Name, e.Version, e.PolicyHash).WhyNot(e.Signature, _keys) is { } bad)
        {
            BadlySigned++;
            Fail(position, $"{e.Name} {e.Version}: {bad.Message}");
        }
        else
        {
            Signed++;
        }
    }

    private HashLine Line(string hash)
    {
        if (!_byHash.TryGetValue(hash, out var line))
        {
            _byHash[hash] = line = new HashLine();
        }

        return line;
    }

    private void Fail(long position, string what)
    {
        if (_faults.Count < MostFaults)
        {
            _faults.Add(new AuditFault(Check.Decision, position, what));
        }
    }

    private static ReadOnlySpan<byte> Canonical(ReadOnlySpan<byte> json, ArrayBufferWriter<byte> into)
    {
        into.ResetWrittenCount();
        CanonicalJson.Write(json, into);
        return into.WrittenSpan;
    }
}
