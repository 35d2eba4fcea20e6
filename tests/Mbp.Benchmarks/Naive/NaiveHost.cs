using System.Security.Cryptography;
using System.Text.Json;
using Mbp.Benchmarks.Filling;
using Mbp.Domain;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Host.Accounts;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Host.Trading;
using Mbp.Ledger;
using Mbp.Ledger.Json;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Embedded;
using Mbp.Ledger.Writing;
using Mbp.Policies;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NodaTime.Text;

namespace Mbp.Benchmarks.Naive;

/// <summary>
/// An HTTP host over <see cref="NaiveLedger"/>: the few routes that the benchmark needs, with the product's requests, answers and keys, on the same
/// server (Kestrel) with the same runtime settings, and on an embedded PostgreSQL of its own with the product's settings. It does less than the
/// product on each request: no traces, no metrics, no read models, no checks of unknown fields.
/// </summary>
internal static class NaiveHost
{
    public static async Task<int> RunAsync(string data, string urls)
    {
        await using var postgres = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions(DataFolder: null, Ephemeral: true), CancellationToken.None).ConfigureAwait(false);
        await Migrations.Ledger.RunAsync(postgres.Connections.Owner, CancellationToken.None).ConfigureAwait(false);
        postgres.Connections.Save(Path.Combine(data, "connections.json"));
        var keys = OperatorKeys.LoadOrCreate(data);
        await using var ledger = new NaiveLedger(postgres.Connections.Writer, Slices.Catalog());
        foreach (var template in TemplateCatalogue.BuiltIn)
        {
            await ledger.ExecuteAsync(Commands.Seed(template), CommandContext.ForWorker("templates"), CancellationToken.None).ConfigureAwait(false);
        }

        foreach (var policy in BuiltInPolicies.All)
        {
            await ledger.ExecuteAsync(Commands.Seed(policy), CommandContext.ForWorker("rulesets"), CancellationToken.None).ConfigureAwait(false);
        }

        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls(urls);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.ConfigureHttpJsonOptions(json => LedgerJson.Configure(json.SerializerOptions));
        await using var app = builder.Build();
        app.Use((http, next) => http.Request.Path.StartsWithSegments("/v2") && PrincipalOf(http, keys) is null ? Deny(http) : next(http));
        app.MapGet("/health/ready", () => Results.Ok());
        app.MapPost("/v2/accounts", (OpenAccountRequest request, HttpContext http) =>
            SendAsync(http, Commands.OpenAccount(request.Id!), request, _ => new { request.Id }));
        app.MapPost("/v2/accounts/{id}/credits", (string id, GrantRequest request, HttpContext http) =>
            SendAsync(http, Commands.Grant(id, Amount(request.Amount), request.Reason!), request, outcome => new { outcome.Position }));
        app.MapPost("/v2/markets", (CreateMarketRequest request, HttpContext http) =>
            SendAsync(http, Commands.CreateMarket(request.Id!, request.Question!, request.Account!, Amount(request.Liquidity)), request, outcome => new { request.Id, outcome.Position }));
        app.MapPost("/v2/markets/{id}/trades", (string id, TradeRequest request, HttpContext http) =>
        {
            var (market, account, tradeId) = (new MarketId(id), new AccountId(request.Account!), Guid.CreateVersion7().ToString("N"));
            var operation = request.Side == "sell"
                ? TradeOperation.Of(market, account, at => new SellShares(market, account, tradeId, request.Outcome!, Shares.FromUnits(Amount(request.Shares).Units), null, at))
                : TradeOperation.Of(market, account, at => new BuyShares(market, account, tradeId, request.Outcome!, Amount(request.Amount), null, at));
            return SendAsync(http, operation, request, Answer);
        });
        await app.RunAsync().ConfigureAwait(false);
        return 0;

        async Task<IResult> SendAsync(HttpContext http, Operation operation, object request, Func<CommandOutcome, object> answer)
        {
            var principal = PrincipalOf(http, keys)!.Id;
            CommandKey? key = http.Request.Headers.TryGetValue("Idempotency-Key", out var given) ? new CommandKey(principal, given.ToString()) : null;
            var hash = key is null ? [] : SHA256.HashData(
                JsonSerializer.SerializeToUtf8Bytes(new { http.Request.Method, Path = http.Request.Path.Value, Body = request }, LedgerJson.Options));
            try
            {
                var outcome = await ledger.ExecuteAsync(operation, new CommandContext(principal, http.TraceIdentifier, key, hash), http.RequestAborted);
                return outcome.Rejection is { } rejection ? Problems.From(rejection) : Results.Ok(answer(outcome));
            }
            catch (LedgerBusyException e)
            {
                return Problems.Make(503, "ledger.busy", e.Message);
            }
        }
    }

    private static TradeResponse Answer(CommandOutcome outcome)
    {
        var trade = outcome.Find<TradeExecuted>()!;
        return new TradeResponse(
            trade.TradeId, outcome.Position, InstantPattern.ExtendedIso.Format(trade.At), trade.Side == TradeSide.Buy ? "buy" : "sell", trade.Outcome,
            trade.Shares.ToString(), trade.Amount.ToString(), trade.Fee.ToString(), trade.PriceBefore.ToString(), trade.PriceAfter.ToString());
    }

    private static Principal? PrincipalOf(HttpContext http, OperatorKeys keys) =>
        http.Request.Headers.Authorization.ToString() is ['B', 'e', 'a', 'r', 'e', 'r', ' ', .. var key] ? keys.Find(ApiKey.HashOf(key.Trim())) : null;

    private static Task Deny(HttpContext http)
    {
        http.Response.StatusCode = StatusCodes.Status401Unauthorized;
        return Task.CompletedTask;
    }

    private static Credits Amount(string? text) => Credits.TryParse(text, out var amount, out var rule) ? amount : throw new BadHttpRequestException(rule!);
}
