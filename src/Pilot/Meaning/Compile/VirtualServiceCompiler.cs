using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Istio.Networking.V1Alpha3;

namespace Lateen.Pilot.Meaning.Compile;

/// <summary>Resolves the names of VirtualServices, takes delegates in, and sorts them by gateway and audience.</summary>
internal static class VirtualServiceCompiler
{
    public static VirtualServiceIndex Index(List<Meant<VirtualService>> rules, MeshSettings settings)
    {
        var resolved = rules.ConvertAll(rule => Resolved(rule, settings));
        var defaults = settings.Mesh.DefaultVirtualServiceExportTo;
        var delegates = resolved.Where(rule => rule.Spec.Hosts.Count == 0)
            .ToDictionary(rule => rule.Origin.FullName,
                rule => (Rule: rule, Export: Export.Of(rule.Spec.ExportTo, rule.Origin.Namespace, defaults)));
        var taken = new Dictionary<string, ImmutableArray<string>>();
        var open = new Dictionary<string, List<Meant<VirtualService>>>();
        var own = new Dictionary<(string, string), List<Meant<VirtualService>>>();
        var exported = new Dictionary<(string, string), List<Meant<VirtualService>>>();
        foreach (var root in resolved.Where(rule => rule.Spec.Hosts.Count > 0))
        {
            var rule = TakeIn(root, delegates, taken);
            var ns = rule.Origin.Namespace;
            var export = Export.Of(rule.Spec.ExportTo, ns, defaults);
            if (export.IsNone) continue;
            foreach (var gateway in GatewaysOf(rule.Spec))
            {
                if (export.IsPublic) Add(open, gateway, rule);
                else
                {
                    foreach (var audience in export.Namespaces) Add(audience == ns ? own : exported, (audience, gateway), rule);
                }
            }
        }
        return new VirtualServiceIndex
        {
            PublicByGateway = open.ToFrozenDictionary(pair => pair.Key, pair => pair.Value.ToImmutableArray()),
            PrivateByNamespace = own.ToFrozenDictionary(pair => pair.Key, pair => pair.Value.ToImmutableArray()),
            ExportedToNamespace = exported.ToFrozenDictionary(pair => pair.Key, pair => pair.Value.ToImmutableArray()),
            DelegatesOf = taken.ToFrozenDictionary(),
        };
    }

    private static IEnumerable<string> GatewaysOf(VirtualService rule) =>
        rule.Gateways.Count == 0 ? [VirtualServiceIndex.MeshGateway] : rule.Gateways.Distinct();

    private static void Add<TKey>(Dictionary<TKey, List<Meant<VirtualService>>> into, TKey key, Meant<VirtualService> rule)
        where TKey : notnull
    {
        if (!into.TryGetValue(key, out var list)) into.Add(key, list = []);
        list.Add(rule);
    }

    // ---- names

    // Names are resolved once for each rule as long as the domain is the same.
    private static readonly ConditionalWeakTable<Meant<VirtualService>, ResolvedRule> Known = [];

    private sealed record ResolvedRule(string Domain, Meant<VirtualService> Rule);

    private static Meant<VirtualService> Resolved(Meant<VirtualService> rule, MeshSettings settings)
    {
        if (Known.TryGetValue(rule, out var known) && known.Domain == settings.DomainSuffix) return known.Rule;
        var made = new ResolvedRule(settings.DomainSuffix, new Meant<VirtualService>(rule.Origin, Resolve(rule, settings)));
        Known.AddOrUpdate(rule, made);
        return made.Rule;
    }

    private static VirtualService Resolve(Meant<VirtualService> rule, MeshSettings settings)
    {
        var spec = rule.Spec.Clone();
        var ns = rule.Origin.Namespace;
        string Host(string host) => Hosts.Resolve(host, ns, settings.DomainSuffix);
        for (var i = 0; i < spec.Hosts.Count; i++) spec.Hosts[i] = Host(spec.Hosts[i]);
        Gateways(spec.Gateways, ns);
        foreach (var match in spec.Http.SelectMany(http => http.Match)) Gateways(match.Gateways, ns);
        foreach (var match in spec.Tcp.SelectMany(tcp => tcp.Match)) Gateways(match.Gateways, ns);
        foreach (var match in spec.Tls.SelectMany(tls => tls.Match)) Gateways(match.Gateways, ns);
        foreach (var destination in Destinations.Of(spec)) destination.Host = Host(destination.Host);
        return spec;
    }

    private static void Gateways(IList<string> gateways, string ns)
    {
        for (var i = 0; i < gateways.Count; i++)
        {
            var name = gateways[i];
            if (name == VirtualServiceIndex.MeshGateway || name.Contains('/', StringComparison.Ordinal)) continue;
            // Older resources wrote "name.namespace" or the full name of a service.
            var dot = name.IndexOf('.', StringComparison.Ordinal);
            if (dot < 0) gateways[i] = $"{ns}/{name}";
            else
            {
                var second = name.IndexOf('.', dot + 1);
                gateways[i] = $"{(second < 0 ? name[(dot + 1)..] : name[(dot + 1)..second])}/{name[..dot]}";
            }
        }
    }

    // ---- delegates

    private static Meant<VirtualService> TakeIn(
        Meant<VirtualService> root, Dictionary<string, (Meant<VirtualService> Rule, Export Export)> delegates,
        Dictionary<string, ImmutableArray<string>> taken)
    {
        if (!root.Spec.Http.Any(http => http.Delegate is not null)) return root;
        var spec = root.Spec.Clone();
        spec.Http.Clear();
        var names = new List<string>();
        foreach (var http in root.Spec.Http)
        {
            if (http.Delegate is null)
            {
                spec.Http.Add(http);
                continue;
            }
            var ns = http.Delegate.Namespace.Length > 0 ? http.Delegate.Namespace : root.Origin.Namespace;
            var name = $"{ns}/{http.Delegate.Name}";
            names.Add(name);
            if (!delegates.TryGetValue(name, out var found) || !found.Export.Includes(root.Origin.Namespace)) continue;
            spec.Http.Add(DelegateRoutes.Merge(http, found.Rule.Spec.Http));
        }
        taken[root.Origin.FullName] = [.. names.Distinct()];
        return new Meant<VirtualService>(root.Origin, spec);
    }
}
