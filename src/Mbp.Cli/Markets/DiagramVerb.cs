using System.CommandLine;
using System.Text.Json.Nodes;
using Mbp.Cli.Api;
using Mbp.Cli.Files;

namespace Mbp.Cli.Markets;

/// <summary><c>mbp market diagram ID</c>: how a market came to its value, as a picture's text.</summary>
internal static class DiagramVerb
{
    public static Command Create()
    {
        var (market, host) = (new Argument<string>("market") { Description = "Its id." }, new HostConnection());
        var command = new Command("diagram", "A market's events as a sequence diagram (Mermaid).") { market };
        host.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var api = host.Client(parsed);
            var (events, cursor) = (new List<JsonNode>(), (string?)null);
            do
            {
                var answer = await api.GetAsync(
                    $"/v2/markets/{Uri.EscapeDataString(parsed.GetRequiredValue(market))}/events?limit=500{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}", cancellationToken).ConfigureAwait(false);
                if (!answer.IsOk)
                {
                    throw new EnvironmentException($"{answer.Code}: {answer.Text("detail")}");
                }

                events.AddRange(answer.Body["items"]!.AsArray()!);
                cursor = (string?)answer.Body["nextCursor"];
            }
            while (cursor is not null);
            await parsed.InvocationConfiguration.Output.WriteAsync(SequenceDiagram.Of(events)).ConfigureAwait(false);
            return 0;
        });
        return command;
    }
}
