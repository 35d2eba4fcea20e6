using Mbp.Ledger;

namespace Mbp.Domain.Governance.Custody;

public static class CustodySlice
{
    public static readonly Slice Slice = new("custody", Wire);

    private static void Wire(EventCatalog catalog) => catalog
        .Add<AnchorKeyAdded>("anchor_key_added")
        .Add<AnchorKeyRetired>("anchor_key_retired")
        .Add<LogEpochOpened>("log_epoch_opened")
        .Add<PayloadErased>("payload_erased");
}
