using System.CommandLine;
using System.Globalization;
using Mbp.Cli.Api;

namespace Mbp.Cli.Custody;

/// <summary><c>mbp erase POSITION --field reason --why "..."</c>: takes free texts of an event out of the ledger, for good (docs/runbooks/custody.md).</summary>
internal static class EraseVerb
{
    public static Command Create()
    {
        var position = new Argument<long>("POSITION") { Description = "The event's position in the ledger." };
        var field = new Option<string[]>("--field") { Description = "The name of a text in the event's body; may be given again.", Required = true };
        var why = new Option<string>("--why") { Description = "On whose request, under which rule. It is public for ever: never what is erased.", Required = true };
        var host = new HostConnection();
        var erase = new Command("erase", "Takes free texts of an event out of the ledger, for good; the event that says so stays.") { position, field, why };
        host.AddTo(erase);
        erase.SetAction(async (parsed, cancellationToken) =>
        {
            using var api = host.Client(parsed);
            var body = new { position = parsed.GetValue(position), fields = parsed.GetRequiredValue(field), why = parsed.GetRequiredValue(why) };
            var answer = await api.PostAsync("/v2/custody/erasures", $"cli:{Guid.CreateVersion7():N}", body, cancellationToken).ConfigureAwait(false);
            await parsed.InvocationConfiguration.Output.WriteLineAsync(
                answer.IsOk
                    ? string.Create(CultureInfo.InvariantCulture, $"erased     {string.Join(", ", body.fields)} of {answer.Text("type")} at position {body.position} ({answer.Text("stream")})\nsaid so    at position {answer.Number("position")}\nBackups and WAL archives from before hold the text until they expire: docs/runbooks/custody.md.")
                    : $"refused    {answer.Code}: {answer.Text("detail")}").ConfigureAwait(false);
            return answer.IsOk ? 0 : 1;
        });
        return erase;
    }
}
