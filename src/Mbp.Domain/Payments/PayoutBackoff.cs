using System.Security.Cryptography;
using System.Text;
using NodaTime;

namespace Mbp.Domain.Payments;

/// <summary>How long to leave the rail alone after an attempt: twice as long each time, to a bound.</summary>
/// <param name="First">After the first attempt.</param>
/// <param name="Longest">The bound.</param>
public sealed record PayoutBackoff(Duration First, Duration Longest)
{
    /// <summary>The product's: 8 sending attempts are over within about ten minutes, and whoever only asks does so twice an hour.</summary>
    public static PayoutBackoff Default { get; } = new(Duration.FromSeconds(2), Duration.FromMinutes(30));

    /// <summary>
    /// The pause after an attempt, stretched by up to a quarter so that those which failed together do not all come back together. The stretch is a
    /// function of the id and the attempt: the same question has the same answer.
    /// </summary>
    /// <param name="withdrawal">Which.</param>
    /// <param name="attempt">1, 2, 3, ...</param>
    public Duration After(WithdrawalId withdrawal, int attempt)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(attempt, 1);
        var ms = (long)Math.Min(Longest.TotalMilliseconds, First.TotalMilliseconds * (1L << Math.Min(attempt - 1, 20)));
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{withdrawal.Value} {attempt}"), hash);
        return Duration.FromMilliseconds(ms + (ms * hash[0] / 255 / 4));
    }
}
