using Istio.Networking.V1Alpha3;
using Lateen.Api.Diagnostics;
using Lateen.Api.Names;
using Lateen.Config.Resources;

namespace Lateen.ControlPlane.Findings.Rivals;

/// <summary>ServiceEntries and Services that declare one host. In one namespace one of them is the service; of several namespaces a client
/// takes one.</summary>
internal static class RivalEntries
{
    private const string Squatting = "a Service of the cluster comes before a ServiceEntry";
    private const string Nearest =
        "a client takes the one of its own namespace, else a Service of the cluster, else the oldest that it sees";

    public static IEnumerable<Rivalry> Find(IReadOnlyList<Resource<ServiceEntry>> ordered,
        IReadOnlyList<Resource<Kubernetes.Core.V1.Service>> services, string domain)
    {
        if (ordered.Count == 0) yield break;
        var cluster = services.ToDictionary(service => $"{service.Name}.{service.Namespace}.svc.{domain}",
            service => new Claim(service, "metadata.name"));
        var first = new Dictionary<string, Claim>();
        var own = new Dictionary<(string Host, string Namespace), Claim>();
        foreach (Resource<ServiceEntry> entry in ordered)
        {
            for (int i = 0; i < entry.Spec.Hosts.Count; i++)
            {
                string host = entry.Spec.Hosts[i];
                var claim = new Claim(entry, $"spec.hosts[{i}]");
                if (cluster.TryGetValue(host, out Claim service)) yield return Against(service, claim, host);
                else if (!own.TryAdd((host, entry.Namespace), claim)) yield return Same(own[(host, entry.Namespace)], claim, host);
                else if (IsSeenElsewhere(entry.Spec) && !first.TryAdd(host, claim)) yield return Told(first[host], claim, host);
            }
        }
    }

    private static Rivalry Against(Claim service, Claim entry, string host) => service.Resource.Namespace == entry.Resource.Namespace
        ? Rivalry.Of(OperatorCodes.EntryTaken, service, entry, $"host \"{host}\"", Squatting)
        : Told(service, entry, host);

    // The endpoints of both are used; ports, resolution and addresses are those of the winner.
    private static Rivalry Same(Claim winner, Claim loser, string host) =>
        Rivalry.Of(OperatorCodes.EntryTaken, winner, loser, $"host \"{host}\" (its ports, resolution and addresses; endpoints add up)");

    private static Rivalry Told(Claim first, Claim other, string host) =>
        new(OperatorCodes.EntryTaken, first, $"host \"{host}\" is also declared by {other}: {Nearest}", other,
            $"host \"{host}\" is also declared by {first}: {Nearest}") { Level = DiagnosticLevel.Info };

    private static bool IsSeenElsewhere(ServiceEntry entry) => !(entry.ExportTo.Count == 1 && entry.ExportTo[0] is ".");
}
