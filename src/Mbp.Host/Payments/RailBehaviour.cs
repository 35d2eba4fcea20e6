using System.Security.Cryptography;
using System.Text;
using Mbp.Domain.Payments;

namespace Mbp.Host.Payments;

/// <summary>What the simulated rail does with an order.</summary>
internal enum RailBehaviour
{
    Settles,

    /// <summary>Takes it at once and pays half a minute later.</summary>
    SettlesLate,

    /// <summary>Fails for good.</summary>
    Rejects,

    /// <summary>Fails for a while: takes nothing, twice, and says so.</summary>
    Unavailable,

    /// <summary>Pays, and never answers, nor says so by itself: whoever asks by the key is told.</summary>
    TimesOutAfterPaying,

    /// <summary>The same, and keeps whoever asked waiting for as long as they like: time enough to pull the plug.</summary>
    HangsAfterPaying,

    /// <summary>Takes nothing, twice, and never answers.</summary>
    TimesOut,

    /// <summary>Pays once, and tells of it twice: in its notices and on its statement.</summary>
    ReportsTwice,

    /// <summary>Pays, and has it back a minute later.</summary>
    ReversesLater,

    /// <summary>Pays a second later, and tells nobody: only the statement has it.</summary>
    SettlesSilently,

    /// <summary>Never takes anything.</summary>
    Dead,
}

/// <summary>Which order meets which behaviour: by what its payee asks for, else by the seed.</summary>
internal static class RailBehaviours
{
    /// <summary>A payee that starts so names its behaviour, such as <c>sim.settles-late.7</c>.</summary>
    private const string Script = "sim.";

    private static readonly Dictionary<string, RailBehaviour> Named = new(StringComparer.Ordinal)
    {
        ["settles"] = RailBehaviour.Settles,
        ["settles-late"] = RailBehaviour.SettlesLate,
        ["rejects"] = RailBehaviour.Rejects,
        ["unavailable"] = RailBehaviour.Unavailable,
        ["times-out-after-paying"] = RailBehaviour.TimesOutAfterPaying,
        ["hangs-after-paying"] = RailBehaviour.HangsAfterPaying,
        ["times-out"] = RailBehaviour.TimesOut,
        ["reports-twice"] = RailBehaviour.ReportsTwice,
        ["reverses-later"] = RailBehaviour.ReversesLater,
        ["settles-silently"] = RailBehaviour.SettlesSilently,
        ["dead"] = RailBehaviour.Dead,
    };

    // Of a hundred orders, so many; the rest settles. No order is without an end: that takes a script.
    private static readonly (int Share, RailBehaviour Behaviour)[] Seeded =
    [
        (9, RailBehaviour.SettlesLate), (8, RailBehaviour.Rejects), (8, RailBehaviour.Unavailable), (8, RailBehaviour.TimesOutAfterPaying),
        (7, RailBehaviour.TimesOut), (6, RailBehaviour.ReportsTwice), (5, RailBehaviour.ReversesLater), (4, RailBehaviour.SettlesSilently),
    ];

    public static RailBehaviour Of(PayeeId payee, long? seed)
    {
        if (payee.Value.StartsWith(Script, StringComparison.Ordinal) && Named.TryGetValue(payee.Value.Split('.')[1], out var named))
        {
            return named;
        }

        if (seed is null)
        {
            return RailBehaviour.Settles;
        }

        // By the payee and not by the key, which no two runs share: a seed and a list of payees are a run that can be repeated.
        var draw = SHA256.HashData(Encoding.UTF8.GetBytes($"{seed} {payee.Value}"))[0] * 100 / 256;
        foreach (var (share, behaviour) in Seeded)
        {
            if ((draw -= share) < 0)
            {
                return behaviour;
            }
        }

        return RailBehaviour.Settles;
    }
}
