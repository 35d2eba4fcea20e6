using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit.Sdk;

namespace Mbp.Testing;

/// <summary>
/// Compares a text with the file <c>Class.Method.verified.EXT</c> beside the test: a contract, whose every change is seen in review.
/// <c>MBP_ACCEPT=1</c> accepts what there is now. Files are named as Verify names them, so that it can take over.
/// </summary>
public static class Snapshot
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void MatchJson(string json, [CallerFilePath] string file = "", [CallerMemberName] string test = "") =>
        Match(Indent(json), "json", file, test);

    public static string Indent(string json) => JsonNode.Parse(json)!.ToJsonString(Indented) + "\n";

    public static void Match(string text, string extension = "txt", [CallerFilePath] string file = "", [CallerMemberName] string test = "")
    {
        ArgumentNullException.ThrowIfNull(text);
        var place = Path.Combine(Path.GetDirectoryName(file)!, $"{Path.GetFileNameWithoutExtension(file)}.{test}");
        var (verified, received) = ($"{place}.verified.{extension}", $"{place}.received.{extension}");
        var (now, before) = (text.ReplaceLineEndings("\n"), File.Exists(verified) ? File.ReadAllText(verified).ReplaceLineEndings("\n") : "");
        if (now == before)
        {
            File.Delete(received);
            return;
        }

        if (Environment.GetEnvironmentVariable("MBP_ACCEPT") == "1")
        {
            File.WriteAllText(verified, now);
            File.Delete(received);
            return;
        }

        File.WriteAllText(received, now);
        throw new XunitException($"{Path.GetFileName(verified)} says otherwise, first at line {Difference(before, now)}\nMBP_ACCEPT=1 accepts the new text.");
    }

    private static string Difference(string before, string now)
    {
        var (old, @new) = (before.Split('\n'), now.Split('\n'));
        var at = Enumerable.Range(0, Math.Max(old.Length, @new.Length)).First(i => old.ElementAtOrDefault(i) != @new.ElementAtOrDefault(i));
        return $"{at + 1}:\n- {old.ElementAtOrDefault(at)}\n+ {@new.ElementAtOrDefault(at)}";
    }
}
