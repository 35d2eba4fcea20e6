using Mbp.Ledger.Log;
using Xunit;

namespace Mbp.Ledger.Tests.Log;

public sealed class VerifierKeyTests
{
    [Theory]
    // From the documentation of Go's note package and of C2SP signed-note.
    [InlineData("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "PeterNeumann", 0xc74f20a3)]
    [InlineData("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "example.com/foo", 0x530d903a)]
    public void A_key_of_others_is_read_and_written_back(string vkey, string name, uint id)
    {
        var key = VerifierKey.Parse(vkey);
        Assert.Equal((name, id, VerifierKey.Ed25519Type, 32, vkey), (key.Name, key.KeyId, key.Type, key.PublicKey.Length, key.ToString()));
        Assert.Equal(key, new VerifierKey(name, VerifierKey.Ed25519Type, key.PublicKey));
    }

    [Fact]
    public void One_key_of_two_types_has_two_ids()
    {
        using var key = Keys.Private(1);
        var witness = Cosignature.KeyOf(Keys.Origin, key);
        Assert.NotEqual(Keys.Log.Key.KeyId, witness.KeyId);
        Assert.NotEqual(Keys.Log.Key, witness);
        Assert.Equal(witness, VerifierKey.Parse(witness.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("PeterNeumann")]
    [InlineData("PeterNeumann+c74f20a3")]
    // Another id, another name, the id in capitals and too short.
    [InlineData("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    [InlineData("PeterNewmann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    [InlineData("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    [InlineData("PeterNeumann+74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    // No name, a name with a space, a key that ends early, base64 with a space, no base64 at all.
    [InlineData("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    [InlineData("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    [InlineData("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10==")]
    [InlineData("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW ")]
    [InlineData("PeterNeumann+c74f20a3+")]
    // A type that is not known.
    [InlineData("PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    public void A_damaged_key_is_refused(string vkey)
    {
        Assert.Throws<LogFormatException>(() => VerifierKey.Parse(vkey));
        Assert.False(VerifierKey.TryParse(vkey, out _));
    }
}
