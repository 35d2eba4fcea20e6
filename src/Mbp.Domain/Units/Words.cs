namespace Mbp.Domain.Units;

/// <summary>Enum values as the API and the tables spell them: lower case.</summary>
public static class Words
{
    public static string Of<T>(T value)
        where T : struct, Enum => Spelled<T>.Words.GetValueOrDefault(value) ?? value.ToString().ToLowerInvariant();

    private static class Spelled<T>
        where T : struct, Enum
    {
        public static readonly Dictionary<T, string> Words = Enum.GetValues<T>().ToDictionary(value => value, value => value.ToString().ToLowerInvariant());
    }
}
