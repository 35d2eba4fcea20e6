using System.Security.Cryptography;
using Mbp.Ledger.Merkle;
using Xunit;

namespace Mbp.Ledger.Tests.Merkle;

public sealed class Sha256Tests
{
    [Fact]
    public void It_says_what_the_runtime_says_for_every_length()
    {
        var data = new byte[5_000];
        new Random(4_232).NextBytes(data);
        var hash = new byte[Sha256.Size];
        for (var length = 0; length <= data.Length; length++)
        {
            Sha256.Hash(data.AsSpan(0, length), hash);
            Assert.Equal(SHA256.HashData(data.AsSpan(0, length)), hash);
        }
    }

    [Fact]
    public void A_place_that_is_too_small_is_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => Sha256.Hash([1], new byte[31]));
}
