namespace Mbp.Domain.Units;

/// <summary>A link to what backs a fact, a value or a decision: an absolute http(s), ipfs or urn URI of at most 2,000 characters.</summary>
public static class EvidenceUri
{
    private const int Longest = 2_000;

    public static bool IsValid(string uri)
    {
        ArgumentNullException.ThrowIfNull(uri);
        return uri.Length <= Longest && Uri.TryCreate(uri, UriKind.Absolute, out var parsed) && parsed.Scheme is "http" or "https" or "ipfs" or "urn";
    }
}
