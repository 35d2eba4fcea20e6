using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using Mbp.Host.Tests.Hosting;

namespace Mbp.Host.Tests;

/// <summary>What is wrong is refused with a stable code and the field at fault, is never a 500, and writes nothing.</summary>
public sealed class BadInputTests(BadInputTests.Ground ground) : IClassFixture<BadInputTests.Ground>
{
    private const string Market = "/v2/markets";
    private const string Trades = "/v2/markets/open/trades";
    private const string Liquidity = "/v2/markets/open/liquidity";
    private const string Credits = "/v2/accounts/ana/credits";
    private const string Truth = "/v2/truth/table/key";
    private const string Json = "application/json";

    private static readonly string Long = new('x', 65);

    /// <summary>What is sent, and what the answer must be.</summary>
    private sealed record Case(string Method, string Path, string? Body, int Status, string Code, string? Field = null, string Key = "op", string? Idempotency = null, string ContentType = Json);

    private static readonly Dictionary<string, Case> Cases = new(StringComparer.Ordinal)
    {
        // Bodies that are no request at all.
        ["no body"] = Post(Trades, null, "request.invalid", "body"),
        ["an empty body"] = Post(Trades, "", "request.invalid", "body"),
        ["white space"] = Post(Trades, "  \n", "request.invalid", "body"),
        ["null"] = Post(Trades, "null", "request.invalid", "body"),
        ["a number"] = Post(Trades, "12", "request.invalid", "body"),
        ["a text"] = Post(Trades, "\"buy\"", "request.invalid", "body"),
        ["an array"] = Post(Trades, "[]", "request.invalid", "body"),
        ["half a body"] = Post(Trades, """{"side":"buy",""", "request.invalid"),
        ["two bodies"] = Post(Trades, "{}{}", "request.invalid"),
        ["a comment"] = Post(Trades, "{/* hi */}", "request.invalid"),
        ["a trailing comma"] = Post(Trades, """{"side":"buy",}""", "request.invalid"),
        ["nesting without end"] = Post(Trades, new string('[', 5000), "request.invalid"),
        ["invalid UTF-8"] = Post(Trades, "{\"side\":\"\u00ff\"}", "request.invalid", ContentType: "latin1"),
        ["an unknown field"] = Post(Trades, """{"side":"buy","price":"1"}""", "request.invalid", "price"),
        ["a field in other case"] = Post(Trades, """{"Side":"buy"}""", "request.invalid", "Side"),
        ["a field twice"] = Post(Trades, """{"side":"buy","side":"sell"}""", "request.invalid", "side"),
        ["one megabyte"] = Post(Trades, $$"""{"side":"{{new string('b', 1 << 20)}}"}""", "request.too_large") with { Status = 413 },
        ["a form"] = Post(Trades, "side=buy", "request.not_json", ContentType: "application/x-www-form-urlencoded") with { Status = 415 },
        ["plain text"] = Post(Trades, "{}", "request.not_json", ContentType: "text/plain") with { Status = 415 },

        // Amounts.
        ["amount as a number"] = Buy("12.5", quoted: false),
        ["amount as a boolean"] = Buy("true", quoted: false),
        ["amount as an array"] = Buy("[\"1\"]", quoted: false),
        ["amount as an object"] = Buy("{\"value\":\"1\"}", quoted: false),
        ["no amount"] = Buy("null", quoted: false),
        ["empty amount"] = Buy(""),
        ["negative amount"] = Buy("-1"),
        ["amount with a plus"] = Buy("+1"),
        ["nine decimals"] = Buy("0.000000001"),
        ["an exponent"] = Buy("1e3"),
        ["leading zeros"] = Buy("007"),
        ["beyond the range"] = Buy("10000000000"),
        ["far beyond the range"] = Buy(new string('9', 400)),
        ["NaN"] = Buy("NaN"),
        ["infinity"] = Buy("Infinity"),
        ["a comma"] = Buy("1,5"),
        ["a space"] = Buy(" 1"),
        ["no digits before the point"] = Buy(".5"),
        ["no digits after the point"] = Buy("5."),
        ["two points"] = Buy("1.2.3"),
        ["hexadecimal"] = Buy("0x10"),
        ["other digits"] = Buy("١٢"),
        ["amount zero"] = Buy("0") with { Status = 422, Code = "trading.amount_too_small", Field = null },

        // Trades.
        ["no side"] = Post(Trades, """{"outcome":"YES","amount":"1","account":"ana"}""", "request.invalid", "side"),
        ["an unknown side"] = Post(Trades, """{"side":"BUY","outcome":"YES","amount":"1","account":"ana"}""", "request.invalid", "side"),
        ["no outcome"] = Post(Trades, """{"side":"buy","amount":"1","account":"ana"}""", "request.invalid", "outcome"),
        ["an unknown outcome"] = Post(Trades, """{"side":"buy","outcome":"yes","amount":"1","account":"ana"}""", "trading.unknown_outcome", "outcome"),
        ["an endless outcome"] = Post(Trades, $$"""{"side":"buy","outcome":"{{new string('Y', 61)}}","amount":"1","account":"ana"}""", "request.invalid", "outcome"),
        ["an outcome with U+0000"] = Post(Trades, """{"side":"buy","outcome":"YES\u0000","amount":"1","account":"ana"}""", "request.invalid", "outcome"),
        ["an outcome with half a pair"] = Post(Trades, """{"side":"buy","outcome":"\ud800","amount":"1","account":"ana"}""", "request.invalid", "outcome"),
        ["a purchase with shares"] = Post(Trades, """{"side":"buy","outcome":"YES","amount":"1","shares":"1","account":"ana"}""", "request.invalid", "shares"),
        ["a sale with an amount"] = Post(Trades, """{"side":"sell","outcome":"YES","amount":"1","shares":"1","account":"ana"}""", "request.invalid", "amount"),
        ["a purchase with a least return"] = Post(Trades, """{"side":"buy","outcome":"YES","amount":"1","minReturn":"1","account":"ana"}""", "request.invalid", "minReturn"),
        ["nobody's trade"] = Post(Trades, """{"side":"buy","outcome":"YES","amount":"1"}""", "request.invalid", "account"),
        ["an unknown account's trade"] = Post(Trades, """{"side":"buy","outcome":"YES","amount":"1","account":"ghost"}""", "accounts.not_found", "account") with { Status = 404 },
        ["an account with an e-mail's name"] = Post(Trades, """{"side":"buy","outcome":"YES","amount":"1","account":"ana@example.org"}""", "request.invalid", "account"),
        ["more than the account has"] = Post(Trades, """{"side":"buy","outcome":"YES","amount":"1000.00000001","account":"ana"}""", "accounts.insufficient_funds", "amount") with { Status = 422 },
        ["more shares than held"] = Post(Trades, """{"side":"sell","outcome":"YES","shares":"1","account":"ana"}""", "trading.insufficient_shares", "shares") with { Status = 422 },
        ["fewer shares than wanted"] = Post(Trades, """{"side":"buy","outcome":"YES","amount":"1","minShares":"3","account":"ana"}""", "trading.slippage", "minShares") with { Status = 422 },
        ["a price beyond its bounds"] = Post(Trades, """{"side":"buy","outcome":"YES","amount":"90000","account":"house"}""", "trading.price_out_of_bounds") with { Status = 422 },
        ["a trade on an unknown market"] = Post("/v2/markets/ghost/trades", """{"side":"buy","outcome":"YES","amount":"1","account":"ana"}""", "markets.not_found", "id") with { Status = 404 },
        ["a trade on a closed market"] = Post("/v2/markets/closed/trades", """{"side":"buy","outcome":"YES","amount":"1","account":"ana"}""", "markets.closed") with { Status = 409 },
        ["a trade on a halted market"] = Post("/v2/markets/halted/trades", """{"side":"buy","outcome":"YES","amount":"1","account":"ana"}""", "markets.halted") with { Status = 409 },
        ["a market id with a slash"] = Post("/v2/markets/a%2Fb/trades", """{"side":"buy","outcome":"YES","amount":"1","account":"ana"}""", "request.invalid", "id"),
        ["a market id with an emoji"] = Post("/v2/markets/%F0%9F%98%80/trades", """{"side":"buy","outcome":"YES","amount":"1","account":"ana"}""", "request.invalid", "id"),
        ["a market id of 65 characters"] = Post($"/v2/markets/{Long}/trades", """{"side":"buy","outcome":"YES","amount":"1","account":"ana"}""", "request.invalid", "id"),

        // Liquidity.
        ["an unknown op"] = Post(Liquidity, """{"op":"burn","amount":"1","account":"ana"}""", "request.invalid", "op"),
        ["add without amount"] = Post(Liquidity, """{"op":"add","account":"ana"}""", "request.invalid", "amount"),
        ["add with lpShares"] = Post(Liquidity, """{"op":"add","amount":"1","lpShares":"1","account":"ana"}""", "request.invalid", "lpShares"),
        ["remove with amount"] = Post(Liquidity, """{"op":"remove","amount":"1","lpShares":"1","account":"ana"}""", "request.invalid", "amount"),
        ["remove what is not there"] = Post(Liquidity, """{"op":"remove","lpShares":"1","account":"ana"}""", "trading.insufficient_lp", "lpShares") with { Status = 422 },
        ["remove all"] = Post(Liquidity, """{"op":"remove","lpShares":"10000","account":"house"}""", "trading.reserve_below_min") with { Status = 422 },
        ["add nothing"] = Post(Liquidity, """{"op":"add","amount":"0","account":"ana"}""", "trading.amount_too_small") with { Status = 422 },

        // Markets.
        ["a market without a template"] = Create("""{"question":"Will it?","account":"house","liquidity":"100"}""", "request.invalid", "template"),
        ["an unknown template"] = Create(Terms(template: "TPL-NONE-01"), "templates.not_found", "template") with { Status = 404 },
        ["no question"] = Create("""{"template":"TPL-YESNO-01","account":"house","liquidity":"100"}""", "request.invalid", "question"),
        ["a short question"] = Create(Terms(question: "??"), "markets.invalid", "question"),
        ["a question that starts with a space"] = Create(Terms(question: " Will it?"), "markets.invalid", "question"),
        ["a question with a line feed"] = Create(Terms(question: "Will\\nit?"), "request.invalid", "question"),
        ["a question with half a pair"] = Create(Terms(question: "Will it \\udc00?"), "request.invalid", "question"),
        ["little liquidity"] = Create(Terms(liquidity: "99.99999999"), "markets.invalid", "liquidity"),
        ["liquidity that nobody has"] = Create(Terms(liquidity: "9999999999"), "accounts.insufficient_funds", "amount") with { Status = 422 },
        ["a probability of nothing"] = Create(Terms(""","probability":"0" """), "request.invalid", "probability"),
        ["a probability of one"] = Create(Terms(""","probability":"1" """), "request.invalid", "probability"),
        ["a probability below a cent"] = Create(Terms(""","probability":"0.009" """), "markets.invalid", "probability"),
        ["both probability and probabilities"] = Create(Terms(""","probability":"0.5","probabilities":["0.5","0.5"]"""), "request.invalid", "probability"),
        ["probabilities that do not add up"] = Create(Terms(""","probabilities":["0.5","0.49999999"]"""), "markets.invalid", "probability"),
        ["three probabilities for two outcomes"] = Create(Terms(""","probabilities":["0.5","0.25","0.25"]"""), "markets.invalid", "probability"),
        ["one probability in a list"] = Create(Terms(""","probabilities":["1"]"""), "request.invalid", "probabilities"),
        ["null in a list of probabilities"] = Create(Terms(""","probabilities":["0.5",null]"""), "request.invalid", "probabilities[1]"),
        ["numbers in a list of probabilities"] = Create(Terms(""","probabilities":[0.5,0.5]"""), "request.invalid", "probabilities[0]"),
        ["a closing time in the past"] = Create(Terms(""","closesAt":"2020-01-01T00:00:00Z" """), "markets.invalid", "closesAt"),
        ["a closing time in the next century"] = Create(Terms(""","closesAt":"2126-01-01T00:00:00Z" """), "markets.invalid", "closesAt"),
        ["a closing time that is no time"] = Create(Terms(""","closesAt":"tomorrow" """), "request.invalid", "closesAt"),
        ["a closing time elsewhere"] = Create(Terms(""","closesAt":"2027-01-01T00:00:00+03:00" """), "request.invalid", "closesAt"),
        ["a closing time as a number"] = Create(Terms(""","closesAt":1767225600"""), "request.invalid", "closesAt"),
        ["an unknown rule set"] = Create(Terms(""","ruleset":"mine" """), "markets.unknown_ruleset", "ruleset"),
        ["an unknown parameter"] = Create(Terms(""","params":{"lower":"0"}"""), "markets.invalid", "params.lower"),
        ["a parameter that is an object"] = Create(Terms(""","params":{"feePpm":{}}"""), "request.invalid", "params.feePpm"),
        ["a parameter that is null"] = Create(Terms(""","params":{"feePpm":null}"""), "request.invalid", "params.feePpm"),
        ["a parameter twice"] = Create(Terms(""","params":{"feePpm":1,"feePpm":2}"""), "request.invalid"),
        ["a parameter with half a pair"] = Create(Terms(""","params":{"truthTable":"\ud800"}"""), "request.invalid", "params.truthTable"),
        ["a list of halves of pairs"] = Create(Terms(""","params":{"outcomes":["a","\ud800"]}"""), "request.invalid", "params.outcomes[1]"),
        ["a list with a comma in it"] = Create(Terms(""","params":{"outcomes":["a","b\u002cc"]}"""), "request.invalid", "params.outcomes"),
        ["a parameter's name with half a pair"] = Create(Terms(""","params":{"\ud800":"1"}"""), "request.invalid"),
        ["a fee too high"] = Create(Terms(""","params":{"feePpm":100001}"""), "markets.invalid", "params.feePpm"),
        ["a fee of half a millionth"] = Create(Terms(""","params":{"feePpm":0.5}"""), "markets.invalid", "params.feePpm"),
        ["a scalar market without bounds"] = Create(Terms(template: "TPL-SCALAR-01"), "markets.invalid", "params.lower"),
        ["a scalar market upside down"] = Create(Terms(""","params":{"lower":"2","upper":"1"}""", template: "TPL-SCALAR-01"), "markets.invalid", "params.upper"),
        ["outcomes twice"] = Create(Terms(""","params":{"outcomes":"A,A"}""", template: "TPL-CATEGORICAL-01"), "markets.invalid", "params.outcomes"),
        ["one outcome"] = Create(Terms(""","params":{"outcomes":"A"}""", template: "TPL-CATEGORICAL-01"), "markets.invalid", "params.outcomes"),
        ["seventeen outcomes"] = Create(Terms(""","params":{"outcomes":"A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q"}""", template: "TPL-CATEGORICAL-01"), "markets.invalid", "params.outcomes"),
        ["the outcome INVALID"] = Create(Terms(""","params":{"outcomes":"A,INVALID"}""", template: "TPL-CATEGORICAL-01"), "markets.invalid", "params.outcomes"),
        ["a source that is not there"] = Create(Terms(""","params":{"truthSource":"delphi"}"""), "markets.invalid", "params.truthSource"),
        ["a table without a name"] = Create(Terms(""","params":{"truthSource":"table"}"""), "markets.invalid", "params.truthTable"),
        ["an id with a space"] = Create(Terms(""","id":"a b" """), "request.invalid", "id"),
        ["an id that is taken"] = Create(Terms(""","id":"open" """), "markets.already_exists", "id") with { Status = 409 },
        ["the outcome TOO_EARLY"] = Create(Terms(""","params":{"outcomes":"A,TOO_EARLY"}""", template: "TPL-CATEGORICAL-01"), "markets.invalid", "params.outcomes"),
        ["params that are a list"] = Create(Terms(""","params":[]"""), "request.invalid", "params"),

        // The life of a market.
        ["a second close"] = Post("/v2/markets/closed/close", "{}", "markets.already_closed") with { Status = 409 },
        ["a close of nothing"] = Post("/v2/markets/ghost/close", "{}", "markets.not_found", "id") with { Status = 404 },
        ["a halt of what is closed"] = Post("/v2/markets/closed/halt", "{}", "markets.already_closed") with { Status = 409 },
        ["an unknown halt"] = Post("/v2/markets/open/halt", """{"level":"none"}""", "request.invalid", "level"),
        ["a reason without end"] = Post("/v2/markets/open/close", $$"""{"reason":"{{new string('r', 201)}}"}""", "request.invalid", "reason"),
        ["a reason with U+0000"] = Post("/v2/markets/open/close", """{"reason":"a\u0000b"}""", "request.invalid", "reason"),
        ["a resumption without a halt"] = Post("/v2/markets/open/resume", "{}", "markets.not_halted") with { Status = 409 },
        ["a resolution while people trade"] = Post("/v2/markets/open/resolution/start", "{}", "resolution.market_not_closed") with { Status = 409 },
        ["a proposal before the start"] = Post("/v2/markets/closed/resolution/manual", """{"value":"YES","evidenceUri":"https://example.org"}""", "resolution.not_started") with { Status = 409 },
        ["an approval of nothing"] = Post("/v2/markets/collecting/resolution/manual/approve", "{}", "resolution.nothing_proposed") with { Status = 409 },
        ["a value that the market cannot have"] = Post("/v2/markets/collecting/resolution/manual", """{"value":"MAYBE","evidenceUri":"https://example.org"}""", "resolution.bad_value", "value"),
        ["a value without evidence"] = Post("/v2/markets/collecting/resolution/manual", """{"value":"YES"}""", "request.invalid", "evidenceUri"),
        ["evidence on somebody's disk"] = Post("/v2/markets/collecting/resolution/manual", """{"value":"YES","evidenceUri":"file:///etc/passwd"}""", "resolution.evidence_needed", "evidenceUri"),
        ["a start with a field"] = Post("/v2/markets/collecting/resolution/start", """{"force":true}""", "request.invalid", "force"),
        ["a resolution of an id with a slash"] = Post("/v2/markets/a%2Fb/resolution/start", "{}", "markets.not_found", "id") with { Status = 404 },
        ["a fact without a value"] = Post(Truth, """{"evidenceUri":"https://example.org"}""", "request.invalid", "value"),
        ["a fact with evidence on somebody's disk"] = Post(Truth, """{"value":"1","evidenceUri":"file:///tmp/x"}""", "resolution.evidence_needed", "evidenceUri"),
        ["a fact in a bad table"] = Post("/v2/truth/a%20b/key", """{"value":"1","evidenceUri":"https://example.org"}""", "request.invalid", "table"),
        ["a fact under a bad key"] = Post("/v2/truth/table/%C3%A9", """{"value":"1","evidenceUri":"https://example.org"}""", "request.invalid", "key"),
        ["a fact that is otherwise already"] = Post("/v2/truth/table/known", """{"value":"2","evidenceUri":"https://example.org"}""", "truth.already_recorded", "value") with { Status = 409 },

        // Accounts.
        ["an account without an id"] = Post("/v2/accounts", "{}", "request.invalid", "id"),
        ["an account's id of 65 characters"] = Post("/v2/accounts", $$"""{"id":"{{Long}}"}""", "request.invalid", "id"),
        ["an account's id with an emoji"] = Post("/v2/accounts", """{"id":"😀"}""", "request.invalid", "id"),
        ["an account's id that starts with a hyphen"] = Post("/v2/accounts", """{"id":"-a"}""", "request.invalid", "id"),
        ["an account's id as a number"] = Post("/v2/accounts", """{"id":7}""", "request.invalid", "id"),
        ["an account with an operator's id"] = Post("/v2/accounts", """{"id":"op-1"}""", "accounts.reserved_id", "id"),
        ["an account with a worker's id"] = Post("/v2/accounts", """{"id":"Worker:clock"}""", "accounts.reserved_id", "id"),
        ["a grant of nothing"] = Post(Credits, """{"amount":"0"}""", "accounts.amount_is_zero", "amount"),
        ["a grant beyond the range"] = Post(Credits, """{"amount":"9999999999.99999999"}""", "accounts.balance_too_large", "amount") with { Status = 422 },
        ["a grant to nobody"] = Post("/v2/accounts/ghost/credits", """{"amount":"1"}""", "accounts.not_found", "account") with { Status = 404 },
        ["a grant without an amount"] = Post(Credits, """{"reason":"x"}""", "request.invalid", "amount"),
        ["a key without scopes"] = Post("/v2/accounts/ana/keys", """{"scopes":[]}""", "request.invalid", "scopes"),
        ["a key with an unknown scope"] = Post("/v2/accounts/ana/keys", """{"scopes":["admin"]}""", "request.invalid", "scopes"),
        ["a key with one scope twice"] = Post("/v2/accounts/ana/keys", """{"scopes":["read","read"]}""", "request.invalid", "scopes"),
        ["a key with a null scope"] = Post("/v2/accounts/ana/keys", """{"scopes":[null]}""", "request.invalid", "scopes"),
        ["a key under an idempotency key"] = Post("/v2/accounts/ana/keys", """{"scopes":["read"]}""", "request.invalid", "Idempotency-Key") with { Idempotency = "k" },
        ["the end of an unknown key"] = new("DELETE", "/v2/accounts/ana/keys/k_none", null, 404, "accounts.key_not_found", "keyId"),

        // Templates.
        ["a template of no kind"] = Post("/v2/templates", """{"id":"T","name":"Name","category":"c","kind":"odd"}""", "request.invalid", "kind"),
        ["a template with a high fee"] = Post("/v2/templates", """{"id":"T","name":"Name","category":"c","kind":"binary","maxFeePpm":100001}""", "templates.invalid", "feePpm"),
        ["a template with a fee as a text"] = Post("/v2/templates", """{"id":"T","name":"Name","category":"c","kind":"binary","feePpm":"1"}""", "request.invalid", "feePpm"),
        ["a template with an endless number"] = Post("/v2/templates", """{"id":"T","name":"Name","category":"c","kind":"binary","feePpm":1e400}""", "request.invalid", "feePpm"),
        ["a template that resolves for a year"] = Post("/v2/templates", """{"id":"T","name":"Name","category":"c","kind":"binary","resolutionWindowMinutes":525600}""", "templates.invalid", "resolutionWindow"),
        ["a template that trades for no time"] = Post("/v2/templates", """{"id":"T","name":"Name","category":"c","kind":"binary","tradingWindowMinutes":0}""", "request.invalid", "tradingWindowMinutes"),
        ["a template that trades for ever"] = Post("/v2/templates", """{"id":"T","name":"Name","category":"c","kind":"binary","tradingWindowMinutes":9223372036854775807}""", "request.invalid", "tradingWindowMinutes"),

        // Reads.
        ["an unknown market"] = Get("/v2/markets/ghost", 404, "markets.not_found", "id"),
        ["an unknown market with a slash"] = Get("/v2/markets/a%2Fb", 404, "markets.not_found", "id"),
        ["an unknown market with an emoji"] = Get("/v2/markets/%F0%9F%98%80", 404, "markets.not_found", "id"),
        ["an unknown market with broken UTF-8"] = Get("/v2/markets/%FF", 404, "markets.not_found", "id"),
        ["a page of none"] = Get("/v2/markets?limit=0", 400, "request.invalid", "limit"),
        ["a page of all"] = Get("/v2/markets?limit=1001", 400, "request.invalid", "limit"),
        ["a page of some"] = Get("/v2/markets?limit=ten", 400, "request.invalid", "limit"),
        ["a cursor of somebody else"] = Get("/v2/markets?cursor=abc", 400, "request.invalid", "cursor"),
        ["a cursor below nothing"] = Get("/v2/markets/open/events?cursor=-1", 400, "request.invalid", "cursor"),
        ["a cursor beyond everything"] = Get("/v2/markets/open/events?cursor=99999999999999999999", 400, "request.invalid", "cursor"),
        ["a time that is none"] = Get("/v2/markets/open?at=noon", 400, "request.invalid", "at"),
        ["a position below nothing"] = Get("/v2/markets/open?at=-1", 400, "request.invalid", "at"),
        ["a market before it was"] = Get("/v2/markets/open?at=0", 404, "markets.not_found", "id"),
        ["an account before it was"] = Get("/v2/accounts/ana?at=2001-01-01T00:00:00Z", 404, "accounts.not_found", "account"),
        ["an account at no time"] = Get("/v2/accounts/ana?at=", 400, "request.invalid", "at"),
        ["an average at no time"] = Get("/v2/markets/open/twap?at=soon", 400, "request.invalid", "at"),
        ["an average before there was a price"] = Get("/v2/markets/open/twap?at=1", 404, "markets.not_found", "id"),
        ["a position to wait for that is none"] = Get("/v2/markets?min_position=next", 400, "request.invalid", "min_position"),
        ["a position to wait for below nothing"] = Get("/v2/accounts/ana?min_position=-1", 400, "request.invalid", "min_position"),
        ["a quote without an amount"] = Get("/v2/markets/open/quote?side=buy&outcome=YES", 400, "request.invalid", "amount"),
        ["a quote for nothing"] = Get("/v2/markets/open/quote?side=hold&outcome=YES&amount=1", 400, "request.invalid", "side"),
        ["a quote of what is not"] = Get("/v2/markets/open/quote?side=sell&outcome=MAYBE&amount=1", 400, "trading.unknown_outcome", "outcome"),
        ["a quote for more than there is"] = Get("/v2/markets/open/quote?side=sell&outcome=YES&amount=9999999999", 422, "trading.insufficient_shares", "shares"),
        ["a quote of no shares"] = Get("/v2/markets/open/quote?side=sell&outcome=YES&shares=0", 422, "trading.amount_too_small"),
        ["an unknown account"] = Get("/v2/accounts/ghost", 404, "accounts.not_found", "account"),
        ["an unknown account's positions"] = Get("/v2/accounts/ghost/positions", 404, "accounts.not_found", "account"),

        // Routes and methods.
        ["an unknown route"] = Get("/v2/nothing", 404, "request.unknown_route"),
        ["an older API"] = Get("/v1/markets", 404, "request.unknown_route"),
        ["a PUT"] = new("PUT", "/v2/markets/open", "{}", 405, "request.method_not_allowed"),
        ["a DELETE"] = new("DELETE", "/v2/markets/open", null, 405, "request.method_not_allowed"),
        ["a GET of what is posted"] = Get("/v2/markets/open/liquidity", 405, "request.method_not_allowed"),

        // Keys.
        ["no key"] = Get("/v2/markets", 401, "auth.key_missing") with { Key = "" },
        ["an unknown key"] = Get("/v2/markets", 401, "auth.key_unknown") with { Key = "wrong" },
        ["an endless key"] = Get("/v2/markets", 401, "auth.key_unknown") with { Key = new string('k', 8000) },
        ["no key and a bad body"] = Post(Trades, "{", "auth.key_missing") with { Key = "", Status = 401 },
        ["a trader at an operator's route"] = Post("/v2/accounts", """{"id":"mine"}""", "auth.operators_only") with { Key = "ana", Status = 403 },
        ["a trader's bad body at an operator's route"] = Post("/v2/accounts", "{", "auth.operators_only") with { Key = "ana", Status = 403 },
        ["a trader's grant"] = Post(Credits, """{"amount":"1"}""", "auth.operators_only") with { Key = "ana", Status = 403 },
        ["a trader's close"] = Post("/v2/markets/open/close", "{}", "auth.operators_only") with { Key = "ana", Status = 403 },
        ["a trade for somebody else"] = Post(Trades, """{"side":"buy","outcome":"YES","amount":"1","account":"house"}""", "auth.not_your_account") with { Key = "ana", Status = 403 },
        ["liquidity of somebody else"] = Post(Liquidity, """{"op":"remove","lpShares":"1","account":"house"}""", "auth.not_your_account") with { Key = "ana", Status = 403 },
        ["somebody else's balance"] = Get("/v2/accounts/house", 403, "auth.not_your_account") with { Key = "ana" },
        ["somebody else's positions"] = Get("/v2/accounts/house/positions", 403, "auth.not_your_account") with { Key = "ana" },
        ["an empty idempotency key"] = Open("", "idempotency.bad_key"),
        ["an idempotency key with a space"] = Open("a b", "idempotency.bad_key"),
        ["an idempotency key that is too long"] = Open(new string('k', 201), "idempotency.bad_key"),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task It_is_refused_with_its_code_and_nothing_is_written(string name)
    {
        var asked = Cases[name];
        var head = await ground.StoreHeadAsync();
        var answer = await ground.As(asked.Key).SendAsync(new HttpMethod(asked.Method), asked.Path, Content(asked), asked.Idempotency);

        Assert.Equal((asked.Status, asked.Code), (answer.Status, answer.Code ?? answer.ToString()));
        Assert.Equal("application/problem+json", answer.ContentType);
        Assert.Equal(asked.Status, (int)answer.Json["status"]!);
        if (asked.Field is { } field)
        {
            Assert.Equal(field, (string?)answer.Json["errors"]?[0]?["field"]);
        }

        Assert.Empty(await ground.WrittenAfterAsync(head));
    }

    private static ByteArrayContent? Content(Case asked)
    {
        if (asked.Body is null)
        {
            return null;
        }

        var content = new ByteArrayContent((asked.ContentType == "latin1" ? Encoding.Latin1 : Encoding.UTF8).GetBytes(asked.Body));
        content.Headers.ContentType = new MediaTypeHeaderValue(asked.ContentType == "latin1" ? Json : asked.ContentType);
        return content;
    }

    private static Case Post(string path, string? body, string code, string? field = null, string ContentType = Json) =>
        new("POST", path, body, 400, code, field, ContentType: ContentType);

    private static Case Get(string path, int status, string code, string? field = null) => new("GET", path, null, status, code, field);

    private static Case Buy(string amount, bool quoted = true) => Post(
        Trades, $$"""{"side":"buy","outcome":"YES","amount":{{(quoted ? $"\"{amount}\"" : amount)}},"account":"ana"}""", "request.invalid",
        quoted || amount == "null" || !amount.StartsWith('{') ? "amount" : null);

    private static Case Create(string body, string code, string? field = null) => Post(Market, body, code, field);

    private static Case Open(string idempotencyKey, string code) => Post("/v2/accounts", """{"id":"fresh"}""", code, "Idempotency-Key") with { Idempotency = idempotencyKey };

    private static string Terms(string more = "", string template = "TPL-YESNO-01", string question = "Will it rain?", string liquidity = "100") =>
        string.Create(CultureInfo.InvariantCulture, $$"""{"template":"{{template}}","question":"{{question}}","account":"house","liquidity":"{{liquidity}}"{{more}}}""");

    /// <summary>A host with a market in each phase, two accounts and a trader's key.</summary>
    public sealed class Ground : IAsyncLifetime
    {
        private readonly HostFixture _fixture = new();
        private readonly Dictionary<string, Api> _clients = [];

        public Api Api => _fixture.Api;

        public Api As(string key) => key switch
        {
            "op" => Api,
            "ana" => _clients["ana"],
            _ => _clients.TryGetValue(key, out var known) ? known : _clients[key] = Api.As(key.Length == 0 ? null : key),
        };

        public Task<long> StoreHeadAsync() => _fixture.Host.Database.Store.HeadAsync(CancellationToken.None);

        /// <summary>Everything but the benchmark that each full minute brings.</summary>
        public async Task<IReadOnlyList<string>> WrittenAfterAsync(long head)
        {
            List<string> written = [];
            await foreach (var stored in _fixture.Host.Database.Store.ReadAllAsync(head, CancellationToken.None))
            {
                written.Add(stored.Type);
            }

            return [.. written.Where(type => type != "twap_recomputed")];
        }

        public async Task InitializeAsync()
        {
            await _fixture.InitializeAsync();
            await Api.AccountAsync("house", "200000");
            await Api.AccountAsync("ana", "1000");
            foreach (var id in new[] { "open", "closed", "halted", "collecting" })
            {
                // Under "default" a resolution starts with the close.
                await Api.MarketAsync("house", new { id, ruleset = id == "closed" ? "replay" : "default" });
            }

            (await Api.PostAsync("/v2/markets/closed/close")).Ok();
            (await Api.PostAsync("/v2/markets/halted/halt")).Ok();
            (await Api.PostAsync("/v2/markets/collecting/close")).Ok();
            (await Api.PostAsync("/v2/markets/collecting/resolution/start")).Ok();
            (await Api.PostAsync("/v2/truth/table/known", new { value = "1", evidenceUri = "https://example.org" })).Ok();
            _clients["ana"] = Api.As((await Api.PostAsync("/v2/accounts/ana/keys", new { scopes = new[] { "trade", "read" } })).Ok()["apiKey"]);
            await Api.GetAsync("/v2/markets");
        }

        public async Task DisposeAsync()
        {
            foreach (var client in _clients.Values)
            {
                client.Dispose();
            }

            await _fixture.DisposeAsync();
        }
    }
}
