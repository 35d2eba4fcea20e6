using Mbp.Cli.Auditing;
using Mbp.Domain.Audit;

namespace Mbp.Host.Tests;

/// <summary>What <c>mbp audit replay</c> prints.</summary>
public sealed class AuditWordsTests
{
    public static TheoryData<Check> Checks => [.. Enum.GetValues<Check>()];

    // One without words ended the whole report.
    [Theory]
    [MemberData(nameof(Checks))]
    public void Every_check_has_words(Check check) => Assert.NotEmpty(AuditWords.Of(check));
}
