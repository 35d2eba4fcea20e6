using System.Globalization;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using YamlDotNet.RepresentationModel;

namespace Mbp.Policies;

/// <summary>What is wrong in a file, and where.</summary>
/// <param name="Line">From 1; 0 = the file as a whole.</param>
/// <param name="Field">The field, as the file spells it; empty = the file.</param>
/// <param name="Rule">What it must be.</param>
public sealed record PolicyFault(long Line, string Field, string Rule)
{
    public override string ToString() => $"line {Line}: {(Field.Length == 0 ? "" : char.IsUpper(Rule[0]) ? $"{Field}: " : $"{Field} ")}{Rule}";
}

/// <summary>A file that was read: the policy, or everything that is wrong with it.</summary>
public sealed record PolicyReading(Policy? Policy, IReadOnlyList<PolicyFault> Faults);

/// <summary>Reads a rule set from YAML (specs/policies): nothing is guessed, and nothing unknown is passed over.</summary>
public static class PolicyFile
{
    /// <summary>A rule set is a page of text; a larger file is somebody's mistake.</summary>
    public const int LargestFile = 64 * 1024;

    public static PolicyReading Read(string yaml)
    {
        ArgumentNullException.ThrowIfNull(yaml);
        if (yaml.Length > LargestFile)
        {
            return Failed(0, "", $"the file has at most {LargestFile} characters");
        }

        if (PlainYaml.Load(yaml, out var fault) is not { } root)
        {
            return new PolicyReading(null, [fault!]);
        }

        var file = new Section(root, "");
        var rules = Ruleset(file);
        file.Close();
        var faults = file.Faults.Count > 0
            ? file.Faults
            : [.. RulesetChecks.Faults(rules).Select(broken => new PolicyFault(file.LineOf(broken.Field), broken.Field, broken.Rule))];
        return faults.Count > 0 ? new PolicyReading(null, [.. faults.OrderBy(found => found.Line)]) : new PolicyReading(Policy.Of(rules), []);
    }

    private static PolicyReading Failed(long line, string field, string rule) => new(null, [new PolicyFault(line, field, rule)]);

    private static Ruleset Ruleset(Section file) => new(
        file.Text("name"), file.Text("version"), file.Flag("operators_only"),
        file.Child("trading", s => new TradingRules(
            s.Value<Price>("min_price", Price.TryParse), s.Value<Price>("max_price", Price.TryParse), s.Flag("seed_locked"))) ?? file.Missing("trading", new TradingRules(null, null, false)),
        file.Child("resolution", s => new ResolutionTimes(
                s.Whole("dispute_window_minutes"), s.OptionalWhole("sla_hours"), s.OptionalFlag("auto_start"), s.OptionalWhole("void_hours"),
                s.OptionalWhole("postpone_minutes"), s.OptionalWhole("max_postponements")))
            ?? file.Missing("resolution", new ResolutionTimes(0, null)),
        [.. file.Child("caps", Caps) ?? []],
        file.Child("freeze", s => new FreezeRules(
            s.Child("divergence", r => new DivergenceRule(r.Whole("max_bps"), r.Whole("windows"))),
            s.Child("band", r => new BandRule(r.Whole("min_bps"), r.Whole("samples"))))),
        file.Child("halts", s => new HaltRules(
            s.Whole("warn_bps"), s.Whole("ease_hard_bps"), s.Whole("ease_soft_bps"), s.Whole("ease_warn_bps"), s.Whole("cooldown_seconds"),
            s.Whole("max_reopenings"), s.Value<Shares>("depth_floor", Shares.TryParse), s.OptionalFlag("lasting_depth"))),
        file.Child("abuse", s => new AbuseRules(
            s.Child("burst", r => new BurstRule(r.Whole("factor"), r.Whole("baseline_minutes"), r.Whole("min_trades"))),
            s.Child("cooldown", r => new CooldownRule(r.Whole("move_bps"), r.Whole("seconds"))),
            s.Child("wash", r => new WashRule(r.Whole("window_seconds"), r.Whole("tolerance_bps"), r.Whole("pairs"))),
            s.OptionalWhole("refused_per_minute"))),
        file.Child("slo", s => new SloRules(s.Whole("red_windows"), s.Whole("green_windows"), s.OptionalWhole("window_hours"))),
        file.Child("oracle", s => new OracleRules(
            [.. s.Children("sources", Voter)], [.. s.Wholes("round_minutes")], s.Whole("late_seconds"), s.Whole("stale_seconds"), s.Whole("tolerance_bps"),
            s.Child("failover", r => new FailoverRules(r.Whole("failed_rounds"), r.Whole("good_rounds"), r.Whole("dwell_seconds"))) ?? s.Missing("failover", new FailoverRules(2, 3, 300)),
            s.Child("reputation", r => new ReputationRules(r.Whole("agreed_ppm"), r.Whole("disagreed_ppm"), r.Whole("equivocated_ppm"), r.Whole("floor_ppm"))))),
        file.Child("disputes", s => new DisputeRules(
            s.Value<Credits>("min_bond", Credits.TryParse) ?? s.Missing("min_bond", Credits.Zero), s.Whole("bond_ppm"), s.Whole("panel_hours"), s.Whole("arbitration_hours"),
            [.. s.Children("panel", Voter)], [.. s.Children("arbitrators", Voter)])),
        file.Child("endpoints", s => new EndpointRules([.. s.Children("hosts", r => new PinnedHost(r.Text("host"), r.Text("key")))])));

    private static Voter Voter(Section section) => new(section.Text("id"), section.Text("key"), section.Whole("weight"), section.Text("group"));

    private static List<RiskCaps> Caps(Section section)
    {
        var caps = new List<RiskCaps>();
        foreach (var kind in Enum.GetValues<MarketKind>())
        {
            if (section.Child(Words.Of(kind), s => new RiskCaps(
                kind, s.Value<Credits>("max_exposure_per_user", Credits.TryParse), s.Value<Shares>("max_open_interest", Shares.TryParse), s.Rate("max_trade_rate"),
                s.OptionalFlag("counts_liquidity"))) is { } entry)
            {
                caps.Add(entry);
            }
        }

        return caps;
    }

    private delegate bool Parser<T>(string? text, out T value, out string? rule);

    /// <summary>A mapping of the file. It remembers what was asked for: what nobody asked for is a fault.</summary>
    private sealed class Section(YamlMappingNode node, string path, Section? parent = null)
    {
        private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
        private readonly List<Section> _children = [];
        private readonly List<PolicyFault> _faults = parent?._faults ?? [];

        public List<PolicyFault> Faults => _faults;

        public T? Child<T>(string name, Func<Section, T> read)
            where T : class
        {
            switch (Find(name))
            {
                case null:
                    return null;
                case YamlMappingNode mapping:
                    var child = new Section(mapping, Path(name), this);
                    _children.Add(child);
                    return read(child);
                case var other:
                    Fail(other, name, "is a mapping; leave it out to switch it off");
                    return null;
            }
        }

        /// <summary>A list of mappings; none where it is left out.</summary>
        public List<T> Children<T>(string name, Func<Section, T> read)
        {
            var items = new List<T>();
            foreach (var (item, index) in Items(name).Select((item, index) => (item, index)))
            {
                if (item is YamlMappingNode mapping)
                {
                    var child = new Section(mapping, $"{Path(name)}[{index}]", this);
                    _children.Add(child);
                    items.Add(read(child));
                }
                else
                {
                    Fail(item, $"{name}[{index}]", "is a mapping");
                }
            }

            return items;
        }

        /// <summary>A list of whole numbers; none where it is left out.</summary>
        public List<int> Wholes(string name) =>
            [.. Items(name).Select((item, index) => item is YamlScalarNode scalar ? Whole(scalar, $"{name}[{index}]", scalar.Value ?? "") : Fail(item, $"{name}[{index}]", "is a whole number") ? 1 : 0)];

        private IEnumerable<YamlNode> Items(string name)
        {
            switch (Find(name))
            {
                case null:
                    return [];
                case YamlSequenceNode sequence:
                    return sequence.Children;
                case var other:
                    Fail(other, name, "is a list");
                    return [];
            }
        }

        public bool? OptionalFlag(string name) => Find(name) is null ? null : Flag(name);

        public T Missing<T>(string name, T instead)
        {
            if (Find(name) is null)
            {
                _faults.Add(new PolicyFault(node.Start.Line, Path(name), "is missing"));
            }

            return instead;
        }

        public string Text(string name) => Scalar(name, isNeeded: true)?.Value ?? "";

        public bool Flag(string name) => Scalar(name, isNeeded: true) is { } scalar
            && (scalar.Value == "true" || (scalar.Value != "false" && Fail(scalar, name, "is true or false")));

        public int Whole(string name) => Scalar(name, isNeeded: true) is { } scalar ? Whole(scalar, name, scalar.Value ?? "") : 0;

        public int? OptionalWhole(string name) => Scalar(name, isNeeded: false) is { } scalar ? Whole(scalar, name, scalar.Value ?? "") : null;

        /// <summary>So many in a minute, as in <c>30/min</c>.</summary>
        public int? Rate(string name)
        {
            if (Scalar(name, isNeeded: false) is not { } scalar)
            {
                return null;
            }

            var text = scalar.Value ?? "";
            return text.EndsWith("/min", StringComparison.Ordinal) ? Whole(scalar, name, text[..^4]) : Fail(scalar, name, "is a number of trades a minute, such as 30/min") ? 0 : null;
        }

        public T? Value<T>(string name, Parser<T> parse)
            where T : struct
        {
            if (Scalar(name, isNeeded: false) is not { } scalar)
            {
                return null;
            }

            if (parse(scalar.Value, out var value, out var rule))
            {
                return value;
            }

            Fail(scalar, name, rule ?? "cannot be read");
            return null;
        }

        /// <summary>Looks for what nobody asked for, here and below.</summary>
        public void Close()
        {
            foreach (var (key, _) in node.Children)
            {
                if (key is not YamlScalarNode { Value: { } name } || !_asked.Contains(name))
                {
                    _faults.Add(new PolicyFault(key.Start.Line, Path(key.ToString()), $"is no field here; there are {string.Join(", ", _asked)}"));
                }
            }

            foreach (var child in _children)
            {
                child.Close();
            }
        }

        /// <summary>Where a field is, or the nearest section above it that is there.</summary>
        public long LineOf(string field)
        {
            YamlNode at = node;
            foreach (var name in field.Split('.'))
            {
                if (at is not YamlMappingNode mapping || !mapping.Children.TryGetValue(new YamlScalarNode(name), out var next))
                {
                    break;
                }

                at = next;
            }

            return at.Start.Line;
        }

        private YamlNode? Find(string name)
        {
            _asked.Add(name);
            return node.Children.TryGetValue(new YamlScalarNode(name), out var found) ? found : null;
        }

        private YamlScalarNode? Scalar(string name, bool isNeeded)
        {
            switch (Find(name))
            {
                case YamlScalarNode { Value.Length: > 0 } scalar:
                    return scalar;
                case null when isNeeded:
                    _faults.Add(new PolicyFault(node.Start.Line, Path(name), "is missing"));
                    return null;
                case null:
                    return null;
                case var other:
                    Fail(other, name, "is one value");
                    return null;
            }
        }

        private int Whole(YamlScalarNode scalar, string name, string text) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : Fail(scalar, name, "is a whole number") ? 1 : 0;

        private bool Fail(YamlNode at, string name, string rule)
        {
            _faults.Add(new PolicyFault(at.Start.Line, Path(name), rule));
            return false;
        }

        private string Path(string name) => path.Length == 0 ? name : $"{path}.{name}";
    }
}
