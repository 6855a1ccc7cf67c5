using Istio.Networking.V1Alpha3;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;

namespace Lateen.ControlPlane.Findings;

/// <summary>Resources of which another takes the place: Istio lets the older one win and says nothing; we say it on both.</summary>
/// <remarks>Only rivals that no merging reconciles: VirtualServices for one host in sidecars. Those on one gateway are merged, DestinationRules, too.</remarks>
public sealed class Conflicts(string domain)
{
    private IReadOnlyList<Resource<VirtualService>>? of;
    private Dictionary<ResourceKey, List<Diagnostic>> found = [];

    /// <summary>What is to be said about a resource of this view.</summary>
    public IEnumerable<Diagnostic> About(Resource resource, ResourceView view)
    {
        // A view has the list of the one before as long as no VirtualService changed.
        IReadOnlyList<Resource<VirtualService>> rivals = view.All(Kinds.VirtualService);
        if (!ReferenceEquals(of, rivals)) (of, found) = (rivals, Find(rivals));
        return found.GetValueOrDefault(resource.Key) ?? [];
    }

    private Dictionary<ResourceKey, List<Diagnostic>> Find(IReadOnlyList<Resource<VirtualService>> rivals)
    {
        var said = new Dictionary<ResourceKey, List<Diagnostic>>();
        var owners = new Dictionary<(string Audience, string Host), Resource<VirtualService>>();
        // Oldest first, then by name: the order in which Istio lets one win.
        foreach (Resource<VirtualService> service in rivals.Where(IsForSidecars))
        {
            foreach (string host in service.Spec.Hosts.Distinct())
            {
                var key = (Audience(service), Qualified(host, service.Namespace));
                if (!owners.TryGetValue(key, out Resource<VirtualService>? owner)) owners.Add(key, service);
                else Tell(said, owner, service, host);
            }
        }
        return said;
    }

    private void Tell(Dictionary<ResourceKey, List<Diagnostic>> said, Resource<VirtualService> owner, Resource<VirtualService> loser, string host)
    {
        Say(said, loser, OperatorCodes.HostTaken, DiagnosticLevel.Warning, loser, host, $"host \"{host}\" is routed by the older {owner.Key}{Place(owner)}, so these routes are not used for it in sidecars");
        Say(said, owner, OperatorCodes.HostTaken, DiagnosticLevel.Info, loser, host, $"host \"{host}\" is also claimed by the younger {loser.Key}{Place(loser)}, whose routes are not used");
    }

    private void Say(Dictionary<ResourceKey, List<Diagnostic>> said, Resource<VirtualService> about, DiagnosticCode code, DiagnosticLevel level, Resource named, string host, string text)
    {
        if (!said.TryGetValue(about.Key, out List<Diagnostic>? list)) said.Add(about.Key, list = []);
        // The two may have written one host in different words.
        string meant = Qualified(host, named.Namespace);
        int index = Math.Max(0, about.Spec.Hosts.ToList().FindIndex(own => Qualified(own, about.Namespace) == meant));
        list.Add(new Diagnostic { Code = code, Level = level, Text = text, Path = $"spec.hosts[{index}]", Position = about.PositionOf($"spec.hosts[{index}]"), Resource = about.Key.ToString(), Remedy = code.Remedy });
    }

    // A delegate has no hosts of its own; one that names only real gateways is not seen by sidecars.
    private static bool IsForSidecars(Resource<VirtualService> service) => service.Spec.Gateways.Count == 0 || service.Spec.Gateways.Contains("mesh");

    // Rules that only their own namespace sees do not meet those of others.
    private static string Audience(Resource<VirtualService> service) => service.Spec.ExportTo.Count == 1 && service.Spec.ExportTo[0] is "." ? service.Namespace : "*";

    private string Qualified(string host, string inNamespace) => host.Contains('.') || host == "*" ? host : $"{host}.{inNamespace}.svc.{domain}";

    private static string Place(Resource resource) => resource.Origin.Position is { File.Length: > 0 } place ? $" ({place.File}:{place.Line})" : "";
}
