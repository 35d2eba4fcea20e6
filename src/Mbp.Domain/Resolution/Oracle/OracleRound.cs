using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Resolution.Oracle;

/// <summary>A round of reports on one market.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Until">When it ends; reports that were on their way still count for a moment (xi).</param>
/// <param name="Reports">The first report of each source, in order.</param>
/// <param name="Equivocators">Who said two different things.</param>
/// <param name="Refused">Signed reports that did not count: one for each source and reason is kept.</param>
public sealed record OracleRound(int Number, Instant Until, EquatableArray<ReportAccepted> Reports, EquatableArray<string> Equivocators, EquatableArray<string> Refused)
{
    public static OracleRound Open(int number, Instant until) => new(number, until, [], [], []);

    /// <summary>What a source said first; null = nothing yet.</summary>
    public ReportAccepted? Of(string source)
    {
        foreach (var report in Reports)
        {
            if (report.Source == source)
            {
                return report;
            }
        }

        return null;
    }

    /// <summary>Everything that was said, the second words of equivocators too: a vote.</summary>
    public IEnumerable<Vote> Votes => Reports.Where(report => !Equivocators.Contains(report.Source)).Select(report => new Vote(report.Source, report.Value));

    public static string RefusalKey(string source, string reason) => $"{source} {reason}";
}
