namespace Mbp.Domain.Tests.Conformance;

/// <summary>Files that tests read. Those in the shared folder beside the repository are not always there.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    public static string Shared(string file) => Path.GetFullPath(Path.Combine(Root, "..", "shared", file));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "EventSourcedMbp.sln")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("The tests do not run inside the repository.");
        }

        return folder.FullName;
    }
}

/// <summary>A test over a file in the shared folder beside the repository; skipped, with the file's name, where it is absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SharedFileFactAttribute : FactAttribute
{
    public SharedFileFactAttribute(string file)
    {
        if (!File.Exists(Repository.Shared(file)))
        {
            Skip = $"The shared file {file} is not beside the repository.";
        }
    }
}
