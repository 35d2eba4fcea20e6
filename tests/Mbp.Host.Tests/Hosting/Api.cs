using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mbp.Host.Tests.Hosting;

/// <summary>An answer: its status and its body.</summary>
internal sealed record Answer(int Status, string ContentType, string Text, HttpResponseHeaders Headers)
{
    public JsonObject Json => JsonNode.Parse(Text)?.AsObject() ?? throw new InvalidDataException($"{Status}: no object but '{Text}'.");

    public bool IsOk => Status == 200;

    public string? Code => Status >= 400 && ContentType == "application/problem+json" ? (string?)Json["code"] : null;

    public long Position => Json["position"]!.GetValue<long>();

    public string this[string field] => (string?)Json[field] ?? throw new InvalidDataException($"No '{field}' in {Text}");

    /// <summary>The body without the receipt: what an answer that is given again repeats to the byte.</summary>
    public string Repeated
    {
        get
        {
            var body = Json;
            body.Remove("receipt");
            return body.ToJsonString();
        }
    }

    public Answer Ok() => IsOk ? this : throw new Xunit.Sdk.XunitException($"{Status}: {Text}");

    public override string ToString() => $"{Status} {Text}";
}

/// <summary>Calls the host with one key.</summary>
public sealed class Api(Uri address, string? key) : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = address, Timeout = TimeSpan.FromSeconds(60) };

    private long _seen;

    public Uri Address => address;

    public void Dispose() => _http.Dispose();

    public Api As(string? otherKey) => new(address, otherKey);

    /// <summary>Reads at least what this client has written.</summary>
    internal Task<Answer> GetAsync(string path)
    {
        var seen = Interlocked.Read(ref _seen);
        var own = seen > 0 && path.StartsWith("/v2/", StringComparison.Ordinal) && !path.Contains("min_position", StringComparison.Ordinal);
        return SendAsync(
            HttpMethod.Get, own ? string.Create(CultureInfo.InvariantCulture, $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}min_position={seen}") : path, content: null, idempotencyKey: null);
    }

    internal Task<Answer> PostAsync(string path, object? body = null, string? idempotencyKey = null) => SendAsync(
        HttpMethod.Post, path, new StringContent(body as string ?? JsonSerializer.Serialize(body ?? new { }), Encoding.UTF8, "application/json"), idempotencyKey);

    internal async Task<Answer> SendAsync(HttpMethod method, string path, HttpContent? content, string? idempotencyKey)
    {
        using var request = new HttpRequestMessage(method, new Uri(address, path)) { Content = content };
        if (key is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {key.Trim()}");
        }

        if (idempotencyKey is not null)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", idempotencyKey);
        }

        using var response = await _http.SendAsync(request);
        var answer = new Answer(
            (int)response.StatusCode, response.Content.Headers.ContentType?.MediaType ?? "", await response.Content.ReadAsStringAsync(), response.Headers);
        if (answer.IsOk && method != HttpMethod.Get && answer.ContentType == "application/json" && answer.Json["position"] is { } position)
        {
            Saw(position.GetValue<long>());
        }

        return answer;
    }

    private void Saw(long position)
    {
        for (var seen = Interlocked.Read(ref _seen); position > seen && Interlocked.CompareExchange(ref _seen, position, seen) != seen; seen = Interlocked.Read(ref _seen))
        {
        }
    }

    internal async Task ReadyAsync()
    {
        for (var until = DateTimeOffset.UtcNow.AddSeconds(30); ; await Task.Delay(20))
        {
            var answer = await GetAsync("/health/ready");
            if (answer.IsOk)
            {
                return;
            }

            Assert.True(DateTimeOffset.UtcNow < until, $"Not ready: {answer}");
        }
    }

    /// <summary>The position of the last event of the whole ledger, as soon as the read models show it.</summary>
    internal async Task<long> HeadAsync() => (await GetAsync("/status")).Ok().Position;

    /// <summary>Opens an account and grants it credits.</summary>
    internal async Task<string> AccountAsync(string id, string amount)
    {
        (await PostAsync("/v2/accounts", new { id })).Ok();
        (await PostAsync($"/v2/accounts/{id}/credits", new { amount, reason = "test" })).Ok();
        return id;
    }

    /// <summary>A market of two outcomes unless the body says otherwise.</summary>
    internal async Task<string> MarketAsync(string account, object? more = null)
    {
        var body = JsonNode.Parse(JsonSerializer.Serialize(new { template = "TPL-YESNO-01", question = "Will it rain?", account, liquidity = "10000", ruleset = "replay" }))!.AsObject();
        foreach (var (name, value) in JsonNode.Parse(JsonSerializer.Serialize(more ?? new { }))!.AsObject())
        {
            body[name] = value?.DeepClone();
        }

        return (await PostAsync("/v2/markets", body.ToJsonString())).Ok()["id"];
    }

    internal Task<Answer> BuyAsync(string market, string account, string outcome, string amount, string? key1 = null) =>
        PostAsync($"/v2/markets/{market}/trades", new { side = "buy", outcome, amount, account }, key1);

    internal Task<Answer> SellAsync(string market, string account, string outcome, string shares, string? key1 = null) =>
        PostAsync($"/v2/markets/{market}/trades", new { side = "sell", outcome, shares, account }, key1);

    /// <summary>All of a market's events, page after page.</summary>
    internal async Task<IReadOnlyList<JsonObject>> EventsAsync(string market, int limit = 1000)
    {
        List<JsonObject> all = [];
        string? cursor = null;
        do
        {
            var page = (await GetAsync(string.Create(CultureInfo.InvariantCulture, $"/v2/markets/{market}/events?limit={limit}{(cursor is null ? "" : $"&cursor={cursor}")}"))).Ok().Json;
            all.AddRange(page["items"]!.AsArray().Select(item => item!.AsObject()));
            cursor = (string?)page["nextCursor"];
        }
        while (cursor is not null);
        return all;
    }

    /// <summary>Waits until a market is in a phase.</summary>
    internal async Task<Answer> UntilAsync(string market, string phase)
    {
        for (var until = DateTimeOffset.UtcNow.AddSeconds(20); ; await Task.Delay(30))
        {
            var page = (await GetAsync($"/v2/markets/{market}")).Ok();
            if (page["phase"] == phase)
            {
                return page;
            }

            Assert.True(DateTimeOffset.UtcNow < until, $"{market} is {page["phase"]}, not {phase}.");
        }
    }
}
