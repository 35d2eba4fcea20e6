using System.Buffers;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using Mbp.Host.Anchoring;
using Mbp.Ledger;
using Mbp.Ledger.Writing;

namespace Mbp.Host.Platform;

/// <summary>Takes a request's command to the writer, with who asks, the trace, and the idempotency key.</summary>
internal sealed class Commands(LedgerWriter writer, Database database)
{
    public const string KeyHeader = "Idempotency-Key";

    private const int LongestKey = 200;

    private static readonly Rejection BadKey = new(
        RejectionKind.Invalid, "idempotency.bad_key", $"Idempotency-Key is given once and has 1 to {LongestKey} visible ASCII characters.", KeyHeader);

    // Each thread hashes one body at a time.
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? _json;

    /// <summary>The receipt for what a command wrote, as an answer carries it; null for "already so" and for an answer that is given again.</summary>
    public ReceiptItem? ReceiptOf(CommandOutcome outcome) => ReceiptItem.Of(outcome.Receipt, database.Log.Origin);

    /// <param name="http">The request.</param>
    /// <param name="operation">What is asked.</param>
    /// <param name="body">The request's body: with the route, it is what an idempotency key is bound to.</param>
    /// <param name="cancellationToken">Fires when the caller has gone.</param>
    public async Task<CommandOutcome> SendAsync(HttpContext http, Operation operation, object? body, CancellationToken cancellationToken)
    {
        var principal = Principal.Of(http);
        CommandKey? key = null;
        byte[] hash = [];
        if (http.Request.Headers.TryGetValue(KeyHeader, out var given))
        {
            var text = given.ToString();
            if (given.Count > 1 || text.Length is 0 or > LongestKey || text.AsSpan().ContainsAnyExceptInRange('!', '~'))
            {
                return new CommandOutcome(BadKey, 0, []);
            }

            key = new CommandKey(principal.Id, text);
            hash = HashOf(http.Request, body);
        }

        var trace = Activity.Current?.TraceId.ToHexString() ?? http.TraceIdentifier;
        return await writer.SubmitAsync(operation, new CommandContext(principal.Id, trace, key, hash), cancellationToken).ConfigureAwait(false);
    }

    // The body's fields, not its spelling: white space and their order do not make another command.
    private static byte[] HashOf(HttpRequest request, object? body)
    {
        var buffer = _buffer ??= new ArrayBufferWriter<byte>(1_024);
        var json = _json ??= new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = HostJson.Bodies.Encoder });
        buffer.ResetWrittenCount();
        json.Reset();
        json.WriteStartObject();
        json.WriteString("method"u8, request.Method);
        json.WriteString("path"u8, request.Path.Value);
        if (body is not null)
        {
            json.WritePropertyName("body"u8);
            JsonSerializer.Serialize(json, body, HostJson.Bodies.GetTypeInfo(body.GetType()));
        }

        json.WriteEndObject();
        json.Flush();
        return SHA256.HashData(buffer.WrittenSpan);
    }
}
