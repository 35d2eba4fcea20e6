using System.Collections;
using System.Numerics;
using System.Reflection;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Units;
using Mbp.Policies;
using NodaTime;

namespace Mbp.Architecture.Tests;

/// <summary>An instance of any event, every field filled with a fixed value: what its body looks like, field by field.</summary>
internal static class EventSamples
{
    public static object Of(Type type) => Value(type, "sample") ?? throw new InvalidOperationException($"{type} has no sample.");

    private static object? Value(Type type, string name)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        return plain switch
        {
            _ when plain == typeof(string) => name,
            _ when plain == typeof(int) => 7,
            _ when plain == typeof(long) => 8L,
            _ when plain == typeof(bool) => true,
            _ when plain == typeof(Int128) => (Int128)10,
            _ when plain == typeof(Instant) => Instant.FromUtc(2025, 9, 10, 12, 0).PlusTicks(10),
            _ when plain == typeof(Duration) => Duration.FromMinutes(90),
            _ when plain == typeof(BigInteger) => new BigInteger(9),
            _ when plain == typeof(Policy) => BuiltInPolicies.Replay,
            _ when plain.IsEnum => Enum.GetValues(plain).GetValue(Enum.GetValues(plain).Length - 1),
            _ when plain.IsGenericType && plain.GetGenericTypeDefinition() == typeof(EquatableArray<>) => Array(plain, name),
            _ when plain.GetMethod("FromUnits", BindingFlags.Public | BindingFlags.Static) is { } units => units.Invoke(null, [150_000_000L]),
            _ => Construct(plain, name),
        };
    }

    private static object Array(Type type, string name)
    {
        var element = type.GetGenericArguments()[0];
        var items = System.Array.CreateInstance(element, 2);
        ((IList)items)[0] = Value(element, $"{name}1");
        ((IList)items)[1] = Value(element, $"{name}2");
        return typeof(EquatableArray).GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static)
            .Single(m => m.Name == "Own").MakeGenericMethod(element).Invoke(null, [items])!;
    }

    private static object Construct(Type type, string name)
    {
        var constructor = type.GetConstructors().OrderByDescending(c => c.GetParameters().Length).First();
        return constructor.Invoke([.. constructor.GetParameters().Select(p => Value(p.ParameterType, p.ParameterType == typeof(string) && constructor.GetParameters().Length == 1 ? name : p.Name!))]);
    }
}
