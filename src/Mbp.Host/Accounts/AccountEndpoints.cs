using Mbp.Domain.Accounts;
using Mbp.Host.Platform;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Accounts;

internal static class AccountEndpoints
{
    private static readonly string[] KnownScopes = ["read", "trade", "withdraw"];

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapPost("/accounts", OpenAsync).OperatorsOnly().WithName("openAccount").WithSummary("Open an account");
        v2.MapPost("/accounts/{id}/credits", GrantAsync).OperatorsOnly().WithName("grantCredits").WithSummary("Grant credits to an account");
        v2.MapGet("/accounts/{id}", GetAsync).WithName("getAccount").WithSummary("An account's balance");
        v2.MapPost("/accounts/{id}/keys", IssueKeyAsync).OperatorsOnly().WithName("issueKey").WithSummary("Issue a key that reaches this account alone");
        v2.MapDelete("/accounts/{id}/keys/{keyId}", RevokeKeyAsync).OperatorsOnly().WithName("revokeKey").WithSummary("Revoke a key");
    }

    private static async Task<Results<Ok<AccountOpenedResponse>, ProblemHttpResult>> OpenAsync(
        OpenAccountRequest request, HttpContext http, Commands commands, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var id = fields.Account("id", request.Id);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var outcome = await commands.SendAsync(http, On(id, at => new OpenAccount(id, at)), request, cancellationToken);
        return outcome.Rejection is { } rejection ? Problems.From(rejection) : TypedResults.Ok(new AccountOpenedResponse(id.Value, outcome.Position, commands.ReceiptOf(outcome)));
    }

    private static async Task<Results<Ok<PositionResponse>, ProblemHttpResult>> GrantAsync(
        string id, GrantRequest request, HttpContext http, Commands commands, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var account = fields.Account("id", id);
        var amount = fields.Credits("amount", request.Amount);
        var reason = fields.Text("reason", request.Reason ?? "grant", longest: 200);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var outcome = await commands.SendAsync(http, On(account, at => new GrantCredits(amount, reason, at)), request, cancellationToken);
        return outcome.Rejection is { } rejection ? Problems.From(rejection) : TypedResults.Ok(new PositionResponse(outcome.Position, commands.ReceiptOf(outcome)));
    }

    private static async Task<Results<Ok<AccountResponse>, StatusCodeHttpResult, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, CancellationToken cancellationToken)
    {
        if (Principal.Of(http).WhyNotSee(id) is { } forbidden)
        {
            return forbidden;
        }

        var (account, version, position, moment, problem) = await reads.AccountAsync(http.Request, id, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        var isKnown = moment is { } then ? Etags.TagPast(http, then) : Etags.Tag(http, Etags.Of(version));
        return isKnown ? Etags.NotModified : TypedResults.Ok(new AccountResponse(id, account!.Balance.ToString(), version, position));
    }

    private static async Task<Results<Ok<IssueKeyResponse>, ProblemHttpResult>> IssueKeyAsync(
        string id, IssueKeyRequest request, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var account = fields.Account("id", id);
        if (request.Scopes is not { Count: > 0 and <= 3 } scopes || scopes.Any(s => !KnownScopes.Contains(s)) || scopes.Distinct().Count() != scopes.Count)
        {
            fields.Fail("scopes", "Is a list of 'read', 'trade' and/or 'withdraw'.");
        }

        if (http.Request.Headers.ContainsKey(Commands.KeyHeader))
        {
            fields.Fail(Commands.KeyHeader, "Does not go with this route: a key is shown once, so its answer cannot be repeated.");
        }

        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var (keyId, key) = ($"k_{Guid.CreateVersion7():N}", ApiKey.Create("mbp_acc"));
        var command = On(account, at => new IssueApiKey(keyId, ApiKey.HashOf(key), [.. request.Scopes!.Select(s => s switch { "trade" => ApiScope.Trade, "withdraw" => ApiScope.Withdraw, _ => ApiScope.Read })], at));
        var outcome = await commands.SendAsync(http, command, request, cancellationToken);
        if (outcome.Rejection is { } rejection)
        {
            return Problems.From(rejection);
        }

        await InForceAsync(live, outcome, cancellationToken);
        return TypedResults.Ok(new IssueKeyResponse(keyId, key, outcome.Position, commands.ReceiptOf(outcome)));
    }

    private static async Task<Results<Ok<PositionResponse>, ProblemHttpResult>> RevokeKeyAsync(
        string id, string keyId, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var account = fields.Account("id", id);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var outcome = await commands.SendAsync(http, On(account, at => new RevokeApiKey(keyId, at)), body: null, cancellationToken);
        if (outcome.Rejection is { } rejection)
        {
            return Problems.From(rejection);
        }

        await InForceAsync(live, outcome, cancellationToken);
        return TypedResults.Ok(new PositionResponse(outcome.Position, commands.ReceiptOf(outcome)));
    }

    // Keys are looked up in the read models: once the answer is out, this host knows the new key, or has forgotten the old one.
    private static Task<LedgerView> InForceAsync(LiveLedger live, CommandOutcome outcome, CancellationToken cancellationToken) =>
        live.AtLeastAsync(outcome.Position, TimeSpan.FromSeconds(5), cancellationToken);

    private static Operation On(AccountId account, Func<NodaTime.Instant, AccountCommand> command) =>
        Operation.On(AccountDecider.Decider, Account.Fold.Of(account.Stream), command);
}
