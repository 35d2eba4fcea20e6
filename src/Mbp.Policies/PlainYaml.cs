using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace Mbp.Policies;

/// <summary>
/// The part of YAML that these files are written in: one document of mappings with plain names, lists and values. Anchors, aliases and tags are refused
/// while the text is read, before a tree is made of it: a few bytes of them make a tree that contains itself, or one that no memory holds, and whoever
/// sends a file is not known yet when it is read.
/// </summary>
internal static class PlainYaml
{
    // A rule set is four levels deep and has some 200 values; the golden cases of one have some 2,000.
    private const int Deepest = 12;
    private const int MostEvents = 50_000;

    /// <summary>The mapping that the file is; else its first fault.</summary>
    public static YamlMappingNode? Load(string yaml, out PolicyFault? fault)
    {
        try
        {
            fault = Fault(yaml);
            if (fault is not null)
            {
                return null;
            }

            YamlStream stream = [];
            using var text = new StringReader(yaml);
            stream.Load(text);
            if (stream.Documents is [{ RootNode: YamlMappingNode root }])
            {
                return root;
            }
        }
        catch (YamlException e)
        {
            fault = new PolicyFault(Math.Max(1, e.Start.Line), "", e.InnerException?.Message ?? e.Message);
            return null;
        }

        fault = new PolicyFault(1, "", "the file is one YAML mapping");
        return null;
    }

    private static PolicyFault? Fault(string yaml)
    {
        using var text = new StringReader(yaml);
        var scanner = new LastSeen(new Scanner(text, skipComments: true));
        var parser = new Parser(scanner);
        // For each open collection whether it is a mapping, and whether a key is what comes next in it.
        var open = new Stack<(bool IsMapping, bool Key)>();
        try
        {
            for (var events = 0; parser.MoveNext(); events++)
            {
                var current = parser.Current!;
                if (Forbidden(current) is { } why)
                {
                    return At(current, why);
                }

                if (events >= MostEvents)
                {
                    return At(current, $"the file has at most {MostEvents} values");
                }

                if (current is NodeEvent node)
                {
                    if (open.TryPop(out var around))
                    {
                        if (around.Key && node is not Scalar)
                        {
                            return At(node, "a key is a plain name, no list and no mapping");
                        }

                        open.Push(around with { Key = around.IsMapping && !around.Key });
                    }

                    if (node is MappingStart or SequenceStart)
                    {
                        open.Push((node is MappingStart, node is MappingStart));
                        if (open.Count > Deepest)
                        {
                            return At(node, $"the file is at most {Deepest} levels deep");
                        }
                    }
                }
                else if (current is MappingEnd or SequenceEnd)
                {
                    open.Pop();
                }
            }
        }
        catch (YamlException e)
        {
            // Some of the library's faults have no place; what was read last is where they are.
            return new PolicyFault(Math.Max(e.Start.Line, scanner.Line), "", e.Message);
        }

        return null;
    }

    private static string? Forbidden(ParsingEvent current) => current switch
    {
        AnchorAlias alias => $"has no aliases (*{alias.Value}): write the value out",
        NodeEvent { Anchor.IsEmpty: false } node => $"has no anchors (&{node.Anchor})",
        NodeEvent { Tag.IsEmpty: false } node => $"has no tags ({node.Tag})",
        _ => null,
    };

    private static PolicyFault At(ParsingEvent current, string rule) => new(current.Start.Line, "", rule);

    /// <summary>A scanner that remembers where it is.</summary>
    private sealed class LastSeen(IScanner inner) : IScanner
    {
        public long Line => inner.CurrentPosition.Line;

        public Mark CurrentPosition => inner.CurrentPosition;

        public YamlDotNet.Core.Tokens.Token? Current => inner.Current;

        public bool MoveNext() => inner.MoveNext();

        public bool MoveNextWithoutConsuming() => inner.MoveNextWithoutConsuming();

        public void ConsumeCurrent() => inner.ConsumeCurrent();
    }
}
