using System.Text;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Ledger.Log;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Domain.Resolution.Oracle;

/// <summary>
/// What a source or a judge signs: a few lines of text that anybody can write down again from the event that holds the signature. The first line keeps
/// a signature on one kind of statement from being taken for one on another.
/// </summary>
public static class Statement
{
    /// <summary>A report: which market and round, what came true, when the source saw it, and what backs it.</summary>
    public static string Report(MarketId market, int round, string value, Instant observedAt, string evidence) =>
        $"mbp-report/v1\nmarket: {market}\nround: {round}\nvalue: {value}\nobserved-at: {InstantPattern.ExtendedIso.Format(observedAt)}\nevidence: {evidence}\n";

    /// <summary>An endpoint's answer: like a report, and of no round.</summary>
    public static string Answer(MarketId market, string value, Instant observedAt, string evidence) =>
        $"mbp-answer/v1\nmarket: {market}\nvalue: {value}\nobserved-at: {InstantPattern.ExtendedIso.Format(observedAt)}\nevidence: {evidence}\n";

    /// <summary>A ruling on a market's dispute: what the value is, and what backs that.</summary>
    public static string Ruling(MarketId market, int dispute, string value, string evidence) =>
        $"mbp-ruling/v1\nmarket: {market}\ndispute: {dispute}\nvalue: {value}\nevidence: {evidence}\n";

    /// <summary>Whether a text is an Ed25519 public key: base64 of 32 bytes that can be one.</summary>
    public static bool IsKey(string text)
    {
        try
        {
            return TryBytes(text, Ed25519.PublicKeySize, out var key) && new VerifierKey("voter", VerifierKey.Ed25519Type, key).PublicKey.Length > 0;
        }
        catch (LogFormatException)
        {
            return false;
        }
    }

    /// <summary>Whether the voter signed the statement.</summary>
    /// <param name="voter">Whose key counts.</param>
    /// <param name="statement">The text.</param>
    /// <param name="signature">Base64 of 64 bytes.</param>
    public static bool IsSignedBy(Voter voter, string statement, string signature)
    {
        ArgumentNullException.ThrowIfNull(voter);
        return IsSignedBy(voter.Key, statement, signature);
    }

    /// <summary>Whether the owner of a key signed the statement.</summary>
    public static bool IsSignedBy(string publicKey, string statement, string signature)
    {
        return TryBytes(publicKey, Ed25519.PublicKeySize, out var key) && TryBytes(signature, Ed25519.SignatureSize, out var bytes)
            && Ed25519.Verify(key, Encoding.UTF8.GetBytes(statement), bytes);
    }

    private static bool TryBytes(string text, int length, out byte[] bytes)
    {
        bytes = new byte[length];
        // The one spelling, so that two events do not differ by how somebody padded a signature.
        return Convert.TryFromBase64String(text, bytes, out var written) && written == length && Convert.ToBase64String(bytes) == text;
    }
}
