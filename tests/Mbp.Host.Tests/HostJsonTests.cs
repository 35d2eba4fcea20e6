using System.Text.Json.Serialization;
using Mbp.Host.Tests.Hosting;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Mbp.Host.Tests;

public sealed class HostJsonTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    [Fact]
    public void Every_body_of_the_API_is_read_and_written_by_code_made_at_build_time()
    {
        var services = fixture.Host.App.Services;
        var options = services.GetRequiredService<IOptions<Microsoft.AspNetCore.Http.Json.JsonOptions>>().Value.SerializerOptions;
        var bodies = services.GetRequiredService<EndpointDataSource>().Endpoints
            .SelectMany(endpoint => endpoint.Metadata.OfType<IAcceptsMetadata>().Select(m => m.RequestType)
                .Concat(endpoint.Metadata.OfType<IProducesResponseTypeMetadata>().Select(m => m.Type)))
            .Where(type => type is not null && type != typeof(void) && type != typeof(ProblemDetails) && type != typeof(string))
            .Distinct().ToList();
        Assert.True(bodies.Count > 30, $"Only {bodies.Count} bodies were found.");
        Assert.Equal([], bodies.Where(type => options.GetTypeInfo(type!).OriginatingResolver is not JsonSerializerContext).Select(type => type!.Name));
    }
}
