using System.Diagnostics;
using Mbp.Verify.Verbs;

namespace Mbp.Verify;

internal static class Program
{
    /// <summary>When the program began: what it says of its time is counted from here.</summary>
    public static long Start { get; } = Stopwatch.GetTimestamp();

    private static Task<int> Main(string[] args)
    {
        _ = Start;
        return VerifyCommand.RunAsync(args, Console.Out, Console.Error);
    }
}
