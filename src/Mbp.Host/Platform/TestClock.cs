using Mbp.Host.Abuse;
using Mbp.Host.Markets;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Host.Platform;

/// <summary>The real clock, set forward by whoever may (<c>--test-clock</c>): windows of hours pass at once, and time still goes on by itself.</summary>
public sealed class TestClock : IClock
{
    private long _offsetTicks;

    public void Advance(Duration by) => Interlocked.Add(ref _offsetTicks, by.BclCompatibleTicks);

    public Instant GetCurrentInstant() => SystemClock.Instance.GetCurrentInstant().PlusTicks(Interlocked.Read(ref _offsetTicks));
}

/// <param name="To">The instant to set the clock to; not before now.</param>
public sealed record ClockRequest(string? To);

/// <param name="Now">The clock.</param>
/// <param name="Judged">The last tick that every market has been judged at.</param>
public sealed record ClockResponse(string Now, string? Judged);

/// <summary>Sets the clock of a host that was started for it, for exercises and sandboxes. A ledger that was written so is none to trust.</summary>
internal static class TestClockEndpoints
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);

    public static void Map(RouteGroupBuilder v2, TestClock clock)
    {
        v2.MapGet("/test/clock", (TickWorker ticks) => TypedResults.Ok(Show(clock, ticks))).OperatorsOnly().ExcludeFromDescription();
        v2.MapPost("/test/clock", async Task<Results<Ok<ClockResponse>, ProblemHttpResult>> (ClockRequest request, TickWorker ticks, CancellationToken cancellationToken) =>
        {
            var fields = new Fields();
            var (to, now) = (fields.OptionalInstant("to", request.To), clock.GetCurrentInstant());
            if (to is null || to < now)
            {
                fields.Fail("to", $"Is an instant not before {MarketPage.Text(now)}.");
            }

            if (fields.Problem() is { } problem)
            {
                return problem;
            }

            clock.Advance(to!.Value - now);
            // Whoever moves the clock wants to see what the time did: every tick that it passed has been judged before the answer.
            for (var until = DateTime.UtcNow + Patience; DateTime.UtcNow < until && !(ticks.Judged + Duration.FromSeconds(30) > to); await Task.Delay(Look, cancellationToken))
            {
            }

            return TypedResults.Ok(Show(clock, ticks));
        }).OperatorsOnly().ExcludeFromDescription();
    }

    private static ClockResponse Show(TestClock clock, TickWorker ticks) =>
        new(MarketPage.Text(clock.GetCurrentInstant()), ticks.Judged is { } judged ? InstantPattern.ExtendedIso.Format(judged) : null);
}
