using System.CommandLine;
using System.Globalization;
using System.Text;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Verify.Checks;
using Mbp.Verify.Output;
using Mbp.Verify.Sites;
using NodaTime;

namespace Mbp.Verify.Verbs;

/// <summary>The head of the log that a single thing is held against.</summary>
internal static class Head
{
    /// <summary>Null where the head cannot be read; the fault is reported.</summary>
    public static Task<Checkpoint?> ReadAsync(ISite site, Trust trust, Report report, CancellationToken cancellationToken) =>
        new HeadCheck(site, trust, report).RunAsync(minSize: 0, maxAge: null, Instant.MinValue, cancellationToken);
}

/// <summary><c>verify_anchor receipt</c>: did the log keep its word?</summary>
internal static class ReceiptVerb
{
    public static Command Create()
    {
        var files = new Argument<string[]>("FILE") { Description = "Receipts, or answers of commands that have one inside.", Arity = ArgumentArity.OneOrMore };
        var log = Common.LogOption();
        var command = new Command("receipt", "The signature of a receipt; with --log, that the log has what it promised.") { files, log };
        var common = new Common().AddTo(command);
        command.SetAction((parsed, cancellationToken) => common.RunAsync(parsed, async report =>
        {
            var site = parsed.GetValue(log) is { } name ? Site.Open(name) : null;
            var trust = await common.TrustAsync(parsed, site, [], report, cancellationToken).ConfigureAwait(false);
            var checkpoint = site is null ? null : await Head.ReadAsync(site, trust, report, cancellationToken).ConfigureAwait(false);
            var check = new ReceiptCheck(trust, report);
            foreach (var file in parsed.GetValue(files) ?? [])
            {
                var receipt = ReceiptCheck.Read(file, Input.Read(file));
                if (check.Alone(file, receipt) && site is not null && checkpoint is not null)
                {
                    await check.KeptAsync(file, receipt, checkpoint, site, cancellationToken).ConfigureAwait(false);
                }
            }

            if (site is null)
            {
                report.Note($"Without --log only the promise was checked, not whether it was kept.");
            }
        }));
        return command;
    }
}

/// <summary><c>verify_anchor proof</c>: a tlog-proof file, or a position of a log.</summary>
internal static class ProofVerb
{
    public static Command Create()
    {
        var what = new Argument<string>("FILE|POSITION") { Description = "A file c2sp.org/tlog-proof@v1, or a position in --log." };
        var log = Common.LogOption();
        var entry = new Option<string?>("--entry") { Description = "The entry's bytes, as in the log." };
        var @event = new Option<string?>("--event") { Description = "The event with its salt: a line of events/, or the answer of /events/POSITION." };
        var output = new Option<string?>("--out") { Description = "For a position: write the proof that was made." };
        var command = new Command("proof", "That an entry is in the log that was signed.") { what, log, entry, @event, output };
        var common = new Common().AddTo(command);
        command.SetAction((parsed, cancellationToken) => common.RunAsync(parsed, async report =>
        {
            var site = parsed.GetValue(log) is { } name ? Site.Open(name) : null;
            var trust = await common.TrustAsync(parsed, site, [], report, cancellationToken).ConfigureAwait(false);
            var checkpoint = site is null ? null : await Head.ReadAsync(site, trust, report, cancellationToken).ConfigureAwait(false);
            var subject = parsed.GetValue(what)!;
            if (long.TryParse(subject, NumberStyles.None, CultureInfo.InvariantCulture, out var position) && !File.Exists(subject))
            {
                await OfPositionAsync(position, site ?? throw new CannotAskException("A position needs --log."), checkpoint, parsed.GetValue(output), report, cancellationToken).ConfigureAwait(false);
                return;
            }

            var proof = TlogProof.Parse(Encoding.UTF8.GetString(Input.Read(subject)));
            var leaf = await LeafAsync(proof.Index + 1, parsed.GetValue(entry), parsed.GetValue(@event), site, checkpoint, report, cancellationToken).ConfigureAwait(false);
            OfFile(subject, proof, leaf, trust, report);
        }));
        return command;
    }

    private static void OfFile(string file, TlogProof proof, MerkleHash leaf, Trust trust, Report report)
    {
        var signed = Checkpoint.Of(proof.Note);
        if (trust.WhyNot(proof.Note, signed) is { } why)
        {
            report.Fault(FaultKind.Signature, why, file);
        }

        if (trust.Policy is { } policy && policy.Check(proof.Note) is { Satisfied: false } check)
        {
            report.Fault(FaultKind.Quorum, string.Join(' ', check.Missing), file);
        }

        if (!MerkleProof.VerifyInclusion(leaf, proof.Index, signed.Size, proof.Path, signed.Root))
        {
            report.Fault(FaultKind.Proof, $"its path does not lead from this entry to the root of the {signed.Size} events", file, proof.Index + 1);
        }

        if (report.FaultCount == 0)
        {
            report.Checked($"proof      position {proof.Index + 1} is in the {signed.Size} events that {signed.Origin} signed");
        }
    }

    private static async Task OfPositionAsync(long position, ISite site, Checkpoint? checkpoint, string? output, Report report, CancellationToken cancellationToken)
    {
        if (checkpoint is null)
        {
            return;
        }

        var entries = new LogEntries(site, checkpoint);
        entries.Within(position);
        var entry = await entries.EntryAsync(position, cancellationToken).ConfigureAwait(false);
        report.Checked($"entry      position {position}: {Encoding.UTF8.GetString(entry)}");
        var proof = new TlogProof(
            position - 1, await entries.Tree.InclusionAsync(position - 1, cancellationToken).ConfigureAwait(false),
            SignedNote.Parse(await site.NeedAsync(ExportPaths.Checkpoint, cancellationToken).ConfigureAwait(false)));
        report.Checked($"proof      {proof.Path.Count} hashes from the entry to the root of the {checkpoint.Size} events");
        if (output is not null)
        {
            await File.WriteAllTextAsync(output, proof.Format(), cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<MerkleHash> LeafAsync(
        long position, string? entry, string? @event, ISite? site, Checkpoint? checkpoint, Report report, CancellationToken cancellationToken)
    {
        if (entry is not null)
        {
            return MerkleTree.LeafHash(Input.Read(entry));
        }

        if (@event is not null)
        {
            var exported = ExportedEvent.Parse(Input.Read(@event), strict: false);
            return exported.IsErased ? throw new CannotAskException($"{@event} was erased: without its salt its entry cannot be computed. Use --entry or --log.") : exported.Leaf();
        }

        if (site is null || checkpoint is null)
        {
            throw new CannotAskException("A proof is of an entry: give it with --event FILE, --entry FILE or --log.");
        }

        var entries = new LogEntries(site, checkpoint);
        entries.Within(position);
        report.Note($"The entry was taken from {site.Name}.");
        return MerkleTree.LeafHash(await entries.EntryAsync(position, cancellationToken).ConfigureAwait(false));
    }
}

/// <summary><c>verify_anchor event</c>: is this the event that the log committed to?</summary>
internal static class EventVerb
{
    public static Command Create()
    {
        var what = new Argument<string>("FILE|POSITION") { Description = "A line of events/ or the answer of /events/POSITION; or a position." };
        var log = new Option<string>("--log") { Description = "The log: an exported folder, or https://HOST/log.", Required = true };
        var command = new Command("event", "Opens an event's commitment, and finds its entry in the log.") { what, log };
        var common = new Common().AddTo(command);
        command.SetAction((parsed, cancellationToken) => common.RunAsync(parsed, async report =>
        {
            var site = Site.Open(parsed.GetValue(log)!);
            var trust = await common.TrustAsync(parsed, site, [], report, cancellationToken).ConfigureAwait(false);
            if (await Head.ReadAsync(site, trust, report, cancellationToken).ConfigureAwait(false) is not { } checkpoint)
            {
                return;
            }

            var (entries, subject) = (new LogEntries(site, checkpoint), parsed.GetValue(what)!);
            ExportedEvent exported;
            if (long.TryParse(subject, NumberStyles.None, CultureInfo.InvariantCulture, out var position) && !File.Exists(subject))
            {
                entries.Within(position);
                exported = await entries.EventAsync(position, cancellationToken).ConfigureAwait(false) ?? throw new CannotAskException($"{site.Name} does not show the event at position {position}.");
            }
            else
            {
                exported = ExportedEvent.Parse(Input.Read(subject), strict: false);
                entries.Within(exported.Position);
            }

            await entries.OpenAsync(exported, report, cancellationToken).ConfigureAwait(false);
            if (exported.IsErased)
            {
                report.Note($"The event was erased in part: only its stream, type, version, time and id could be compared with the log.");
            }

            if (report.FaultCount == 0)
            {
                report.Checked($"event      position {exported.Position}: {(exported.Event is { } e ? $"{e.Type} of {e.Stream}, version {e.Version}, at {e.At}" : "void")}");
            }
        }));
        return command;
    }
}

/// <summary><c>verify_anchor market</c>: a settlement decided again by a third party.</summary>
internal static class MarketVerb
{
    public static Command Create()
    {
        var what = new Argument<string>("FILE|ID") { Description = "A file of `mbp anchor export --market`, or the id of a settled market in --log." };
        var log = Common.LogOption();
        var command = new Command("market", "Decides every command of a market again, and compares the plan and each payout to the unit.") { what, log };
        var common = new Common().AddTo(command);
        command.SetAction((parsed, cancellationToken) => common.RunAsync(parsed, async report =>
        {
            var subject = parsed.GetValue(what)!;
            var site = parsed.GetValue(log) is { } name ? Site.Open(name) : null;
            if (File.Exists(subject))
            {
                await OfFileAsync(subject, parsed, common, site, report, cancellationToken).ConfigureAwait(false);
                return;
            }

            site = site ?? throw new CannotAskException($"There is no file '{subject}'; for a market by its id, give --log.");
            var trust = await common.TrustAsync(parsed, site, [], report, cancellationToken).ConfigureAwait(false);
            if (await Head.ReadAsync(site, trust, report, cancellationToken).ConfigureAwait(false) is { } checkpoint)
            {
                await new MarketCheck(report).RunAsync(subject, site, checkpoint, cancellationToken).ConfigureAwait(false);
            }
        }));
        return command;
    }

    private static async Task OfFileAsync(string name, ParseResult parsed, Common common, ISite? site, Report report, CancellationToken cancellationToken)
    {
        Domain.Audit.MarketFile file;
        Checkpoint checkpoint;
        try
        {
            file = Domain.Audit.MarketFile.Parse(Input.Read(name));
            checkpoint = Checkpoint.Of(file.Checkpoint);
        }
        catch (LogFormatException e)
        {
            report.Fault(FaultKind.Format, e.Message, name);
            return;
        }

        var trust = await common.TrustAsync(parsed, site, file.VerifierKeys, report, cancellationToken).ConfigureAwait(false);
        if (trust.WhyNot(file.Checkpoint, checkpoint) is { } why)
        {
            report.Fault(FaultKind.Signature, why, name);
        }
        else
        {
            report.Checked($"checkpoint {checkpoint.Origin}, {checkpoint.Size} events, root {checkpoint.Root}");
        }

        if (trust.Policy is { } policy && policy.Check(file.Checkpoint) is { Satisfied: false } check)
        {
            report.Fault(FaultKind.Quorum, string.Join(' ', check.Missing), name);
        }

        if (site is not null && await Head.ReadAsync(site, trust, report, cancellationToken).ConfigureAwait(false) is { } head)
        {
            await new HeadCheck(site, trust, report).ExtendsAsync(name, checkpoint, head, cancellationToken).ConfigureAwait(false);
        }

        new MarketCheck(report).Run(file, checkpoint, name);
    }
}

/// <summary><c>verify_anchor consistency</c>: two checkpoints of one log, one history?</summary>
internal static class ConsistencyVerb
{
    public static Command Create()
    {
        var first = new Argument<string>("A") { Description = "A checkpoint." };
        var second = new Argument<string>("B") { Description = "Another." };
        var log = Common.LogOption();
        var command = new Command("consistency", "That two checkpoints are of one history; two that cannot both be true convict the log.") { first, second, log };
        var common = new Common().AddTo(command);
        command.SetAction((parsed, cancellationToken) => common.RunAsync(parsed, async report =>
        {
            var site = parsed.GetValue(log) is { } name ? Site.Open(name) : null;
            var trust = await common.TrustAsync(parsed, site, [], report, cancellationToken).ConfigureAwait(false);
            var (a, b) = (Read(parsed.GetValue(first)!, trust), Read(parsed.GetValue(second)!, trust));
            if (a.Origin != b.Origin)
            {
                throw new CannotAskException($"They are of two logs: {a.Origin} and {b.Origin}.");
            }

            if (a.Size == b.Size)
            {
                if (a.Root != b.Root)
                {
                    report.Fault(FaultKind.Fork, $"for the same {a.Size} events one has the root {a.Root}, the other {b.Root}", parsed.GetValue(second));
                }
                else
                {
                    report.Checked($"same       both are of {a.Size} events with the root {a.Root}");
                }

                return;
            }

            // Two trees that are both beginnings of a third are beginnings of each other.
            site = site ?? throw new CannotAskException("Two checkpoints of different sizes need --log: its tiles are the proof.");
            if (await Head.ReadAsync(site, trust, report, cancellationToken).ConfigureAwait(false) is { } checkpoint)
            {
                var head = new HeadCheck(site, trust, report);
                var one = await head.ExtendsAsync(parsed.GetValue(first)!, a, checkpoint, cancellationToken).ConfigureAwait(false);
                if (await head.ExtendsAsync(parsed.GetValue(second)!, b, checkpoint, cancellationToken).ConfigureAwait(false) && one)
                {
                    report.Checked($"consistent {a.Size} and {b.Size} events are beginnings of the log's {checkpoint.Size}");
                }
            }
        }));
        return command;
    }

    private static Checkpoint Read(string file, Trust trust)
    {
        try
        {
            var note = SignedNote.Parse(Input.Read(file));
            var checkpoint = Checkpoint.Of(note);
            return trust.WhyNot(note, checkpoint) is { } why ? throw new CannotAskException($"{file} proves nothing: {why}.") : checkpoint;
        }
        catch (LogFormatException e)
        {
            throw new CannotAskException($"{file} is no checkpoint: {e.Message}", e);
        }
    }
}

/// <summary><c>verify_anchor evidence</c>: a folder and the one hash over it.</summary>
internal static class EvidenceVerb
{
    public static Command Create()
    {
        var folder = new Argument<string>("DIR") { Description = "A folder with ANCHOR.json or MANIFEST." };
        var root = new Option<string?>("--root") { Description = "The root that was anchored elsewhere, in hex." };
        var @base = new Option<string?>("--base") { Description = "What the paths in ANCHOR.json are relative to, where it is not DIR." };
        var command = new Command("evidence", "That the files of a folder are those that were hashed.") { folder, root, @base };
        var common = new Common().AddTo(command);
        command.SetAction((parsed, cancellationToken) => common.RunAsync(
            parsed, report => EvidenceCheck.RunAsync(parsed.GetValue(folder)!, parsed.GetValue(root), parsed.GetValue(@base), report, cancellationToken)));
        return command;
    }
}
