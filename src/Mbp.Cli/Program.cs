using System.CommandLine;
using Mbp.Cli.Conformance;
using Mbp.Cli.Pricing;

const int Usage = 2;

var parsed = new RootCommand("Operates MBP.") { ConformanceVerb.Create(), TwapVerb.Create() }.Parse(args);
var result = parsed.Invoke();
return parsed.Errors.Count > 0 ? Usage : result;
