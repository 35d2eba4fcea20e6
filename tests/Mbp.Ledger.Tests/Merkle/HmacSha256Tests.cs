using System.Security.Cryptography;
using Mbp.Ledger.Merkle;
using Xunit;

namespace Mbp.Ledger.Tests.Merkle;

public sealed class HmacSha256Tests
{
    [Fact]
    public void It_says_what_the_runtime_says_for_every_length_of_key_and_message()
    {
        var random = new Random(4_231);
        for (var i = 0; i < 500; i++)
        {
            var (key, message) = (new byte[random.Next(1, 65)], new byte[random.Next(0, 400)]);
            random.NextBytes(key);
            random.NextBytes(message);
            var mac = new byte[HmacSha256.Size];
            HmacSha256.Compute(key, [.. new byte[HmacSha256.Before], .. message], mac);
            Assert.Equal(HMACSHA256.HashData(key, message), mac);
        }
    }

    [Fact]
    public void A_key_longer_than_a_block_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => HmacSha256.Compute(new byte[65], new byte[64], new byte[32]));
}
