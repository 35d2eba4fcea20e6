using Mbp.Ledger.Log;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>Why the log is not signed any further. Nothing signs it again before a person has looked (docs/adr/0011-public-log.md).</summary>
/// <param name="Kind">One of <see cref="LogFaults"/>: stable, for alerts.</param>
/// <param name="Position">The event (or the size of the tree) that it is about, where one can be named.</param>
/// <param name="What">What was found, and how to go on.</param>
public sealed record LogFault(string Kind, long? Position, string What);

/// <summary>The kinds of <see cref="LogFault"/>.</summary>
public static class LogFaults
{
    /// <summary>The stored entries of a commit do not hash to its stored leaf hashes.</summary>
    public const string Leaf = "leaf";

    /// <summary>A position has no entry.</summary>
    public const string Gap = "gap";

    /// <summary>The stored tree is not the one that the newest checkpoint was signed for.</summary>
    public const string Tree = "tree";

    /// <summary>The ledger ends before the last tree head that was signed.</summary>
    public const string Behind = "behind";

    /// <summary>The ledger has other leaves than the last tree head that was signed.</summary>
    public const string Fork = "fork";

    /// <summary>The file of the last signed tree head is missing, unreadable or another log's.</summary>
    public const string LastSigned = "last_signed";

    /// <summary>A private key that should sign is not here.</summary>
    public const string Key = "key_missing";
}

/// <summary>The keeper halts.</summary>
public sealed class LogHaltException(LogFault fault, Exception? cause = null) : Exception(fault?.What, cause)
{
    public LogHaltException(string kind, long? position, string what, Exception? cause = null)
        : this(new LogFault(kind, position, what), cause)
    {
    }

    public LogFault Fault { get; } = fault ?? throw new ArgumentNullException(nameof(fault));

    internal static LogHaltException From(LogFaultException e) => new(LogFaults.Tree, e.Position, e.Message, e);
}

/// <summary>Another process keeps the log; ask that one.</summary>
public sealed class LogElsewhereException() : Exception("Another process keeps the log, or this one is only about to.");
