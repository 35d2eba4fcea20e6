using System.Reflection;
using Microsoft.AspNetCore.Http.Metadata;

namespace Mbp.Host.Platform;

/// <summary>An answer whose body was written before, and is sent again as it is.</summary>
/// <typeparam name="TBody">What it says, for the contract.</typeparam>
internal sealed class WrittenJson<TBody>(ReadOnlyMemory<byte> body) : IResult, IEndpointMetadataProvider
{
    private const string Json = "application/json";

    public Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        httpContext.Response.ContentType = "application/json; charset=utf-8";
        httpContext.Response.ContentLength = body.Length;
        return httpContext.Response.Body.WriteAsync(body, httpContext.RequestAborted).AsTask();
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(TBody), [Json]));
    }
}
