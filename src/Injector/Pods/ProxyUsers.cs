using System.Globalization;
using System.Text.Json.Nodes;
using Istio.Mesh.V1Alpha1;
using Lateen.Injector.Trees;
using Lateen.Injector.Settings;

namespace Lateen.Injector.Pods;

/// <summary>Users and groups that proxies run as. Capture lets the proxy's user pass, so both have to agree.</summary>
internal static class ProxyUsers
{
    private const long Standard = 1337;

    /// <summary>The last ones of the ranges that a platform gave the namespace, so that they are none of the application's; the usual ones
    /// without.</summary>
    public static (long User, long Group) Of(IReadOnlyDictionary<string, string> namespaceAnnotations) =>
        (Last(namespaceAnnotations, "openshift.io/sa.scc.uid-range") ?? Standard,
            Last(namespaceAnnotations, "openshift.io/sa.scc.supplemental-groups") ?? Standard);

    /// <summary>A user that the proxy's container has in common with the application's was given to all by the platform.</summary>
    public static void ForgetAssigned(JsonObject pod)
    {
        if (pod.Container(PodTree.Proxy)?["securityContext"] is not JsonObject proxy) return;
        var application = pod["spec"].Each("containers").Concat(pod["spec"].Each("initContainers")).LastOrDefault(container =>
            container.Word("name") is not (PodTree.Proxy or "istio-init" or "istio-validation")
                && container["securityContext"].Word("runAsUser") is not null);
        if ((proxy.Word("runAsUser") ?? "0") != (application?["securityContext"].Word("runAsUser") ?? "0")) return;
        proxy.Remove("runAsUser");
        proxy.Remove("runAsGroup");
    }

    /// <summary>Makes the container that sets up capture follow a user that the pod's owner chose for the proxy.</summary>
    public static void Follow(JsonObject result, JsonObject written, ProxyConfig settings)
    {
        if (written.Container(PodTree.Proxy)?["securityContext"] is not JsonObject own
            || (own["runAsUser"] is null && own["runAsGroup"] is null)) return;
        if ((result.Container("initContainers", "istio-init") ?? result.Container("initContainers", "istio-validation")) is not { } setup)
            return;
        var isTransparent = settings.InterceptionMode == ProxyConfig.Types.InboundInterceptionMode.Tproxy
            || result.Annotations().GetValueOrDefault(InjectionAnnotations.InterceptionMode) == "TPROXY";
        // A transparent proxy binds to addresses that are not its own, which only root may.
        if (isTransparent && own["runAsUser"] is not null && result.Container(PodTree.Proxy) is { } proxy)
            proxy.Ensure("securityContext")["runAsUser"] = 0;
        if (!isTransparent && setup.Word("name") == "istio-validation")
        {
            foreach (var field in (string[])["runAsUser", "runAsGroup"])
            {
                if (own[field] is { } chosen) setup.Ensure("securityContext")[field] = chosen.DeepClone();
            }
        }
        if (own.Word("runAsUser") is not { } user || user == "0" || setup["args"] is not JsonArray arguments) return;
        for (var i = 0; i + 1 < arguments.Count; i++)
        {
            if (arguments[i]?.ToString() != "-u") continue;
            arguments[i + 1] = user;
            return;
        }
    }

    // "first/count" or "first-last"; of several the first.
    private static long? Last(IReadOnlyDictionary<string, string> annotations, string name)
    {
        if (!annotations.TryGetValue(name, out var written)) return null;
        var range = written.Split(',')[0].Trim();
        var at = range.IndexOfAny(['/', '-']);
        if (at < 0 || !long.TryParse(range[..at], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            || !long.TryParse(range[(at + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var second)) return null;
        return range[at] == '/' ? first + second - 1 : second;
    }
}
