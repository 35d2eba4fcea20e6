using System.Globalization;
using System.Text;
using Mbp.Ledger.Log;
using Mbp.Verify.Output;
using Mbp.Verify.Sites;

namespace Mbp.Verify;

/// <summary>A key and the sizes that it may sign.</summary>
internal sealed record TrustedKey(VerifierKey Key, long FromSize = 0, long? UntilSize = null)
{
    public bool Covers(long size) => size >= FromSize && !(size > UntilSize);
}

/// <summary>Whose signatures are believed.</summary>
/// <param name="Keys">Keys of the log: one of them is enough.</param>
/// <param name="Policy">Which witnesses must have signed as well; null where none is asked for.</param>
internal sealed record Trust(IReadOnlyList<TrustedKey> Keys, LogPolicy? Policy)
{
    /// <summary>From what the user gave; with nothing given, from the log itself, which is said aloud.</summary>
    public static async Task<Trust> FromAsync(
        IReadOnlyList<string> vkeys, string? vkeysFile, string? policyFile, ISite? site, IEnumerable<string> offered, Report report, CancellationToken cancellationToken)
    {
        var policy = policyFile is null ? null : Policy_(policyFile);
        var keys = vkeys.Select(text => VerifierKey.TryParse(text, out var key) ? new TrustedKey(key) : throw new CannotAskException($"'{text}' is no verifier key: it is name+id+base64.")).ToList();
        if (vkeysFile is not null)
        {
            try
            {
                keys.AddRange(Parse(Input.Read(vkeysFile)));
            }
            catch (LogFormatException e)
            {
                throw new CannotAskException($"{vkeysFile}: {e.Message}", e);
            }
        }

        keys.AddRange((policy?.Logs ?? []).Select(key => new TrustedKey(key)));
        if (keys.Count > 0)
        {
            return new Trust(keys, policy);
        }

        if (site is not null && await site.ReadAsync(ExportPaths.VerifierKeys, cancellationToken).ConfigureAwait(false) is { } own)
        {
            try
            {
                keys.AddRange(Parse(own));
            }
            catch (LogFormatException e)
            {
                report.Fault(FaultKind.Format, e.Message, ExportPaths.VerifierKeys);
            }
        }

        keys.AddRange(offered.Select(text => VerifierKey.TryParse(text.Split(' ')[0], out var key) ? new TrustedKey(key) : null).OfType<TrustedKey>());
        if (keys.Count == 0 && report.FaultCount == 0)
        {
            throw new CannotAskException("Which key is the log's? Give --vkey KEY or --vkeys FILE; the operator publishes it.");
        }

        report.Note($"NO KEY WAS GIVEN: the keys that came with the data itself are believed. Whoever forged the data could have put their own key there. Compare it with the key that the operator published elsewhere, and give it as --vkey: {string.Join(", ", keys.Select(key => key.Key))}");
        return new Trust(keys, policy);
    }

    /// <summary>The lines of a vkeys file: a key, and perhaps the first and the last size that it may sign ("-" = no last one).</summary>
    /// <exception cref="LogFormatException">A line is none.</exception>
    public static IReadOnlyList<TrustedKey> Parse(byte[] vkeys)
    {
        var keys = new List<TrustedKey>();
        foreach (var line in Encoding.UTF8.GetString(vkeys).Split('\n').Where(line => line.Length > 0 && line[0] != '#'))
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            keys.Add(words switch
            {
                [var key] => new TrustedKey(VerifierKey.Parse(key)),
                [var key, var from, var until] when Size(from) is { } first && (until == "-" || Size(until) is not null) => new TrustedKey(VerifierKey.Parse(key), first, Size(until)),
                _ => throw new LogFormatException("A line of vkeys is a verifier key, or a key with the first and the last size that it may sign."),
            });
        }

        return keys;
    }

    private static long? Size(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? size : null;

    private static LogPolicy Policy_(string file)
    {
        try
        {
            return LogPolicy.Parse(File.ReadAllText(file));
        }
        catch (Exception e) when (e is LogFormatException or IOException or UnauthorizedAccessException)
        {
            throw new CannotAskException($"The policy {file} cannot be used: {e.Message}", e);
        }
    }

    /// <summary>Why the note is not believed; null where it is.</summary>
    public string? WhyNot(SignedNote note, Checkpoint checkpoint)
    {
        var states = Keys.Select(key => (Key: key, State: note.Verify(key.Key))).ToList();
        if (states.FirstOrDefault(s => s.State == SignatureState.Invalid).Key is { } forged)
        {
            return $"the signature line of {forged.Key.Name} was not made by that key over this text";
        }

        var valid = states.Where(s => s.State == SignatureState.Valid && s.Key.Key.Name == checkpoint.Origin).Select(s => s.Key).ToList();
        return valid.Count == 0 ? $"no trusted key of {checkpoint.Origin} signed it (trusted: {string.Join(", ", Keys.Select(key => key.Key))})"
            : valid.TrueForAll(key => !key.Covers(checkpoint.Size)) ? $"the key that signed it may not sign a log of {checkpoint.Size} events: it was retired, or not yet in force"
            : null;
    }
}

/// <summary>Files that the user names.</summary>
internal static class Input
{
    private const long MaxBytes = 1L << 31;

    /// <summary>All of it, at once: to hand a small file to other threads takes longer than to read it.</summary>
    public static byte[] Read(string file)
    {
        try
        {
            return new FileInfo(file).Length < MaxBytes ? File.ReadAllBytes(file) : throw new CannotAskException($"{file} is too large.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CannotAskException($"{file} cannot be read: {e.Message}", e);
        }
    }
}
