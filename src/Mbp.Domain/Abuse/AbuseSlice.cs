using Mbp.Ledger;

namespace Mbp.Domain.Abuse;

public static class AbuseSlice
{
    public static readonly Slice Slice = new("abuse", Wire);

    private static void Wire(EventCatalog catalog) => catalog
        .Add<AbuseFlagged>("abuse_flagged")
        .Add<RefusalsRecorded>("refusals_recorded")
        .Add<ModerationProposed>("moderation_proposed")
        .Add<ModerationApplied>("moderation_applied")
        .Add<ModerationUndone>("moderation_undone")
        .Add<ModerationRedone>("moderation_redone");
}
