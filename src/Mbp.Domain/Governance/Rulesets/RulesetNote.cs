using Mbp.Ledger;
using Mbp.Ledger.Log;

namespace Mbp.Domain.Governance.Rulesets;

/// <summary>
/// What a key of the public log signs for a version of a rule set: its checksum, under its name. The first line is no log's origin, so the
/// signature can never be shown as one of a checkpoint.
/// </summary>
/// <param name="Name">Of the rule set.</param>
/// <param name="Version">vMAJOR.MINOR.PATCH.</param>
/// <param name="Hash">The policy hash.</param>
public sealed record RulesetNote(string Name, string Version, string Hash)
{
    private const string Format = "mbp-ruleset@v1";

    public static RulesetNote Of(Policy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return new RulesetNote(policy.Rules.Name, policy.Rules.Version, policy.Hash);
    }

    /// <summary>The text to be signed.</summary>
    public string ToText() => $"{Format}\n{Name}\n{Version}\n{Hash}\n";

    /// <summary>The signed note, as <c>FILE.sig</c> and the ledger hold it.</summary>
    public string Sign(ICheckpointSigner signer)
    {
        ArgumentNullException.ThrowIfNull(signer);
        return SignedNote.Sign(ToText(), signer).Format();
    }

    /// <summary>Why a signature is none of this note by any of some keys; null = it is one.</summary>
    public Rejection? WhyNot(string? signature, IReadOnlyCollection<VerifierKey> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        if (string.IsNullOrWhiteSpace(signature))
        {
            return RulesetErrors.SignatureMissing;
        }

        try
        {
            var note = SignedNote.Parse(signature);
            var states = keys.Select(note.Verify).ToList();
            return note.Text != ToText() ? RulesetErrors.SignatureInvalid($"it is not over {Name} {Version} with the hash {Hash}")
                : states.Contains(SignatureState.Invalid) ? RulesetErrors.SignatureInvalid("a key of the log did not make the line that has its name")
                : states.Contains(SignatureState.Valid) ? null
                : RulesetErrors.SignatureInvalid("no key of the log that is in force made it");
        }
        catch (LogFormatException e)
        {
            return RulesetErrors.SignatureInvalid(char.ToLowerInvariant(e.Message[0]) + e.Message[1..].TrimEnd('.'));
        }
    }
}
