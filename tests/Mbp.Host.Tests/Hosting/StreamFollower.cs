using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;

namespace Mbp.Host.Tests.Hosting;

/// <summary>One event as it came, whole.</summary>
internal sealed record StreamItem(long Position, string Event, JsonObject Data)
{
    public string Stream => (string)Data["stream"]!;
}

/// <summary>A client of <c>GET /v2/stream</c> that reads as the standard says and resumes where it was.</summary>
internal sealed class StreamFollower(string? key, string query) : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>Everything that came, over all connections.</summary>
    public List<StreamItem> Items { get; } = [];

    /// <summary>Where a browser would resume.</summary>
    public long? LastEventId { get; set; }

    /// <summary>Where it began, if it did not say: the first progress that it was told.</summary>
    public long? BeganAt { get; private set; }

    public void Dispose() => _http.Dispose();

    public async Task<HttpResponseMessage> ConnectAsync(Uri address, CancellationToken cancellationToken)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(address, $"/v2/stream{query}"));
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {key}");
        if (LastEventId is { } last)
        {
            request.Headers.TryAddWithoutValidation("Last-Event-ID", last.ToString(CultureInfo.InvariantCulture));
        }

        return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    /// <summary>Reads one connection until it ends or <paramref name="isEnough"/>; true = it was enough.</summary>
    public async Task<bool> ReadAsync(Uri address, Func<StreamFollower, bool> isEnough, CancellationToken cancellationToken)
    {
        using var response = await ConnectAsync(address, cancellationToken);
        if (response.StatusCode == HttpStatusCode.ServiceUnavailable)
        {
            return false;
        }

        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}: {(response.IsSuccessStatusCode ? "" : await response.Content.ReadAsStringAsync(cancellationToken))}");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        string? id = null, type = null, data = null;
        while (!isEnough(this))
        {
            if (await reader.ReadLineAsync(cancellationToken) is not { } line)
            {
                return false;
            }

            var at = line.IndexOf(": ", StringComparison.Ordinal);
            switch (at < 0 ? line : line[..at])
            {
                case "id":
                    id = line[4..];
                    break;
                case "event":
                    type = line[7..];
                    break;
                case "data":
                    Assert.Null(data);
                    data = line[6..];
                    break;
                case "" when line.Length == 0:
                    Take(id, type, data);
                    (id, type, data) = (null, null, null);
                    break;
            }
        }

        return true;
    }

    private void Take(string? id, string? type, string? data)
    {
        // Half an event, cut off by a break, has no empty line and never comes here.
        LastEventId = id is null ? LastEventId : long.Parse(id, CultureInfo.InvariantCulture);
        BeganAt ??= LastEventId;
        if (data is not null)
        {
            var item = new StreamItem(LastEventId!.Value, type!, JsonNode.Parse(data)!.AsObject());
            Assert.Equal((item.Position, item.Event), ((long)item.Data["position"]!, (string?)item.Data["type"]));
            Items.Add(item);
        }
    }
}
