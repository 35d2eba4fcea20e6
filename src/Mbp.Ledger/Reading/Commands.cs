namespace Mbp.Ledger.Reading;

/// <summary>Where one command ends and the next begins, in a run of events; and what stands in it for an event that cannot be read.</summary>
internal static class Commands
{
    private static readonly object Nothing = new();

    public static Recorded Unreadable(StoredEvent stored) => new(stored, Nothing);

    public static bool IsUnreadable(Recorded recorded) => ReferenceEquals(recorded.Data, Nothing);

    /// <summary>Whether two neighbours are of one command. A foreign event without a causation is a command of its own.</summary>
    public static bool AreOne(StoredEvent left, StoredEvent right) => left.CausationId.Length > 0 && left.CausationId == right.CausationId;

    /// <summary>How many events at the beginning of a run to deliver: whole commands that can be read, in all at most so many, or one that is larger.</summary>
    /// <param name="run">Events that follow each other.</param>
    /// <param name="isAll">Whether the ledger ends with it; else more of its last command may follow.</param>
    /// <param name="most">More than that only if the first command alone is larger.</param>
    /// <returns>0 = the first command cannot be read, or does not end within the run.</returns>
    public static int Whole(Recorded[] run, bool isAll, int most)
    {
        var readable = Array.FindIndex(run, IsUnreadable) is var fault and >= 0 ? fault : run.Length;
        for (var count = Math.Min(readable, most); count > 0; count--)
        {
            if (EndsAt(count))
            {
                return count;
            }
        }

        for (var count = most + 1; count <= readable; count++)
        {
            if (EndsAt(count))
            {
                return count;
            }
        }

        return 0;

        bool EndsAt(int count) => count < run.Length ? !AreOne(run[count - 1].Stored, run[count].Stored) : isAll;
    }
}
