using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Mbp.Ledger.Json;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Host.Resolution;

/// <summary>What an endpoint sends: JSON with these members and no others.</summary>
internal sealed record EndpointBody(string Market, string Value, string ObservedAt, string Evidence, string Signature);

/// <param name="Body">What it says.</param>
/// <param name="ObservedAt">When it saw that.</param>
/// <param name="Sha256">Of its bytes, hex.</param>
internal sealed record EndpointReading(EndpointBody Body, Instant ObservedAt, string Sha256);

/// <summary>An endpoint gave no answer that can be read; the reason is for the log.</summary>
internal sealed class EndpointException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Asks an endpoint over TLS: a bounded time, a bounded answer, no redirects, no proxy, and only public addresses, which are looked at after the name is
/// resolved and then connected to, so that a name cannot change its mind in between.
/// </summary>
internal sealed class EndpointReader : IDisposable
{
    public const int LargestAnswer = 64 * 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private static readonly JsonSerializerOptions Strict = new(LedgerJson.Options)
    {
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow, AllowDuplicateProperties = false, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
    };

    private readonly HttpClient _http;

    /// <param name="handler">Stands in for the network in a test; null = the network.</param>
    public EndpointReader(HttpMessageHandler? handler) => _http = new HttpClient(handler ?? new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        MaxResponseHeadersLength = 16,
        MaxConnectionsPerServer = 4,
        PooledConnectionLifetime = TimeSpan.FromMinutes(1),
        ConnectCallback = ConnectAsync,
    })
    {
        Timeout = Patience,
        MaxResponseContentBufferSize = LargestAnswer,
    };

    /// <exception cref="EndpointException">There is no answer, or none that can be read.</exception>
    public async Task<EndpointReading> ReadAsync(string url, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            request.Headers.Add("Accept", "application/json");
            using var answer = await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);
            if (answer.StatusCode != HttpStatusCode.OK)
            {
                throw new EndpointException($"it answers {(int)answer.StatusCode}");
            }

            var bytes = await answer.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
            var body = JsonSerializer.Deserialize<EndpointBody>(bytes, Strict) ?? throw new EndpointException("it answers null");
            return InstantPattern.ExtendedIso.Parse(body.ObservedAt) is { Success: true, Value: var observedAt }
                ? new EndpointReading(body, observedAt, Convert.ToHexStringLower(SHA256.HashData(bytes)))
                : throw new EndpointException($"observedAt is no UTC instant: '{body.ObservedAt}'");
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or SocketException or IOException)
        {
            throw new EndpointException(e.Message, e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new EndpointException($"no answer within {Patience.TotalSeconds} s", e);
        }
    }

    public void Dispose() => _http.Dispose();

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, cancellationToken).ConfigureAwait(false);
        if (addresses.Length == 0 || !Array.TrueForAll(addresses, PublicAddress.IsPublic))
        {
            throw new HttpRequestException($"{context.DnsEndPoint.Host} is at an address that is not public");
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, context.DnsEndPoint.Port, cancellationToken).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
