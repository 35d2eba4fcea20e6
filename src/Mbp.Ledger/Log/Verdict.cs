namespace Mbp.Ledger.Log;

/// <summary>The answer of a verification: it holds, or every reason why it does not, in sentences for an operator.</summary>
public sealed record Verdict(IReadOnlyList<string> Faults)
{
    public static readonly Verdict Good = new([]);

    public bool Holds => Faults.Count == 0;

    public static Verdict Bad(string fault) => new([fault]);

    public override string ToString() => Holds ? "holds" : string.Join(' ', Faults);
}
