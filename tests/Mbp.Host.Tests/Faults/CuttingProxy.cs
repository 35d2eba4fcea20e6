using System.Net;
using System.Net.Sockets;

namespace Mbp.Host.Tests.Faults;

/// <summary>When the connection that commits is cut.</summary>
internal enum Cut
{
    /// <summary>The commit never leaves: it was certainly not carried out.</summary>
    BeforeRequest,

    /// <summary>The server gets half of it.</summary>
    AmidRequest,

    /// <summary>The server gets all of it, and nobody waits for what it says.</summary>
    AfterRequest,

    /// <summary>The server has answered, and the answer is lost: it was certainly carried out.</summary>
    BeforeAnswer,
}

/// <summary>Stands between the host and PostgreSQL, and cuts the connection that commits at a chosen moment.</summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private Task _accepting = Task.CompletedTask;
    private Order? _order;

    /// <summary>While dark, nobody gets through any more.</summary>
    public bool IsDark { get; set; }

    /// <summary>Opens the way to a server; returns the port to use instead of its own.</summary>
    public int To(int port)
    {
        _listener.Start();
        _accepting = AcceptAsync(port);
        return ((IPEndPoint)_listener.LocalEndpoint).Port;
    }

    /// <summary>Cuts the next commit; done when it has been cut.</summary>
    public Task CutNextCommitAsync(Cut when, bool thenDark = false)
    {
        var order = new Order(when, thenDark, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        Volatile.Write(ref _order, order);
        return order.Done.Task;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync(int port)
    {
        var links = new List<Task>();
        try
        {
            while (true)
            {
                links.Add(LinkAsync(await _listener.AcceptSocketAsync(_stop.Token), port));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(links);
        }
    }

    private async Task LinkAsync(Socket client, int port)
    {
        using (client)
        using (var server = new Socket(SocketType.Stream, ProtocolType.Tcp))
        {
            if (IsDark)
            {
                return;
            }

            client.NoDelay = server.NoDelay = true;
            await server.ConnectAsync(IPAddress.Loopback, port);
            var link = new Link(client, server);
            await Task.WhenAny(ToServerAsync(link), ToClientAsync(link));
        }
    }

    private async Task ToServerAsync(Link link)
    {
        try
        {
            var buffer = new byte[128 * 1024];
            for (int read; (read = await link.Client.ReceiveAsync(buffer, _stop.Token)) > 0;)
            {
                var bytes = buffer.AsMemory(0, read);
                if (link.Commits && link.Order is null && Interlocked.Exchange(ref _order, null) is { } order)
                {
                    bytes = order.When switch { Cut.BeforeRequest => default, Cut.AmidRequest => bytes[..(read / 2)], _ => bytes };
                    await link.Server.SendAsync(bytes, _stop.Token);
                    if (order.When != Cut.BeforeAnswer)
                    {
                        Do(order);
                        return;
                    }

                    link.Order = order;
                    continue;
                }

                await link.Server.SendAsync(bytes, _stop.Token);
                // The connection that prepares the commit's statement is the one that commits, from its next message on.
                link.Commits |= bytes.Span.IndexOf("ledger_seal"u8) >= 0;
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One end went away, and the other is closed with it.
        }
    }

    private async Task ToClientAsync(Link link)
    {
        try
        {
            var buffer = new byte[128 * 1024];
            for (int read; (read = await link.Server.ReceiveAsync(buffer, _stop.Token)) > 0;)
            {
                if (link.Order is { } order)
                {
                    Do(order);
                    return;
                }

                await link.Client.SendAsync(buffer.AsMemory(0, read), _stop.Token);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // As above.
        }
    }

    private void Do(Order order)
    {
        IsDark |= order.ThenDark;
        order.Done.SetResult();
    }

    private sealed record Order(Cut When, bool ThenDark, TaskCompletionSource Done);

    private sealed class Link(Socket client, Socket server)
    {
        public Socket Client => client;

        public Socket Server => server;

        public bool Commits { get; set; }

        /// <summary>To be carried out when the server answers.</summary>
        public volatile Order? Order;
    }
}
