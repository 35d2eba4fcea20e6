using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using Mbp.Ledger.Log;
using Xunit;

namespace Mbp.Ledger.Tests.Log;

public sealed class Ed25519Tests
{
    // RFC 8032, section 7.1: secret, public key, message, signature.
    public static TheoryData<string, string, string, string> Vectors => new()
    {
        {
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        },
        {
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        },
        {
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        },
        {
            "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
            "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
            LongMessage,
            "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03"
        },
    };

    [Theory]
    [MemberData(nameof(Vectors))]
    public void The_vectors_of_the_rfc_are_signed_and_verified(string secret, string publicKey, string message, string signature)
    {
        using var key = Ed25519PrivateKey.FromSeed(Convert.FromHexString(secret));
        Assert.Equal(publicKey, Convert.ToHexStringLower(key.PublicKey.Span));
        Assert.Equal(signature, Convert.ToHexStringLower(key.Sign(Convert.FromHexString(message))));
        Assert.True(Ed25519.Verify(key.PublicKey.Span, Convert.FromHexString(message), Convert.FromHexString(signature)));
        Assert.True(ManagedEd25519.Verify(key.PublicKey.Span, Convert.FromHexString(message), Convert.FromHexString(signature)));
    }

    [Fact]
    public void The_probe_passes_here() => Ed25519.Probe();

    [Fact]
    public void Both_verifiers_say_the_same_of_good_and_of_damaged_signatures() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), ArbMap.Default.ArbFor<int>(), (message, n) =>
    {
        using var key = Keys.Private((byte)(n & 7));
        var signature = key.Sign(message);
        Assert.True(Ed25519.Verify(key.PublicKey.Span, message, signature));
        Assert.True(ManagedEd25519.Verify(key.PublicKey.Span, message, signature));

        var damaged = Keys.Damaged(signature, n & 511);
        Assert.False(Ed25519.Verify(key.PublicKey.Span, message, damaged));
        Assert.False(ManagedEd25519.Verify(key.PublicKey.Span, message, damaged));

        var other = Keys.Damaged(key.PublicKey.Span, n & 255);
        Assert.False(Ed25519.Verify(other, message, signature));
        Assert.False(ManagedEd25519.Verify(other, message, signature));
        Assert.False(Ed25519.Verify(key.PublicKey.Span, [.. message, 0], signature));
        Assert.False(ManagedEd25519.Verify(key.PublicKey.Span, [.. message, 0], signature));
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(40));

    [Fact]
    public void A_signature_has_one_spelling()
    {
        using var key = Keys.Private(1);
        var signature = key.Sign("text"u8);
        var order = BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493", System.Globalization.CultureInfo.InvariantCulture);
        // The same scalar, once more around the group.
        var scalar = new BigInteger(signature.AsSpan(32), isUnsigned: true) + order;
        byte[] twin = [.. signature[..32], .. scalar.ToByteArray(isUnsigned: true)];
        Assert.Equal(64, twin.Length);
        Assert.False(Ed25519.Verify(key.PublicKey.Span, "text"u8, twin));
        Assert.False(ManagedEd25519.Verify(key.PublicKey.Span, "text"u8, twin));
    }

    [Theory]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")]
    [InlineData("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")]
    [InlineData("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85")]
    public void A_key_under_which_anybody_signs_and_one_beyond_the_field_are_no_key(string bytes) =>
        Assert.Throws<LogFormatException>(() => new VerifierKey("example.com/w", VerifierKey.CosignatureType, Convert.FromHexString(bytes)));

    [Fact]
    public void Bytes_that_are_no_point_verify_nothing()
    {
        byte[] none = [2, .. new byte[31]];
        using var key = Keys.Private(1);
        Assert.False(Ed25519.Verify(none, "text"u8, key.Sign("text"u8)));
        Assert.False(ManagedEd25519.Verify(none, "text"u8, key.Sign("text"u8)));
    }

    [Fact]
    public void Bytes_of_another_length_are_no_signature_and_no_key()
    {
        using var key = Keys.Private(1);
        var signature = key.Sign("text"u8);
        Assert.False(Ed25519.Verify(key.PublicKey.Span, "text"u8, signature.AsSpan(0, 63)));
        Assert.False(Ed25519.Verify(key.PublicKey.Span, "text"u8, [.. signature, 0]));
        Assert.False(Ed25519.Verify(key.PublicKey.Span, "text"u8, []));
        Assert.False(Ed25519.Verify(key.PublicKey.Span[1..], "text"u8, signature));
        Assert.Throws<ArgumentException>(() => Ed25519PrivateKey.FromSeed(new byte[31]));
    }

    [Fact]
    public void More_keys_than_are_kept_verify_all_the_same()
    {
        for (var i = 0; i < 200; i++)
        {
            using var key = Keys.Private((byte)i);
            Assert.True(Ed25519.Verify(key.PublicKey.Span, "text"u8, key.Sign("text"u8)));
        }
    }

    [Fact]
    public void One_key_signs_on_many_threads()
    {
        using var key = Keys.Private(1);
        var expected = key.Sign("text"u8);
        Parallel.For(0, 1000, i =>
        {
            Assert.Equal(expected, key.Sign("text"u8));
            Assert.True(Ed25519.Verify(key.PublicKey.Span, "text"u8, expected));
        });
    }

    [Fact]
    public void A_key_comes_back_from_its_pem()
    {
        using var key = Ed25519PrivateKey.Create();
        using var back = Ed25519PrivateKey.FromPem(key.ToPem());
        Assert.StartsWith("-----BEGIN PRIVATE KEY-----\n", key.ToPem(), StringComparison.Ordinal);
        Assert.Equal(key.PublicKey.ToArray(), back.PublicKey.ToArray());
        using var other = Ed25519PrivateKey.Create();
        Assert.NotEqual(key.PublicKey.ToArray(), other.PublicKey.ToArray());
    }

    [Fact]
    public void A_pem_of_others_is_read()
    {
        // RFC 8410, section 10.3.
        using var key = Ed25519PrivateKey.FromPem("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n");
        Assert.Equal("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1", Convert.ToHexStringLower(key.PublicKey.Span));
    }

    [Theory]
    [InlineData("")]
    [InlineData("secret")]
    [InlineData("-----BEGIN PUBLIC KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PUBLIC KEY-----\n")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdQ==\n-----END PRIVATE KEY-----\n")]
    public void Another_pem_is_refused(string pem) => Assert.Throws<LogFormatException>(() => Ed25519PrivateKey.FromPem(pem));

    [Fact]
    public void A_key_that_is_gone_does_not_sign()
    {
        var key = Keys.Private(1);
        key.Dispose();
        Assert.Throws<ObjectDisposedException>(() => key.Sign("text"u8));
    }

    private const string LongMessage =
        "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1e355f6c50544e23fb1433ddf73be84d8" +
        "79de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc" +
        "1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e" +
        "06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7" +
        "aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2" +
        "d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f270" +
        "88d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b07" +
        "07e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51a" +
        "ddd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb7" +
        "51fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8" +
        "ca61783aacec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08" +
        "d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e4" +
        "88acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e" +
        "6aed3fb0f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b5" +
        "0d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380d" +
        "b2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0";
}
