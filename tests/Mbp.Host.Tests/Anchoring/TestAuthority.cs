using System.Diagnostics;
using System.Net;

namespace Mbp.Host.Tests.Anchoring;

/// <summary>A time-stamping authority by <c>openssl ts</c> behind a small listener: not our code on both ends.</summary>
internal sealed class TestAuthority : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly string _folder;

    private TestAuthority(string folder, int port)
    {
        (_folder, Address) = (folder, new Uri($"http://127.0.0.1:{port}/tsa"));
        _listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        _listener.Start();
        _ = Task.Run(ServeAsync);
    }

    public Uri Address { get; }

    public string Certificate => Path.Combine(_folder, "tsa.pem");

    /// <summary>Answers with this instead, once.</summary>
    public byte[]? Instead { get; set; }

    public byte[] Last { get; private set; } = [];

    public static bool IsPossible => Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(folder => File.Exists(Path.Combine(folder, "openssl")));

    public static TestAuthority Start(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "tsa.cnf"), """
            [req]
            distinguished_name = dn
            x509_extensions = ext
            prompt = no
            [dn]
            CN = Test authority
            [ext]
            basicConstraints = critical,CA:false
            keyUsage = critical,digitalSignature
            extendedKeyUsage = critical,timeStamping
            [tsa]
            default_tsa = here
            [here]
            serial = ./serial
            signer_digest = sha256
            default_policy = 1.2.3.4.1
            digests = sha256
            accuracy = secs:1
            ess_cert_id_alg = sha256
            """);
        File.WriteAllText(Path.Combine(folder, "serial"), "01\n");
        Run(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.pem", "-days", "30", "-config", "tsa.cnf");
        return new TestAuthority(folder, Hosting.ChildHost.FreePort());
    }

    public void Dispose() => _listener.Close();

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                var context = await _listener.GetContextAsync();
                await using (var query = File.Create(Path.Combine(_folder, "query.tsq")))
                {
                    await context.Request.InputStream.CopyToAsync(query);
                }

                Run(_folder, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "answer.tsr");
                Last = await File.ReadAllBytesAsync(Path.Combine(_folder, "answer.tsr"));
                context.Response.ContentType = "application/timestamp-reply";
                await context.Response.OutputStream.WriteAsync(Instead ?? Last);
                Instead = null;
                context.Response.Close();
            }
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
        {
            // Closed.
        }
    }

    private static void Run(string folder, params string[] arguments)
    {
        using var openssl = Process.Start(new ProcessStartInfo("openssl", arguments) { WorkingDirectory = folder, RedirectStandardError = true, RedirectStandardOutput = true })!;
        var said = openssl.StandardError.ReadToEnd();
        openssl.WaitForExit();
        Assert.True(openssl.ExitCode == 0, said);
    }
}

/// <summary>Skipped, and says why, where there is no openssl.</summary>
public sealed class OpensslFactAttribute : FactAttribute
{
    public OpensslFactAttribute()
    {
        if (!TestAuthority.IsPossible)
        {
            Skip = "There is no openssl here, whose time-stamping authority this test asks.";
        }
    }
}
