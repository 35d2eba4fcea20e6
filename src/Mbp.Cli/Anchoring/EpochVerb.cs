using System.CommandLine;
using Mbp.Cli.Api;
using Mbp.Cli.Auditing;

namespace Mbp.Cli.Anchoring;

/// <summary><c>mbp anchor new-epoch</c>: a person's decision that a log cannot go on. The running host does it: it goes through the writer.</summary>
internal static class EpochVerb
{
    public static Command Create()
    {
        var confirm = new Option<string>("--confirm") { Description = "The origin of the log that is given up, as `mbp anchor status` shows it.", Required = true };
        var reason = new Option<string>("--reason") { Description = "Why; it becomes part of the log.", Required = true };
        var (host, json) = (new HostConnection(), LedgerOptions.Json());
        var epoch = new Command("new-epoch", "Gives a log up whose signed leaves are lost for good, and begins the next one; refused while the log is healthy.") { confirm, reason, json };
        host.AddTo(epoch);
        epoch.SetAction(async (parsed, cancellationToken) =>
        {
            using var api = host.Client(parsed);
            var answer = await api.PostAsync(
                "/v2/log/epochs", Guid.CreateVersion7().ToString("N"), new { confirm = parsed.GetValue(confirm), reason = parsed.GetValue(reason) }, cancellationToken).ConfigureAwait(false);
            if (!answer.IsOk)
            {
                await Console.Error.WriteLineAsync($"mbp: {answer.Code}: {answer.Text("detail")}").ConfigureAwait(false);
                return 1;
            }

            await parsed.InvocationConfiguration.Output.WriteLineAsync(parsed.GetValue(json)
                ? answer.Body.ToJsonString()
                : $"The log is {answer.Text("origin")} now; its first checkpoint:\n\n{answer.Text("note")}\nThe event at position {answer.Body["position"]} quotes the last head of the old one:\n\n{answer.Text("lastCheckpoint")}\n"
                    + "Both old heads are in log/evidence of the data folder. Publish /log/vkeys and tell the witnesses: to them it is another log.").ConfigureAwait(false);
            return 0;
        });
        return epoch;
    }
}
