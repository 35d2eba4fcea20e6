using System.Numerics;
using System.Text.Json;
using CsvHelper;
using Mbp.Cli.Files;
using Mbp.Cli.Pricing;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Cli.Abuse;

/// <summary>Reads orders (docs/abuse-simulation.md): a JSON list, or a CSV history of trades. What is wrong is named by entry and field.</summary>
internal static class OrderFile
{
    private const int MostOrders = 5_000_000;

    /// <summary>In time order; of several at one instant the file's order holds.</summary>
    public static IReadOnlyList<Order> Read(string file)
    {
        var isCsv = file.EndsWith(".csv", StringComparison.OrdinalIgnoreCase) || file.EndsWith(".csv.gz", StringComparison.OrdinalIgnoreCase);
        var orders = new List<Order>();
        var prices = new Dictionary<(MarketId, string), Price>();
        // A price that is given alone is the one after the order; the one before it is the last one's. So the order of time comes first.
        foreach (var entry in (isCsv ? Rows(file) : Entries(file)).OrderBy(entry => entry.At))
        {
            var order = entry.Order();
            var key = (order.Market, order.Outcome);
            orders.Add(order.Before is null && order.After is not null && prices.TryGetValue(key, out var last) ? order with { Before = last } : order);
            if (order.After is { } after)
            {
                prices[key] = after;
            }

            if (orders.Count > MostOrders)
            {
                throw new EnvironmentException($"{file} has more than {MostOrders} orders.");
            }
        }

        return orders;
    }

    private static List<Entry> Entries(string file)
    {
        using var stream = File.OpenRead(file);
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(stream);
        }
        catch (JsonException e)
        {
            throw new EnvironmentException($"{file} is no JSON: {e.Message}");
        }

        using (document)
        {
            var list = document.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("orders", out var orders) ? orders : document.RootElement;
            if (list.ValueKind != JsonValueKind.Array)
            {
                throw new EnvironmentException($"{file} is neither a list of orders nor an object with 'orders'.");
            }

            return [.. list.EnumerateArray().Select((item, i) => item.ValueKind == JsonValueKind.Object
                ? new Entry($"{file}, order {i + 1}", Fields(item, $"{file}, order {i + 1}"))
                : throw new EnvironmentException($"{file}, order {i + 1}: it is no object."))];
        }
    }

    private static Dictionary<string, string> Fields(JsonElement item, string where)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var field in item.EnumerateObject())
        {
            // What the rules do not look at may have any shape.
            var text = field.Value.ValueKind switch
            {
                JsonValueKind.String => field.Value.GetString(),
                JsonValueKind.Number => field.Value.GetRawText(),
                _ => null,
            };
            if (text is not null && !fields.TryAdd(field.Name, text))
            {
                throw new EnvironmentException($"{where}: '{field.Name}' is there twice.");
            }
        }

        return fields;
    }

    private static List<Entry> Rows(string file)
    {
        using var csv = CsvFile.Open(file);
        CsvFile.Require(csv, file, "ts", "market_id", "side", "outcome");
        var rows = new List<Entry>();
        while (csv.Read())
        {
            rows.Add(new Entry($"{file}, line {csv.LineNumber}", csv.Headers.ToDictionary(header => header, header => Cell(csv, header, file), StringComparer.Ordinal)));
        }

        return rows;
    }

    // Histories have more decimals than the ledger, and exponents; what is beyond the ledger's 8 is cut off.
    private static string Cell(CsvReader csv, string header, string file) => header is "shares" or "amount" or "price" && csv.GetString(header).Length > 0
        ? Cut(PriceFile.Price(csv, file, header))
        : csv.GetString(header);

    private static string Cut(ExactDecimal number) => ExactDecimal.Floor(number.Digits, BigInteger.Pow(10, number.Scale), 8);

    /// <summary>One order as it is written.</summary>
    private sealed class Entry(string where, Dictionary<string, string> fields)
    {
        private delegate bool Parser<T>(string? text, out T value, out string? rule);

        public Instant At { get; } = Time(where, fields);

        public Order Order()
        {
            var shares = Number<Shares>(Shares.TryParse, "shares", "qty", "size") ?? throw Fault("shares", "is missing");
            var price = Number<Price>(Price.TryParse, "price");
            var amount = Number<Credits>(Credits.TryParse, "amount")
                ?? (price is { } each ? Product(each, shares) : throw Fault("amount", "is missing, and so is price"));
            return new Order(
                At, new MarketId(Id("market", "market_id")), new AccountId(Id("account", "user", "trader", "trader_id")), Side(), Text("outcome") is { Length: > 0 } outcome ? outcome : "YES", shares, amount,
                Number<Price>(Price.TryParse, "price_before"), Number<Price>(Price.TryParse, "price_after") ?? price);
        }

        private Credits Product(Price price, Shares shares) => (Int128)price.Units * shares.Units / Decimal8.One is var units && units <= Decimal8.Max
            ? new Credits((long)units)
            : throw Fault("price", "times shares is too large");

        private static Instant Time(string where, Dictionary<string, string> fields)
        {
            var text = fields.GetValueOrDefault("ts") ?? throw new EnvironmentException($"{where}: ts is missing.");
            if (long.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var milliseconds) && milliseconds is >= 0 and < 253_402_300_800_000)
            {
                return FileTime.Checked(Instant.FromUnixTimeMilliseconds(milliseconds), text, $"{where}: ts ");
            }

            return OffsetDateTimePattern.Rfc3339.Parse(text) is { Success: true, Value: var value }
                ? FileTime.Checked(value.ToInstant(), text, $"{where}: ts ")
                : throw new EnvironmentException($"{where}: ts '{text}' is neither an RFC 3339 time nor milliseconds since 1970.");
        }

        private TradeSide Side() => Text("side") switch
        {
            "buy" or "BUY" => TradeSide.Buy,
            "sell" or "SELL" => TradeSide.Sell,
            null => throw Fault("side", "is missing"),
            var other => throw Fault("side", $"'{other}' is neither buy nor sell"),
        };

        private string Id(params string[] names)
        {
            var text = names.Select(Text).FirstOrDefault(text => text is not null) ?? throw Fault(names[0], "is missing");
            return Identifier.IsValid(text) ? text : throw Fault(names[0], $"'{text}' is not {Identifier.Rule}");
        }

        private T? Number<T>(Parser<T> parse, params string[] names)
            where T : struct
        {
            if (names.FirstOrDefault(name => !string.IsNullOrEmpty(Text(name))) is not { } name)
            {
                return null;
            }

            return parse(Text(name), out var value, out var rule) ? value : throw Fault(name, $"'{Text(name)}': {rule?.TrimEnd('.')}");
        }

        private string? Text(string name) => fields.GetValueOrDefault(name);

        private EnvironmentException Fault(string field, string rule) => new($"{where}: {field} {rule}.");
    }
}
