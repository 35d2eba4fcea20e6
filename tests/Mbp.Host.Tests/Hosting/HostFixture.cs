using Mbp.Host.Platform;
using Mbp.Testing;
using Npgsql;

namespace Mbp.Host.Tests.Hosting;

/// <summary>The real host on a database of its own, over HTTP; one for each test class.</summary>
public sealed class HostFixture : IAsyncLifetime
{
    private readonly PostgresFixture _database = new();
    private readonly string _data = Directory.CreateTempSubdirectory("mbp-host-").FullName;

    public MovableClock Clock { get; } = new();

    public RunningHost Host { get; private set; } = null!;

    /// <summary>The first operator.</summary>
    public Api Api { get; private set; } = null!;

    /// <summary>The second operator, for what takes two people.</summary>
    public Api Second { get; private set; } = null!;

    public string Superuser => _database.Superuser;

    public MbpOptions Options => new()
    {
        Urls = "http://127.0.0.1:0",
        Data = _data,
        Postgres = new NpgsqlConnectionStringBuilder(_database.Superuser) { Pooling = true }.ConnectionString,
        Clock = Clock,
    };

    public async Task InitializeAsync()
    {
        await _database.InitializeAsync();
        await StartAsync();
    }

    public async Task DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(_data, recursive: true);
    }

    /// <summary>Starts the host again, on the same database.</summary>
    public async Task RestartAsync(MbpOptions? options = null, Action? whileStopped = null)
    {
        await StopAsync();
        whileStopped?.Invoke();
        await StartAsync(options);
    }

    public async Task StopAsync()
    {
        Api.Dispose();
        Second.Dispose();
        await Host.DisposeAsync();
    }

    /// <summary>After <see cref="StopAsync"/>.</summary>
    public Task StartAgainAsync() => StartAsync();

    private async Task StartAsync(MbpOptions? options = null)
    {
        Host = await MbpHost.StartAsync(options ?? Options, CancellationToken.None);
        Api = new Api(Host.Address, await File.ReadAllTextAsync(Path.Combine(_data, "api-key")));
        Second = new Api(Host.Address, await File.ReadAllTextAsync(Path.Combine(_data, "api-key-2")));
        await Api.ReadyAsync();
    }
}
