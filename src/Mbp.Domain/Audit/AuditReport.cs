using System.Globalization;
using System.Runtime.CompilerServices;

namespace Mbp.Domain.Audit;

/// <summary>What an audit looks at. The ids are the requirements' (docs/glossary.md, "Invariants").</summary>
public enum Check
{
    /// <summary>Positions 1, 2, 3, ... and versions 1, 2, 3, ... in every stream, to the head that the ledger claims; time never goes back, and is the same on the row and in the event.</summary>
    Order,

    /// <summary>S3.INV5: the decider, asked again, says the same to the unit.</summary>
    Decision,

    /// <summary>Q4.I1: nobody pays, sells or withdraws more than there is.</summary>
    NoNegative,

    /// <summary>Q4.I2: accounts + pools + fees + bonds + dust + on the way + paid out = grants, after every command.</summary>
    Conservation,

    /// <summary>Q4.I2 within a market: for every outcome, reserve + holdings = complete sets.</summary>
    CompleteSets,

    /// <summary>Q4.I3: at most one final value for a market.</summary>
    OneResolution,

    /// <summary>Q4.I4: the settlement plan follows from the market alone, root for root.</summary>
    SettlementPlan,

    /// <summary>Q4.I5: no payout before the value is final.</summary>
    NoEarlyPayout,

    /// <summary>Q4.I6: the sum of LP shares = the LP supply.</summary>
    LiquidityShares,

    /// <summary>Q4.I7: no overflow; every fold ran with checked arithmetic.</summary>
    NoOverflow,

    /// <summary>S4.I1 and Q4.I8: no trade after the close, nor while the market is halted hard.</summary>
    NoLateTrade,

    /// <summary>D6: the product never falls, and moves by less than 1e-9 in a swap.</summary>
    PoolInvariant,

    /// <summary>D2: the prices that an event quotes are those of its pool.</summary>
    Prices,

    /// <summary>S3.INV1: every resolution has a source, evidence and a trace.</summary>
    ResolutionEvidence,

    /// <summary>C20: a decision's <c>policy_hash</c> is that of the rule set in force at its position.</summary>
    PolicyHash,

    /// <summary>C26: after every purchase, exposure, open interest and rate are within the caps in force.</summary>
    RiskCaps,

    /// <summary>A market that is settled has paid exactly what its plan said.</summary>
    SettledInFull,

    /// <summary>No withdrawal is paid twice, or both paid and returned; and what left or came back to the account is what the withdrawal says.</summary>
    OnePayout,

    /// <summary>I10: a correction follows from the market's pool and the two values alone, root for root and sum for sum.</summary>
    CorrectionPlan,

    /// <summary>A correction has evidence, and two people behind it who held no position.</summary>
    CorrectionByTwo,

    /// <summary>Each account was debited all that it owed or all that it had; what insurance carries is the rest, and no more.</summary>
    CorrectionShortfall,

    /// <summary>A correction that is done has posted every difference, and the market holds its dust again and nothing else.</summary>
    CorrectedInFull,
}

/// <param name="Check">What was looked at.</param>
/// <param name="Position">Where.</param>
/// <param name="What">What is wrong.</param>
public sealed record AuditFault(Check Check, long Position, string What);

/// <summary>How often each check was made, and what it found.</summary>
public sealed class AuditReport
{
    /// <summary>Of each check, more faults than this are counted, not kept: a broken ledger must not fill the memory, nor one fault hide another.</summary>
    public const int KeptFaults = 20;

    private readonly long[] _counts = new long[Enum.GetValues<Check>().Length];
    private readonly long[] _faultCounts = new long[Enum.GetValues<Check>().Length];
    private readonly List<AuditFault> _faults = [];

    public IReadOnlyList<AuditFault> Faults => _faults;

    public long FaultCount => _faultCounts.Sum();

    public long FaultsOf(Check check) => _faultCounts[(int)check];

    public long CountOf(Check check) => _counts[(int)check];

    public bool Holds => FaultCount == 0;

    /// <summary>Counts a check; what is wrong is put into words only where something is.</summary>
    internal void Record(Check check, bool holds, long position, [InterpolatedStringHandlerArgument(nameof(holds))] ref FaultWords what)
    {
        _counts[(int)check]++;
        if (!holds)
        {
            Fail(check, position, what.ToStringAndClear());
        }
    }

    internal void Record(Check check, bool holds, long position, string what)
    {
        _counts[(int)check]++;
        if (!holds)
        {
            Fail(check, position, what);
        }
    }

    internal void Fail(Check check, long position, string what)
    {
        if (_faultCounts[(int)check]++ < KeptFaults)
        {
            _faults.Add(new AuditFault(check, position, what));
        }
    }
}

/// <summary>
/// The words for a fault. A check holds nearly always, and runs many times for each event of the ledger: neither the text nor what would go into
/// it is made unless the check fails.
/// </summary>
[InterpolatedStringHandler]
internal ref struct FaultWords
{
    private DefaultInterpolatedStringHandler _words;

    public FaultWords(int literalLength, int formattedCount, bool holds, out bool wanted)
    {
        wanted = !holds;
        _words = wanted ? new DefaultInterpolatedStringHandler(literalLength, formattedCount, CultureInfo.InvariantCulture) : default;
    }

    public void AppendLiteral(string value) => _words.AppendLiteral(value);

    public void AppendFormatted<T>(T value) => _words.AppendFormatted(value);

    public string ToStringAndClear() => _words.ToStringAndClear();
}
