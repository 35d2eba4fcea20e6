return await Mbp.Verify.Verbs.VerifyCommand.RunAsync(args, Console.Out, Console.Error);
