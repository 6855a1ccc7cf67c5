using System.CommandLine;
using Lateen.Api.Diagnostics;
using Lateen.Config.Sources.Kubernetes.Access;

namespace Lateen.Cli.Verbs;

/// <summary>The flags that name a Kubernetes API server: `--kubeconfig` and `--context`, and the account of the pod that this runs
/// in.</summary>
internal sealed class ClusterFlags
{
    public Option<string?> KubeConfig { get; } = new("--kubeconfig")
    {
        Description = "take configuration, services and workloads from the Kubernetes API that this file names (in a pod: from its own)",
        HelpName = "file",
    };

    public Option<string?> Context { get; } = new("--context")
    {
        Description = "the context of the kubeconfig; its current one by default",
        HelpName = "name",
    };

    /// <summary>The API server to use; null for none.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="isWanted">Whether the pod's own server is used when none is named.</param>
    /// <exception cref="CommandException">The kubeconfig cannot be used.</exception>
    public ClusterAccess? Access(ParseResult parsed, bool isWanted)
    {
        if (parsed.GetValue(KubeConfig) is not { } files)
        {
            return isWanted ? InCluster.Find(Environment.GetEnvironmentVariable, InCluster.Folder, TimeProvider.System) : null;
        }
        var found = new DiagnosticBag();
        return new KubeConfigReader(TimeProvider.System).Read(files.Split(':', StringSplitOptions.RemoveEmptyEntries),
            parsed.GetValue(Context), found)
            ?? throw new CommandException(string.Join("\n", found.Where(mistake => mistake.IsError)),
                "See docs/kubernetes.md for what a kubeconfig may hold.");
    }
}
