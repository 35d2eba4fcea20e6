using System.Collections.Concurrent;
using System.Numerics;

namespace Mbp.Host.Tests.Hosting;

/// <summary>Counts all the money that there is, by what the API shows.</summary>
internal sealed class Bank(Api api)
{
    private readonly ConcurrentBag<string> _accounts = [];
    private readonly List<string> _markets = [];
    private BigInteger _granted;

    public async Task<string> AccountAsync(string id, string amount)
    {
        await api.AccountAsync(id, amount);
        _accounts.Add(id);
        lock (_markets)
        {
            _granted += MarketBook.Units(amount);
        }

        return id;
    }

    public async Task<string> MarketAsync(string account, object? more = null)
    {
        var id = await api.MarketAsync(account, more);
        _markets.Add(id);
        return id;
    }

    public async Task<BigInteger> BalanceAsync(string account) => MarketBook.Units((await api.GetAsync($"/v2/accounts/{account}")).Ok()["balance"]);

    /// <summary>All balances + what open markets hold + what settled ones have left = all grants, to the unit (Q4.I2).</summary>
    public async Task CheckAsync()
    {
        var sum = BigInteger.Zero;
        foreach (var account in _accounts)
        {
            sum += MarketBook.Units((await api.GetAsync($"/v2/accounts/{account}")).Ok()["balance"]);
        }

        foreach (var market in _markets)
        {
            var settlement = (await api.GetAsync($"/v2/markets/{market}/resolution")).Ok().Json["settlement"];
            if (settlement is null)
            {
                var page = (await api.GetAsync($"/v2/markets/{market}")).Ok();
                sum += MarketBook.Units(page["locked"]) + MarketBook.Units(page["feePool"]);
            }
            else
            {
                sum += MarketBook.Units((string?)settlement["locked"]) + MarketBook.Units((string?)settlement["fees"]) - MarketBook.Units((string?)settlement["paid"]);
            }
        }

        Assert.Equal(_granted, sum);
    }
}
