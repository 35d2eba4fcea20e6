using System.Globalization;
using System.IO.Compression;
using Mbp.Domain.Resolution;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Tests.Conformance;
using NodaTime;
using NodaTime.Text;
using Xunit.Abstractions;
using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Resolution;

/// <summary>
/// Real markets on real ticks: 97 five-minute markets on bitcoin's price, reported by three signed sources over the same feed, of which one is a minute and a
/// half late and one lies in every tenth market. A source reports the published rule and nothing else: the tick of the closing second against the strike.
/// </summary>
public sealed class BtcMarketsTests(ITestOutputHelper output)
{
    private const string Prices = "data/prices/";

    [SharedFileFact(Prices + "btc-5m-markets-2026-07-24.csv")]
    public void Where_the_closing_tick_is_there_the_sources_find_what_was_published_and_people_find_the_rest()
    {
        var ticks = Lines("btcusd-oracle-ticks-2026-07-24.csv.gz").Select(line => line.Split(',')).ToDictionary(t => Time(t[0]), t => decimal.Parse(t[1], CultureInfo.InvariantCulture));
        var (counts, feed, number, lies) = (new SortedDictionary<string, int>(StringComparer.Ordinal), OracleFeed.Initial, 0, 0);
        foreach (var market in Lines("btc-5m-markets-2026-07-24.csv").Select(Btc.Parse))
        {
            number++;
            var stage = ResolutionStage.Closed(ResolutionStage.WithOracle(Enumerable.Range(1, 3).Select(i => Signers.Voter($"feed-{i}", $"operator-{i}")))).After(feed);
            stage.Wait(Duration.Zero);
            // The market asks YES for Up.
            var answer = market.Strike is not { } strike ? null : !ticks.TryGetValue(market.End, out var close) ? "TOO_EARLY" : close >= strike ? "YES" : "NO";
            while (answer is not null && stage.Resolution is MarketResolution.Collecting { Round: not null, Course.Postponements: var times })
            {
                // The tick does not come after three hours either: then nobody has anything to say.
                if (answer == "TOO_EARLY" && times == 3)
                {
                    break;
                }

                var isLie = number % 10 == 0 && answer != "TOO_EARLY";
                lies += isLie ? 1 : 0;
                stage.Report("feed-1", answer);
                stage.Report("feed-3", isLie ? answer == "YES" ? "NO" : "YES" : answer);
                stage.Wait(Duration.FromSeconds(90));
                stage.Report("feed-2", answer, age: Duration.FromSeconds(95));
                stage.Wait(Duration.FromHours(1));
            }

            stage.Wait(Duration.FromHours(5));
            var (way, why) = stage.Resolution is MarketResolution.Finished ? ("oracle", "") : ("people", market.Strike is null ? "no strike" : "no tick of the closing second");
            if (way == "people")
            {
                stage.Send(at => new ProposeManually(Rain, market.Outcome, "urn:published", "op-1", at));
                stage.Send(at => new ApproveManually(Rain, "op-2", at));
                stage.Wait(Duration.FromHours(2));
            }

            var finished = Assert.IsType<MarketResolution.Finished>(stage.Resolution);
            Assert.True(finished.Decision.Value == market.Outcome, $"{market.Id}: {finished.Decision.Value} by {way}, published was {market.Outcome}");
            var key = way == "oracle" ? "oracle" : $"people, {why}, put off {finished.Course.Postponements} times";
            counts[key] = counts.GetValueOrDefault(key) + 1;
            feed = stage.Oracle;
        }

        var seen = string.Join("; ", counts.Select(count => $"{count.Key}: {count.Value}"));
        output.WriteLine($"{seen}; {lies} lies, the liar's word counts {feed.ReputationOf("feed-3") / 10_000m} %");
        Assert.Equal("oracle: 89; people, no strike, put off 0 times: 4; people, no tick of the closing second, put off 3 times: 4", seen);
        Assert.True(feed.ReputationOf("feed-3") < OracleFeed.Full && feed.ReputationOf("feed-1") == OracleFeed.Full);
    }

    private static IEnumerable<string> Lines(string file)
    {
        using var stream = File.OpenRead(Repository.Shared(Prices + file));
        using Stream plain = file.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(stream, CompressionMode.Decompress) : stream;
        using var reader = new StreamReader(plain);
        reader.ReadLine();
        while (reader.ReadLine() is { } line)
        {
            yield return line;
        }
    }

    private static Instant Time(string text) => InstantPattern.ExtendedIso.Parse(text).Value;

    private sealed record Btc(string Id, Instant End, decimal? Strike, string Outcome)
    {
        /// <summary>The question is quoted and has a comma in it.</summary>
        public static Btc Parse(string line)
        {
            var quote = line.LastIndexOf('"');
            var rest = line[(quote + 2)..].Split(',');
            return new Btc(line[..line.IndexOf(',', StringComparison.Ordinal)], Time(rest[1]), rest[2].Length == 0 ? null : decimal.Parse(rest[2], CultureInfo.InvariantCulture), rest[4] == "Up" ? "YES" : "NO");
        }
    }
}
