namespace Mbp.Ledger.Log;

/// <summary>Which sets of witnesses are enough: one witness, or so many of a group's members.</summary>
internal abstract record Quorum(string Name)
{
    /// <summary>No witness is asked for.</summary>
    public static readonly Quorum None = new Group("none", 0, []);

    public abstract bool Holds(Func<VerifierKey, bool> signed);

    /// <summary>A sentence on what is missing.</summary>
    public abstract string Wants(Func<VerifierKey, bool> signed);

    public sealed record Witness(string Name, VerifierKey Key) : Quorum(Name)
    {
        public override bool Holds(Func<VerifierKey, bool> signed) => signed(Key);

        public override string Wants(Func<VerifierKey, bool> signed) => $"The witness {Name} has not signed.";
    }

    public sealed record Group(string Name, int Needed, IReadOnlyList<Quorum> Members) : Quorum(Name)
    {
        public override bool Holds(Func<VerifierKey, bool> signed) => Members.Count(member => member.Holds(signed)) >= Needed;

        public override string Wants(Func<VerifierKey, bool> signed)
        {
            var missing = Members.Where(member => !member.Holds(signed)).Select(member => member.Name).ToList();
            return $"{Name} has {Members.Count - missing.Count} of the {Needed} that it needs; missing: {string.Join(", ", missing)}.";
        }
    }
}
