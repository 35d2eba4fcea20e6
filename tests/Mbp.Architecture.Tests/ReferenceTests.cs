using System.Reflection;
using Xunit;

namespace Mbp.Architecture.Tests;

/// <summary>Who may reference whom.</summary>
public sealed class ReferenceTests
{
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Mbp.Ledger"] = ["NodaTime"],
        ["Mbp.Domain"] = ["Mbp.Ledger", "NodaTime"],
        ["Mbp.Policies"] = ["Mbp.Domain", "Mbp.Ledger", "NodaTime", "YamlDotNet"],
        ["Mbp.Ledger.Postgres"] = ["Mbp.Ledger", "NodaTime", "Npgsql"],
        // A stranger runs it: no database, no host.
        ["verify_anchor"] = ["Mbp.Domain", "Mbp.Ledger", "NodaTime", "System.CommandLine"],
    };

    public static TheoryData<string> Inner => [.. Allowed.Keys];

    [Theory]
    [MemberData(nameof(Inner))]
    public void The_inner_assemblies_know_only_what_they_may(string name) => Assert.Empty(
        Assembly.Load(name).GetReferencedAssemblies().Select(a => a.Name!).Where(a => !IsRuntime(a)).Except(Allowed[name]));

    [Theory]
    [InlineData("Mbp.Host")]
    [InlineData("mbp")]
    public void The_outer_ones_do_not_know_each_other(string name) => Assert.Empty(
        Assembly.Load(name).GetReferencedAssemblies().Select(a => a.Name!)
            .Where(a => a.StartsWith("Mbp.", StringComparison.Ordinal)).Except(["Mbp.Ledger", "Mbp.Domain", "Mbp.Policies", "Mbp.Ledger.Postgres"]));

    private static bool IsRuntime(string name) => name.StartsWith("System.", StringComparison.Ordinal) || name.StartsWith("Microsoft.Extensions.Logging", StringComparison.Ordinal) || name is "Microsoft.Win32.Primitives";
}
