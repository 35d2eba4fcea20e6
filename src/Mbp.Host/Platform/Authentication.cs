using System.Collections.Concurrent;
using Mbp.Domain.Accounts;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Platform;

/// <summary>Who may call which route: <c>Authorization: Bearer KEY</c> on everything under /v2.</summary>
internal static class Authentication
{
    private const string Scheme = "Bearer ";

    /// <summary>The routes need a key. It is looked at before the body: a stranger's body is not even parsed.</summary>
    public static TBuilder RequireKey<TBuilder>(this TBuilder routes)
        where TBuilder : IEndpointConventionBuilder =>
        routes.WithMetadata(KeyNeeded.Any);

    public static RouteHandlerBuilder OperatorsOnly(this RouteHandlerBuilder route) => route.WithMetadata(KeyNeeded.Operators);

    /// <summary>Checks the keys of all routes that need one.</summary>
    public static void UseKeys(this WebApplication app)
    {
        var keys = new Keys(app.Services.GetRequiredService<OperatorKeys>(), app.Services.GetRequiredService<LiveLedger>());
        app.Use((http, next) => http.GetEndpoint()?.Metadata.GetOrderedMetadata<KeyNeeded>() is { Count: > 0 } needed && keys.WhyNot(http, needed) is { } problem
            ? problem.ExecuteAsync(http)
            : next(http));
    }

    /// <summary>The account that a command is for: an operator names it, an owner's key stands for it.</summary>
    public static (AccountId Account, ProblemHttpResult? Problem) AccountFor(this Principal principal, string? named)
    {
        if (!principal.CanTrade)
        {
            return (default, Forbidden("auth.scope", "This key may read, not trade."));
        }

        var fields = new Fields();
        if (principal.Account is { } own)
        {
            return named is null || named == own.Value ? (own, null) : (default, Forbidden("auth.not_your_account", "This key reaches its own account only."));
        }

        var account = fields.Account("account", named);
        return (account, fields.Problem());
    }

    /// <summary>Null if the principal may see the account.</summary>
    public static ProblemHttpResult? WhyNotSee(this Principal principal, string account) =>
        principal.IsOperator || principal.Account!.Value.Value == account ? null : Forbidden("auth.not_your_account", "This key reaches its own account only.");

    /// <summary>Null if the principal may take credits out of the account.</summary>
    public static ProblemHttpResult? WhyNotWithdraw(this Principal principal, string account) =>
        principal.WhyNotSee(account) ?? (principal.IsOperator || principal.CanWithdraw ? null : Forbidden("auth.scope", "This key may not withdraw: its scopes lack 'withdraw'."));

    private static ProblemHttpResult Forbidden(string code, string detail) => Problems.Make(403, code, detail);

    private sealed class KeyNeeded
    {
        public static readonly KeyNeeded Any = new();
        public static readonly KeyNeeded Operators = new();
    }

    private sealed class Keys(OperatorKeys operators, LiveLedger live)
    {
        // Keys come and go; beyond so many, all are forgotten and those in use are back at their next request.
        private const int KeptHashes = 10_000;

        private readonly ConcurrentDictionary<string, string> _hashes = new(StringComparer.Ordinal);
        private int _kept;

        public ProblemHttpResult? WhyNot(HttpContext http, IReadOnlyList<KeyNeeded> needed)
        {
            var header = http.Request.Headers.Authorization.ToString();
            if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            {
                http.Response.Headers.WWWAuthenticate = "Bearer";
                return Problems.Make(401, "auth.key_missing", "Send 'Authorization: Bearer KEY'. The operators' keys are in the data folder: api-key and api-key-2.");
            }

            // A caller sends the same key with every request. Only its hash is remembered; whether that key is in force is asked each time.
            var key = header.AsSpan(Scheme.Length).Trim();
            var isKnown = _hashes.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(key, out var hash);
            hash ??= ApiKey.HashOf(key.ToString());
            var principal = operators.Find(hash) ?? Owner(hash);
            if (principal is null)
            {
                http.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
                return Problems.Make(401, "auth.key_unknown", "This key is not known, or was revoked.");
            }

            if (!isKnown)
            {
                Keep(key.ToString(), hash);
            }

            principal.AttachTo(http);
            return principal.IsOperator || !needed.Contains(KeyNeeded.Operators) ? null : Forbidden("auth.operators_only", "This route is for operators.");
        }

        private void Keep(string key, string hash)
        {
            if (Interlocked.Increment(ref _kept) > KeptHashes)
            {
                _hashes.Clear();
                Volatile.Write(ref _kept, 1);
            }

            _hashes.TryAdd(key, hash);
        }

        // Asked of a view that is not at the head yet, a revoked key would be in force and a new one unknown.
        private Principal? Owner(string hash) => live.Present.KeysByHash.GetValueOrDefault(hash) is { } key
            ? new Principal(key.Account.Value, key.Account, key.Scopes.Contains(ApiScope.Trade)) { KeyHash = hash, CanWithdraw = key.Scopes.Contains(ApiScope.Withdraw) }
            : null;
    }
}
