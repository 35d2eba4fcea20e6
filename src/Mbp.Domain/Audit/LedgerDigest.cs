using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Mbp.Domain.Accounts;
using Mbp.Domain.Trading;

namespace Mbp.Domain.Audit;

/// <summary>
/// One hash over every balance, pool and price, so that two who folded the ledger in different ways can compare everything at once. Ids are
/// taken in ordinal order, one line each; lines are UTF-8 and end with a line feed.
/// </summary>
public static class LedgerDigest
{
    /// <summary>SHA-256, lower-case hex.</summary>
    public static string Of(IEnumerable<KeyValuePair<AccountId, Account>> accounts, IEnumerable<KeyValuePair<string, Pool>> pools)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (id, account) in accounts.OrderBy(a => a.Key.Value, StringComparer.Ordinal))
        {
            Add(account is Account.Open open ? $"account {id} {open.Balance}" : $"account {id} unknown");
        }

        foreach (var (id, pool) in pools.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            Add(string.Create(
                CultureInfo.InvariantCulture,
                $"pool {id} {pool.Reserves} {pool.Locked} {pool.LpSupply} {pool.FeesCollected} {pool.FeesClaimed} {pool.Prices} {pool.Holders.Count}"));
            foreach (var (holder, held) in pool.Holders.OrderBy(h => h.Key.Value, StringComparer.Ordinal))
            {
                Add($"holder {holder} {held.Shares} {held.LpShares} {held.Paid} {held.Received}");
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Add(string line) => hash.AppendData(Encoding.UTF8.GetBytes(line + "\n"));
    }
}
