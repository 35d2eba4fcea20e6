using System.CommandLine;
using Mbp.Cli.Conformance;

return new RootCommand("Operates MBP.") { ConformanceVerb.Create() }.Parse(args).Invoke();
