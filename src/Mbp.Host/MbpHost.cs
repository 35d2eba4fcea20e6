using System.Text.Json;
using System.Text.Json.Serialization;
using Mbp.Domain;
using Mbp.Host.Abuse;
using Mbp.Host.Accounts;
using Mbp.Host.Anchoring;
using Mbp.Host.Audit;
using Mbp.Host.Custody;
using Mbp.Host.Demo;
using Mbp.Host.Governance;
using Mbp.Host.Markets;
using Mbp.Host.Payments;
using Mbp.Host.Platform;
using Mbp.Host.Pricing;
using Mbp.Host.Projections;
using Mbp.Host.Resolution;
using Mbp.Host.Settlement;
using Mbp.Host.Streaming;
using Mbp.Host.Subscriptions;
using Mbp.Host.Trading;
using Mbp.Ledger;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Reading;
using Mbp.Ledger.Reading;
using Mbp.Ledger.Writing;
using Mbp.Policies;
using NodaTime;

namespace Mbp.Host;

/// <summary>The composition root: the database, the ledger and its writer, the read models, the workers, the routes.</summary>
public static class MbpHost
{
    private const int LargestBody = 64 * 1024;

    /// <returns>0 = stopped in good order, 1 = could not start, 2 = the command line is wrong.</returns>
    public static async Task<int> RunAsync(string[] arguments)
    {
        try
        {
            var options = MbpOptions.Parse(arguments);
            if (options.Help)
            {
                Console.WriteLine(MbpOptions.Usage);
                return 0;
            }

            await using var app = await StartAsync(options, CancellationToken.None).ConfigureAwait(false);
            await app.App.WaitForShutdownAsync().ConfigureAwait(false);
            return 0;
        }
        catch (UsageException e)
        {
            await Console.Error.WriteLineAsync($"{e.Message}\n\n{MbpOptions.Usage}").ConfigureAwait(false);
            return 2;
        }
        catch (Exception e) when (e is PostgresSetupException or IOException or InvalidDataException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"MBP cannot start: {e.Message}").ConfigureAwait(false);
            return 1;
        }
    }

    /// <summary>Starts everything and returns when the host listens.</summary>
    public static async Task<RunningHost> StartAsync(MbpOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        // A faulty rule set stops the start, and not a worker later, which would try it for ever.
        _ = BuiltInPolicies.All;
        var database = await Database.OpenAsync(options, Console.Error.WriteLine, cancellationToken).ConfigureAwait(false);
        var host = new RunningHost(Build(options, database, await ReceiptsAsync(database, cancellationToken).ConfigureAwait(false)), database);
        try
        {
            await host.App.StartAsync(cancellationToken).ConfigureAwait(false);
            await AnnounceAsync(host.App, options, database).ConfigureAwait(false);
            return host;
        }
        catch
        {
            // The workers first: they must not meet a database that is gone already.
            await host.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task<ReceiptSigner> ReceiptsAsync(Database database, CancellationToken cancellationToken)
    {
        try
        {
            return await ReceiptSigner.OfAsync(database.Log, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await database.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static WebApplication Build(MbpOptions options, Database database, ReceiptSigner receipts)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls(options.Urls.Split(';'));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = LargestBody;
            kestrel.AddServerHeader = false;
        });
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning).AddFilter("Microsoft.Hosting", LogLevel.Warning);

        var services = builder.Services;
        services.AddSingleton(options).AddSingleton(database).AddSingleton(options.Clock).AddSingleton(Slices.Catalog());
        services.AddSingleton<IEventStore>(database.Store).AddSingleton(database.Keys).AddSingleton<PrometheusPage>();
        services.AddSingleton(MakeFeed).AddHostedService<FeedPump>();
        services.AddSingleton<ViewCheckpoint>().AddHostedService<ViewKeeper>();
        services.AddSingleton<LiveLedger>().AddHostedService(s => s.GetRequiredService<LiveLedger>());
        services.AddSingleton<StreamMetrics>().AddSingleton<StreamRounds>().AddHostedService(s => s.GetRequiredService<StreamRounds>());
        services.AddSingleton(receipts).AddSingleton(options.LogKeeper).AddSingleton(LogWorker.MakeKeeper);
        if (options.Log)
        {
            services.AddHostedService<LogWorker>();
        }

        services.AddSingleton<KeyRotation>().AddSingleton<LogEpochs>().AddSingleton<LogMetrics>();
        services.AddSingleton(MakeWriter);
        services.AddSingleton(ProjectionWorker.MakeDaemon).AddHostedService<ProjectionWorker>();
        services.AddSingleton<SubscriptionWorker>().AddHostedService(s => s.GetRequiredService<SubscriptionWorker>()).AddSingleton<SubscriptionMetrics>();
        services.AddSingleton<WriterMetrics>().AddSingleton<ProjectionMetrics>();
        services.AddSingleton<Commands>().AddSingleton<ResolutionSteps>().AddSingleton<Reads>().AddSingleton<PastStreams>().AddSingleton<PastPositions>().AddSingleton<MarketPages>();
        services.AddSingleton(_ => new TableQueries(database.Connections)).AddSingleton<TableReads>();
        services.AddSingleton<LedgerSeeder>().AddHostedService(s => s.GetRequiredService<LedgerSeeder>());
        services.AddSingleton<RefusalMeter>().AddSingleton<TickWorker>().AddHostedService(s => s.GetRequiredService<TickWorker>());
        services.AddSingleton(_ => new EndpointReader(options.Endpoints)).AddHostedService<EndpointWorker>();
        services.AddSingleton<SettlementSteps>();
        services.AddHostedService<MarketClock>().AddHostedService<TwapWorker>().AddHostedService<CommandRetention>();
        services.AddPayouts();
        services.AddSingleton<ErasureWorker>().AddHostedService(s => s.GetRequiredService<ErasureWorker>());
        services.AddAnchoring(options);
        if (options.Demo)
        {
            services.AddHostedService<DemoWorker>();
        }

        services.AddExceptionHandler<Failures>().AddProblemDetails(problems =>
            problems.CustomizeProblemDetails = context => Problems.AttachTrace(context.ProblemDetails));
        services.AddTracing();
        services.ConfigureHttpJsonOptions(json =>
        {
            HostJson.Configure(json.SerializerOptions);
            // A field that we do not know is a caller's mistake, and silence about it may cost the caller money.
            json.SerializerOptions.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
            json.SerializerOptions.RespectRequiredConstructorParameters = false;
            json.SerializerOptions.AllowDuplicateProperties = false;
            json.SerializerOptions.ReadCommentHandling = JsonCommentHandling.Disallow;
        });
        services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        services.AddOpenApi("v2", OpenApiDocument.Configure);

        var app = builder.Build();
        // It listens from the start: what happened before the first scrape counts, too.
        app.Services.GetRequiredService<PrometheusPage>();
        app.Services.GetRequiredService<WriterMetrics>();
        app.Services.GetRequiredService<ProjectionMetrics>();
        app.Services.GetRequiredService<SubscriptionMetrics>();
        app.Services.GetRequiredService<LogMetrics>();
        app.Services.GetRequiredService<PayoutMetrics>();
        app.Services.GetRequiredService<AnchoringMetrics>();
        // Every service here is a singleton: a scope made for each request would hold nothing.
        app.Use((http, next) =>
        {
            http.RequestServices = app.Services;
            return next(http);
        });
        app.UseExceptionHandler();
        app.UseStatusCodePages(StatusPages.WriteAsync);
        app.UseKeys();
        Map(app, options);
        return app;
    }

    private static void Map(WebApplication app, MbpOptions options)
    {
        app.MapOpenApi("/openapi/{documentName}.json");
        OperationsEndpoints.Map(app);
        LogEndpoints.Map(app);
        LedgerEventEndpoints.Map(app, options.EventsForOperatorsOnly);
        var v2 = app.MapGroup("/v2").RequireKey();
        TemplateEndpoints.Map(v2);
        CreateMarketEndpoints.Map(v2);
        MarketEndpoints.Map(v2);
        MarketPages.Map(v2);
        RulesetEndpoints.Map(v2);
        MarketRulesetEndpoints.Map(v2);
        TradeEndpoints.Map(v2);
        TradeListEndpoints.Map(v2);
        TwapEndpoints.Map(v2);
        TwapSeriesEndpoints.Map(v2);
        CandleEndpoints.Map(v2);
        QualityEndpoints.Map(v2);
        ResolutionEndpoints.Map(v2);
        OracleEndpoints.Map(v2);
        DisputeEndpoints.Map(v2);
        MarketTimeline.Map(v2);
        ResolutionListEndpoints.Map(v2);
        CorrectionEndpoints.Map(v2);
        AccountEndpoints.Map(v2);
        PositionEndpoints.Map(v2);
        StatementEndpoints.Map(v2);
        AuditEndpoints.Map(v2);
        AuditTrailEndpoints.Map(v2);
        ErasureEndpoints.Map(v2);
        ProjectionEndpoints.Map(v2);
        StreamEndpoints.Map(v2);
        LogOperations.Map(v2);
        HaltEndpoints.Map(v2);
        AbuseEndpoints.Map(v2);
        ModerationEndpoints.Map(v2);
        SloEndpoints.Map(v2);
        WithdrawalEndpoints.Map(v2);
        ReconciliationEndpoints.Map(v2);
        if (options.Clock is TestClock clock)
        {
            TestClockEndpoints.Map(v2, clock);
        }
    }

    private static EventFeed MakeFeed(IServiceProvider services) => new(
        services.GetRequiredService<IEventStore>(), services.GetRequiredService<EventCatalog>(),
        trouble: new TroubleLog(services.GetRequiredService<ILogger<EventFeed>>()).Report);

    private static LedgerWriter MakeWriter(IServiceProvider services)
    {
        var (options, log) = (services.GetRequiredService<MbpOptions>(), services.GetRequiredService<ILogger<LedgerWriter>>());
        var (feed, receipts) = (services.GetRequiredService<EventFeed>(), services.GetRequiredService<ReceiptSigner>());
        var writer = new LedgerWriter(
            services.GetRequiredService<IEventStore>(), services.GetRequiredService<EventCatalog>(), services.GetRequiredService<IClock>(),
            options.Urls.Split(';')[0], new WriterOptions(), feed.Committed,
            new TroubleLog(log).Report, receipts.Key is null || !options.Log ? null : receipts);
        feed.IsFedHere = () => writer.IsWriter;
        return writer;
    }

    private static async Task AnnounceAsync(WebApplication app, MbpOptions options, Database database)
    {
        var (writer, live, log) = (
            app.Services.GetRequiredService<LedgerWriter>(), app.Services.GetRequiredService<LiveLedger>(), app.Services.GetRequiredService<ILogger<LedgerWriter>>());
        // The first line of the log should say how things stand, not how they stood before anything had begun.
        for (var until = DateTime.UtcNow.AddSeconds(2); DateTime.UtcNow < until && !(live.CaughtUp.IsCompleted && (writer.IsWriter || writer.OtherHolder is not null));)
        {
            await Task.Delay(20).ConfigureAwait(false);
        }

        Log.Listening(log, string.Join(' ', app.Urls), live.Current.Position, writer.IsWriter, database.Keys.Path);
        if (!options.Limits)
        {
            Log.LimitsOff(log);
        }

        if (options.Clock is TestClock)
        {
            Log.TestClockOn(log);
        }

        if (!options.Log)
        {
            Log.PublicLogOff(log);
        }
    }
}

/// <summary>A host that runs; disposing of it stops it in good order: no new commands, the waiting ones committed, the lease given back.</summary>
public sealed class RunningHost(WebApplication app, Database database) : IAsyncDisposable
{
    public WebApplication App => app;

    /// <summary>Where it listens.</summary>
    public Uri Address => new(app.Urls.First());

    public Database Database => database;

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync().ConfigureAwait(false);
        // Disposes of the writer, too: it drains before the database goes.
        await app.DisposeAsync().ConfigureAwait(false);
        await database.DisposeAsync().ConfigureAwait(false);
    }
}
