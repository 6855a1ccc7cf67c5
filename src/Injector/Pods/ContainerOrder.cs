using System.Text.Json.Nodes;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Pods;

/// <summary>The order of containers: which come first decides what is captured, and which is meant by tools that are told none.</summary>
internal static class ContainerOrder
{
    private const string Init = "istio-init";
    private const string Validation = "istio-validation";
    private const string CoreDump = "enable-core-dump";

    /// <summary>Puts them into order.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="holdsApplications">Applications start after the proxy.</param>
    public static void Apply(JsonObject pod, bool holdsApplications)
    {
        // Behind the application's, which is then the one that tools mean.
        if (holdsApplications) First(pod, "containers", PodTree.Proxy);
        else Last(pod, "containers", PodTree.Proxy);
        if (pod.Container("initContainers", PodTree.Proxy) is not null)
        {
            // A proxy that comes first serves the other containers that do.
            foreach (var name in (string[])[CoreDump, PodTree.Proxy, Validation, Init]) First(pod, "initContainers", name);
            return;
        }
        First(pod, "initContainers", Validation);
        // Without a proxy, connections of others would go nowhere once they are captured.
        Last(pod, "initContainers", Init);
        Last(pod, "initContainers", CoreDump);
    }

    private static void First(JsonObject pod, string list, string name)
    {
        if (pod.Take(list, name) is { } container) pod.List(list).Insert(0, container);
    }

    private static void Last(JsonObject pod, string list, string name)
    {
        if (pod.Take(list, name) is { } container) pod.List(list).Add(container);
    }
}
