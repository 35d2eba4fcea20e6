namespace Mbp.Ledger.Log;

/// <summary>Where a witness takes checkpoints, and the key that it signs them with.</summary>
/// <param name="Url">Its submission prefix, with a slash at the end.</param>
/// <param name="Key">Of type <see cref="VerifierKey.CosignatureType"/>.</param>
public sealed record WitnessAddress(Uri Url, VerifierKey Key)
{
    /// <summary>Reads <c>URL=VKEY</c>.</summary>
    /// <exception cref="LogFormatException">It is no such text.</exception>
    public static WitnessAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        // The base64 of 33 bytes has no padding, so the last '=' is the one between the two.
        var at = text.LastIndexOf('=');
        return at > 0 ? Of(text[..at], VerifierKey.Parse(text[(at + 1)..])) : throw new LogFormatException("A witness is URL=VKEY.");
    }

    /// <summary>The witnesses of a policy that have a URL. What the policy asks of them is <see cref="LogPolicy"/>'s part.</summary>
    /// <exception cref="LogFormatException">The text is no policy, or a URL is none.</exception>
    public static IReadOnlyList<WitnessAddress> InPolicy(string text)
    {
        _ = LogPolicy.Parse(text);
        return
        [
            .. text.Split('\n').Select(line => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
                .Where(items => items is ["witness", _, _, _])
                .Select(items => Of(items[3], VerifierKey.Parse(items[2]))),
        ];
    }

    public override string ToString() => $"{Url}={Key}";

    private static WitnessAddress Of(string url, VerifierKey key) =>
        key.Type != VerifierKey.CosignatureType ? throw new LogFormatException($"The key {key.Name} is no witness's: its type is 0x{key.Type:x2}, not 0x{VerifierKey.CosignatureType:x2}.")
        : Uri.TryCreate(url.EndsWith('/') ? url : $"{url}/", UriKind.Absolute, out var address) && address.Scheme is "http" or "https" ? new WitnessAddress(address, key)
        : throw new LogFormatException($"'{url}' is no http or https URL of a witness.");
}
