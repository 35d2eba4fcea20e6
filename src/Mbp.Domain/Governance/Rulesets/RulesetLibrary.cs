using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Governance.Rulesets;

public abstract record RulesetEvent;

/// <summary>A version of a rule set is there to be activated. It is never changed or taken away again.</summary>
/// <param name="Name">Of the rule set.</param>
/// <param name="Version">vMAJOR.MINOR.PATCH.</param>
/// <param name="PolicyHash">SHA-256 of the text, hex.</param>
/// <param name="Policy">The text.</param>
/// <param name="Signature">The signed note over name, version and hash, by a key of the log.</param>
/// <param name="At">Ledger time.</param>
public sealed record RulesetPublished(string Name, string Version, string PolicyHash, Policy Policy, string Signature, Instant At) : RulesetEvent;

public abstract record RulesetCommand;

/// <summary>Publishes a version; the edge has checked the signature against the log's keys.</summary>
public sealed record PublishRuleset(Policy Policy, string Signature, Instant At) : RulesetCommand;

/// <summary>Publishes what a new ledger begins with, where that version is not there yet.</summary>
public sealed record SeedRuleset(Policy Policy, string Signature, Instant At) : RulesetCommand;

/// <summary>Every published version of one rule set, in the order in which they were published.</summary>
public sealed record RulesetLibrary(EquatableArray<Policy> Versions)
{
    /// <summary>The rule set of a market that names none, and of what is decided for the whole platform.</summary>
    public const string DefaultName = "default";

    /// <summary>For histories that already happened: no caps, no freezes, no window to dispute in.</summary>
    public const string ReplayName = "replay";

    public static readonly Fold<RulesetLibrary> Fold = new(
        "ruleset", 1, new RulesetLibrary([]), (library, @event) => @event is RulesetPublished e ? new RulesetLibrary([.. library.Versions, e.Policy]) : library);

    public static StreamId StreamOf(string name) => StreamId.Of("ruleset", name);

    /// <summary>
    /// The one with the highest version, whenever it was published: a host that comes with an older one than operators have published must not put new
    /// markets under it.
    /// </summary>
    public Policy? Newest => Versions.MaxBy(Order);

    /// <summary>The newest one that has windows of the error budget (C16): a version without them does not decide about a slow mode that is on.</summary>
    public Policy? NewestWithSlo => Versions.Where(policy => policy.Rules.Slo is not null).MaxBy(Order);

    /// <summary>What versions are ordered by: v1.10.0 comes after v1.9.0.</summary>
    public static Version Order(Policy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return Version.Parse(policy.Rules.Version.AsSpan(1));
    }

    /// <summary>A version, or the newest where none is named.</summary>
    public Policy? Find(string? version) => version is null ? Newest : Versions.FirstOrDefault(policy => policy.Rules.Version == version);
}

public static class RulesetDecider
{
    public static readonly Decider<RulesetCommand, RulesetEvent, RulesetLibrary> Decider = new(
        RulesetLibrary.Fold.Initial, Decide, (library, @event) => RulesetLibrary.Fold.Apply(library, @event));

    private static Decision<RulesetEvent> Decide(RulesetCommand command, RulesetLibrary library) => command switch
    {
        SeedRuleset c => library.Find(c.Policy.Rules.Version) is null ? Publish(c.Policy, c.Signature, library, c.At) : [],
        PublishRuleset c => library.Find(c.Policy.Rules.Version) is { } same
            ? same == c.Policy ? [] : RulesetErrors.VersionTaken(c.Policy)
            : Publish(c.Policy, c.Signature, library, c.At),
        _ => throw new InvalidOperationException($"{command.GetType().Name} has no decision."),
    };

    private static Decision<RulesetEvent> Publish(Policy policy, string signature, RulesetLibrary library, Instant at) =>
        RulesetChecks.Faults(policy.Rules).FirstOrDefault() is { } fault ? RulesetErrors.Invalid(fault)
        : library.Versions.Count >= RulesetErrors.MostVersions ? RulesetErrors.TooManyVersions
        : [new RulesetPublished(policy.Rules.Name, policy.Rules.Version, policy.Hash, policy, signature, at)];
}

public static class RulesetErrors
{
    internal const int MostVersions = 1_000;

    public static readonly Rejection TooManyVersions = new(
        RejectionKind.Refused, "rulesets.too_many_versions", $"A rule set has at most {MostVersions} versions.", "version");

    public static readonly Rejection NoEarlier = new(
        RejectionKind.Conflict, "rulesets.no_earlier", "The market has had no other rule set before the present one.");

    public static readonly Rejection NotFound = new(RejectionKind.NotFound, "rulesets.not_found", "There is no such rule set, or no such version of it.", "name");

    public static readonly Rejection SignatureMissing = new(
        RejectionKind.Invalid, "rulesets.signature_missing", "A rule set is published with a signature by a key of the public log: `mbp ruleset sign FILE` writes it.", "signature");

    public static Rejection Unknown(string name, string? version) => new(
        RejectionKind.Invalid, "rulesets.unknown", version is null ? $"There is no rule set '{name}'." : $"There is no version '{version}' of the rule set '{name}'.", "ruleset");

    public static Rejection VersionTaken(Policy policy) => new(
        RejectionKind.Conflict, "rulesets.version_taken",
        $"{policy} was published with other rules. A version never changes: give the new rules the next version.", "version");

    public static Rejection SignatureInvalid(string why) => new(RejectionKind.Refused, "rulesets.signature_invalid", $"The signature is not good: {why}.", "signature");

    public static Rejection Invalid(RulesetFault fault) => new(RejectionKind.Invalid, "rulesets.invalid", $"{fault.Field} {fault.Rule}.", fault.Field);
}

public static class RulesetSlice
{
    public static readonly Slice Slice = new("rulesets", Wire);

    private static void Wire(EventCatalog catalog) => catalog.Add<RulesetPublished>("ruleset_published");
}
