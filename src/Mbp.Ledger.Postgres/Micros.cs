using NodaTime;

namespace Mbp.Ledger.Postgres;

/// <summary>Both sides count in ticks of 100 ns and PostgreSQL keeps microseconds, so no whole microsecond is ever lost.</summary>
internal static class Micros
{
    public static DateTime ToTimestamp(this Instant instant) => instant.ToDateTimeUtc();

    public static Instant ToInstant(this DateTime timestamp) => Instant.FromDateTimeUtc(DateTime.SpecifyKind(timestamp, DateTimeKind.Utc));
}
