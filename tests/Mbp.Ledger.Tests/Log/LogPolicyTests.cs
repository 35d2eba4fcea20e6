using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using NodaTime;
using Xunit;

namespace Mbp.Ledger.Tests.Log;

public sealed class LogPolicyTests
{
    private static readonly Instant Noon = Instant.FromUtc(2025, 9, 10, 12, 0);
    private static readonly SignedNote Note = Keys.Signed(new Checkpoint(Keys.Origin, 3, MerkleTree.Root(Keys.Leaves(3))));

    private static readonly string TwoOfThree = $"""
        # Three operators.
        log {Keys.Log.Key}	https://log.example/
        witness x {Witness(1)} https://x.example/

          witness y {Witness(2)}
        witness z {Witness(3)}
        group xyz 2 x y z
        quorum xyz
        """;

    [Theory]
    [InlineData("", false)]
    [InlineData("1", false)]
    [InlineData("1 1", false)]
    [InlineData("1 2", true)]
    [InlineData("2 3", true)]
    [InlineData("1 2 3", true)]
    // A witness that the policy does not know counts for nothing.
    [InlineData("1 4", false)]
    public void Two_of_three_witnesses_are_a_quorum(string who, bool enough)
    {
        var check = LogPolicy.Parse(TwoOfThree).Check(Cosigned(who));
        Assert.Equal(enough, check.Satisfied);
        Assert.Equal(enough, check.At is not null);
    }

    [Fact]
    public void What_is_missing_is_named() => Assert.Equal(
        ["xyz has 1 of the 2 that it needs; missing: x, z."], LogPolicy.Parse(TwoOfThree).Check(Cosigned("2")).Missing);

    [Fact]
    public void A_quorum_is_as_old_as_the_newest_that_are_enough()
    {
        // Witness n signs at noon and n minutes.
        Assert.Equal(Noon + Duration.FromMinutes(2), LogPolicy.Parse(TwoOfThree).Check(Cosigned("1 2 3")).At);
        Assert.Equal(Noon + Duration.FromMinutes(1), LogPolicy.Parse(TwoOfThree).Check(Cosigned("1 3")).At);
        Assert.Equal(3, LogPolicy.Parse(TwoOfThree).Check(Cosigned("1 2 3")).Cosigned.Count);
    }

    [Fact]
    public void Without_a_witness_the_log_alone_is_believed()
    {
        var policy = LogPolicy.Parse($"log {Keys.Log.Key}\nquorum none\n");
        Assert.Equal((true, null), (policy.Check(Note).Satisfied, policy.Check(Note).At));
        Assert.True(LogPolicy.Of(Keys.Log.Key).Check(Note).Satisfied);
    }

    [Fact]
    public void The_log_itself_must_have_signed()
    {
        using var second = Keys.Private(2);
        var other = new Ed25519Signer(Keys.Origin, second);
        Assert.Single(LogPolicy.Of(other.Key).Check(Note).Missing);
        Assert.True(LogPolicy.Of(other.Key, Keys.Log.Key).Check(Note).Satisfied);
        var forged = new SignedNote(Note.Text, [.. Note.Signatures.Select(line => line with { Signature = Keys.Damaged(line.Signature.Span, 3) })]);
        Assert.False(LogPolicy.Of(Keys.Log.Key).Check(forged).Satisfied);
        // One log of the policy must not sign for another.
        using var third = Keys.Private(3);
        var elsewhere = new Ed25519Signer("elsewhere.example", third);
        Assert.False(LogPolicy.Of(Keys.Log.Key, elsewhere.Key).Check(SignedNote.Sign(Note.Text, elsewhere)).Satisfied);
    }

    [Fact]
    public void A_bad_cosignature_spoils_the_note_even_beside_a_quorum()
    {
        var bad = Cosigned("1 2 3").Signatures[^1];
        var note = Cosigned("1 2").With(bad with { Signature = Keys.Damaged(bad.Signature.Span, 100) });
        Assert.Equal(["The cosignature of w3.example is not its own."], LogPolicy.Parse(TwoOfThree).Check(note).Missing);
    }

    [Fact]
    public void Groups_are_made_of_groups()
    {
        var policy = LogPolicy.Parse($"""
            witness x1 {Witness(1)}
            witness x2 {Witness(2)}
            witness y1 {Witness(3)}
            witness y2 {Witness(4)}
            group x all x1 x2
            group y any y1 y2
            group both all x y
            quorum both
            """);
        Assert.True(policy.Check(Cosigned("1 2 4")).Satisfied);
        Assert.Equal(["both has 1 of the 2 that it needs; missing: x."], policy.Check(Cosigned("1 3 4")).Missing);
        Assert.Equal(["both has 1 of the 2 that it needs; missing: y."], policy.Check(Cosigned("1 2")).Missing);
        Assert.False(LogPolicy.Parse($"witness x {Witness(1)}\nquorum x").Check(Note).Satisfied);
    }

    [Theory]
    [InlineData("")]
    [InlineData("quorum none\nquorum none")]
    [InlineData("quorum x")]
    [InlineData("group g any x\nquorum none")]
    [InlineData("witness x W1\nquorum x\nwitness y W2 url more")]
    [InlineData("witness x W1\nwitness x W2\nquorum none")]
    [InlineData("witness x W1\nwitness y W1\nquorum none")]
    [InlineData("witness none W1\nquorum none")]
    [InlineData("witness x LOG\nquorum none")]
    [InlineData("log W1\nquorum none")]
    [InlineData("log LOG\nlog LOG\nquorum none")]
    [InlineData("witness x W1\ngroup g 0 x\nquorum none")]
    [InlineData("witness x W1\ngroup g 2 x\nquorum none")]
    [InlineData("witness x W1\ngroup g 01 x\nquorum none")]
    [InlineData("witness x W1\ngroup g some x\nquorum none")]
    [InlineData("witness x W1\ngroup g any\nquorum none")]
    [InlineData("witness x W1\ngroup g any x x\nquorum none")]
    [InlineData("witness x W1\ngroup g any x\ngroup h any x\nquorum none")]
    [InlineData("witness x W1\ngroup g any none\nquorum none")]
    [InlineData("witness x W1\ngroup x any x\nquorum none")]
    [InlineData("quorum none\r\n")]
    [InlineData("quorum none\nseal x")]
    public void A_policy_that_could_be_misread_is_refused(string text) => Assert.Throws<LogFormatException>(() => LogPolicy.Parse(text
        .Replace("LOG", Keys.Log.Key.ToString(), StringComparison.Ordinal)
        .Replace("W1", Witness(1).ToString(), StringComparison.Ordinal)
        .Replace("W2", Witness(2).ToString(), StringComparison.Ordinal)));

    [Fact]
    public void A_refusal_names_the_line() =>
        Assert.StartsWith("Line 3: ", Assert.Throws<LogFormatException>(() => LogPolicy.Parse("# one\n\nseal x\nquorum none")).Message, StringComparison.Ordinal);

    private static VerifierKey Witness(int number) => Cosignature.KeyOf($"w{number}.example", Keys.Private((byte)(100 + number)));

    private static SignedNote Cosigned(string numbers) => Note.With(numbers.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Select(number => int.Parse(number, System.Globalization.CultureInfo.InvariantCulture))
        .Select(number => Cosignature.Sign($"w{number}.example", Keys.Private((byte)(100 + number)), Note.Text, Noon + Duration.FromMinutes(number))));
}
