using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mbp.Cli.Files;

namespace Mbp.Cli.Api;

/// <summary>What the API said: the body of an answer, or the stable code of a refusal.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Body">The JSON of the answer or of the problem.</param>
internal sealed record ApiAnswer(int Status, JsonObject Body)
{
    public bool IsOk => Status is >= 200 and < 300;

    public string Code => Text("code");

    public string Text(string field) => Body[field]?.GetValue<string>() ?? "";

    public long Number(string field) => Body[field]?.GetValue<long>() ?? 0;
}

/// <summary>
/// Talks to a host as an operator. A command always goes out with an idempotency key, so it can be sent again until an answer comes: a host
/// that is busy, restarting, or failing over is waited for.
/// </summary>
internal sealed class ApiClient : IDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private readonly HttpClient _http;
    private readonly TimeSpan _patience;

    public ApiClient(Uri host, string key, TimeSpan patience)
    {
        _patience = patience;
        _http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) }) { BaseAddress = host, Timeout = TimeSpan.FromSeconds(30) };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    public Task<ApiAnswer> GetAsync(string path, CancellationToken cancellationToken) =>
        SendAsync(() => new HttpRequestMessage(HttpMethod.Get, path), cancellationToken);

    public Task<ApiAnswer> PostAsync(string path, string key, object body, CancellationToken cancellationToken) => SendAsync(
        () =>
        {
            var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
            request.Headers.Add("Idempotency-Key", key);
            return request;
        },
        cancellationToken);

    public void Dispose() => _http.Dispose();

    private async Task<ApiAnswer> SendAsync(Func<HttpRequestMessage> make, CancellationToken cancellationToken)
    {
        var until = DateTime.UtcNow + _patience;
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            string trouble;
            try
            {
                using var request = make();
                using var response = await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);
                if (response.StatusCode is not (HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway))
                {
                    return new ApiAnswer((int)response.StatusCode, await BodyAsync(response, cancellationToken).ConfigureAwait(false));
                }

                trouble = (await BodyAsync(response, cancellationToken).ConfigureAwait(false))["detail"]?.GetValue<string>() ?? response.ReasonPhrase ?? "";
            }
            catch (Exception e) when (e is HttpRequestException or IOException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
            {
                trouble = e.Message;
            }

            if (DateTime.UtcNow > until)
            {
                throw new EnvironmentException($"{_http.BaseAddress} did not answer for {_patience.TotalSeconds:0} s: {trouble}");
            }

            await Task.Delay(pause, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<JsonObject> BodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            return await response.Content.ReadFromJsonAsync<JsonObject>(cancellationToken).ConfigureAwait(false) ?? [];
        }
        catch (JsonException)
        {
            return [];
        }
    }
}
