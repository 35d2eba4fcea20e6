using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Mbp.Cli.Witness;

/// <summary>A witness over HTTP: two routes, no more.</summary>
internal static class WitnessServer
{
    // 64 lines of proof and a note with every signature that it may have.
    private const int LargestBody = 64 * 1024;

    // How much of what is too large is read and thrown away: a connection that closes over unread bytes is reset, and its client never sees the answer.
    private const int LargestDrained = 8 * 1024 * 1024;

    /// <param name="urls">Where to listen, separated by semicolons.</param>
    public static WebApplication Build(LogWitness witness, string urls)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls(urls.Split(';'));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestDrained;
            kestrel.Limits.MaxConcurrentConnections = 256;
        });
        var app = builder.Build();
        app.MapPost("/add-checkpoint", (RequestDelegate)(http => AddAsync(http, witness)));
        app.MapGet("/{origin}/checkpoint", (RequestDelegate)(http => LatestAsync(http, witness)));
        return app;
    }

    private static async Task AddAsync(HttpContext http, LogWitness witness)
    {
        var body = new byte[LargestBody + 1];
        int read;
        try
        {
            read = await http.Request.Body.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false, http.RequestAborted).ConfigureAwait(false);
            if (read > LargestBody)
            {
                await http.Request.Body.CopyToAsync(Stream.Null, http.RequestAborted).ConfigureAwait(false);
            }
        }
        catch (BadHttpRequestException e)
        {
            // Larger still, or broken off: what a stranger sends is no trouble of ours.
            await AnswerAsync(http, new WitnessAnswer(e.StatusCode, $"{e.Message}\n")).ConfigureAwait(false);
            return;
        }

        await AnswerAsync(http, read > LargestBody
            ? new WitnessAnswer(StatusCodes.Status413PayloadTooLarge, $"A request has at most {LargestBody} bytes.\n")
            : witness.Add(body.AsSpan(0, read))).ConfigureAwait(false);
    }

    private static Task LatestAsync(HttpContext http, LogWitness witness) => AnswerAsync(
        http, witness.Latest((string)http.Request.RouteValues["origin"]!) is { } note ? new WitnessAnswer(200, note) : new WitnessAnswer(404, "There is no checkpoint of such a log here.\n"));

    private static Task AnswerAsync(HttpContext http, WitnessAnswer answer)
    {
        (http.Response.StatusCode, http.Response.ContentType) = (answer.Status, answer.Type);
        var bytes = Encoding.UTF8.GetBytes(answer.Body);
        http.Response.ContentLength = bytes.Length;
        return http.Response.Body.WriteAsync(bytes, http.RequestAborted).AsTask();
    }
}
