using System.CommandLine;
using Mbp.Cli.Conformance;
using Mbp.Cli.Pricing;

return new RootCommand("Operates MBP.") { ConformanceVerb.Create(), TwapVerb.Create() }.Parse(args).Invoke();
