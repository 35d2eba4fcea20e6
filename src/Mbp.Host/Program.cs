using Mbp.Host;

return await MbpHost.RunAsync(args).ConfigureAwait(false);
