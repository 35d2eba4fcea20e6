using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Cli.Api;
using Mbp.Cli.Auditing;
using Mbp.Cli.Files;
using Mbp.Ledger.Postgres.Log;

namespace Mbp.Cli.Anchoring;

/// <summary><c>mbp keys ...</c>: the keys of the public log.</summary>
internal static class KeysVerb
{
    public static Command Create() => new("keys", "The keys of the public log.") { List(), Rotate() };

    private static Command List()
    {
        var list = new Command("list", "Every key that ever signed, and for which sizes.");
        var ledger = new LedgerOptions().AddTo(list);
        list.SetAction(async (parsed, cancellationToken) =>
        {
            await using var database = await ledger.OpenAsync(parsed, cancellationToken).ConfigureAwait(false);
            await using var log = await AnchorVerb.LogAsync(database, ledger.Data(parsed), cancellationToken).ConfigureAwait(false);
            var keys = await log.Store.KeysAsync(log.Epoch, cancellationToken).ConfigureAwait(false);
            await ledger.SayAsync(
                parsed,
                () => JsonSerializer.Serialize(
                    new { origin = log.Origin, items = keys.Select(key => new { keyId = key.Id, vkey = key.Key.ToString(), from = key.From, until = key.Until, here = File.Exists(log.Keys.PathOf(key.Key)) }) },
                    Importing.ImportReport.Json),
                () => Text(keys, log.Keys)).ConfigureAwait(false);
            return 0;
        });
        return list;
    }

    private static Command Rotate()
    {
        var now = new Option<bool>("--now") { Description = "Retire the old key at once: for a key that may be known to others." };
        var reason = new Option<string?>("--reason") { Description = "Why the old key is retired; kept in the ledger." };
        var (host, json) = (new HostConnection(), LedgerOptions.Json());
        var rotate = new Command("rotate", "Adds the next key on the running host; 14 days later (or --now), retires the old one and destroys it.") { now, reason, json };
        host.AddTo(rotate);
        rotate.SetAction(async (parsed, cancellationToken) =>
        {
            using var api = host.Client(parsed);
            var answer = await api.PostAsync(
                "/v2/log/keys/rotate", Guid.CreateVersion7().ToString("N"), new { now = parsed.GetValue(now), reason = parsed.GetValue(reason) }, cancellationToken).ConfigureAwait(false);
            if (!answer.IsOk)
            {
                throw new EnvironmentException($"{answer.Code}: {answer.Text("detail")}");
            }

            await parsed.InvocationConfiguration.Output.WriteLineAsync(parsed.GetValue(json) ? answer.Body.ToJsonString() : answer.Text("done") switch
            {
                "added" => $"The next key signs beside the old one. Publish /log/vkeys; rotate again from {answer.Text("retireFrom")} on to retire the old key.",
                "waiting" => $"The next key is known since too short a time. Rotate again from {answer.Text("retireFrom")} on, or with --now.",
                _ => "The old key is retired, and its private half destroyed.",
            }).ConfigureAwait(false);
            return 0;
        });
        return rotate;
    }

    internal static string Text(IReadOnlyList<LogKeyRecord> keys, LogKeys here)
    {
        var text = new StringBuilder();
        foreach (var key in keys)
        {
            var until = key.Until is { } end ? end.ToString(CultureInfo.InvariantCulture) : "now";
            text.Append(CultureInfo.InvariantCulture, $"{(text.Length > 0 ? "\n" : "")}key          {key.Key}  sizes {key.From} to {until}{(File.Exists(here.PathOf(key.Key)) ? "" : key.Until is null ? "  PRIVATE HALF NOT HERE" : "  destroyed")}");
        }

        return text.ToString();
    }
}
