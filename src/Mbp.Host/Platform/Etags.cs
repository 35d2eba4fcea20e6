using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Primitives;

namespace Mbp.Host.Platform;

/// <summary>What an answer is tagged with, so that a caller who has it already is told so without a body.</summary>
internal static class Etags
{
    /// <summary>A market is made of two streams that move by themselves; a tag of one would call an old page current.</summary>
    public static string Of(MarketView market) => market.ResolutionVersion == 0
        ? string.Create(CultureInfo.InvariantCulture, $"\"{market.Version}\"")
        : string.Create(CultureInfo.InvariantCulture, $"\"{market.Version}.{market.ResolutionVersion}\"");

    public static string Of(long version) => string.Create(CultureInfo.InvariantCulture, $"\"{version}\"");

    /// <summary>Tags the answer; true where the caller has it already.</summary>
    public static bool Tag(HttpContext http, string etag)
    {
        http.Response.Headers.ETag = etag;
        return IsKnown(http.Request.Headers.IfNoneMatch, etag);
    }

    /// <summary>The past does not change: whoever has it may keep it, but no cache that others share.</summary>
    public static bool TagPast(HttpContext http, Moment moment)
    {
        if (!moment.IsSettled)
        {
            return false;
        }

        http.Response.Headers.CacheControl = "private, max-age=31536000, immutable";
        return Tag(http, string.Create(CultureInfo.InvariantCulture, $"\"at.{moment.Position}\""));
    }

    public static StatusCodeHttpResult NotModified { get; } = TypedResults.StatusCode(StatusCodes.Status304NotModified);

    // If-None-Match compares weakly (RFC 9110, 13.1.2): a proxy that packed the answer may have marked the tag.
    private static bool IsKnown(StringValues given, string etag)
    {
        foreach (var line in given)
        {
            foreach (var tag in (line ?? "").Split(',', StringSplitOptions.TrimEntries))
            {
                if (tag == "*" || tag == etag || (tag.StartsWith("W/", StringComparison.Ordinal) && tag.AsSpan(2).SequenceEqual(etag)))
                {
                    return true;
                }
            }
        }

        return false;
    }
}
