using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>Cuts a scope down to what the clusters of one service port depend on.</summary>
internal static class OutboundInputs
{
    public static OutboundClusterInputs Of(ProxyScope scope, ClusterClient client, Service service, ServicePort port, bool isSni) =>
        Of(scope, client, service, port, isSni, scope.Snapshot.Registry.EndpointsOf(service.Key));

    /// <summary>The same for a service that has, or had, these endpoints. Clusters that carry their endpoints always carry the
    /// newest.</summary>
    public static OutboundClusterInputs Of(ProxyScope scope, ClusterClient client, Service service, ServicePort port, bool isSni,
        ServiceEndpoints endpoints)
    {
        var snapshot = scope.Snapshot;
        var rule = scope.Imports.DestinationRule(service.Hostname, scope.Labels);
        var policy = TrafficPolicies.ForPort(rule?.Rule.Spec.TrafficPolicy, port.Number);
        return new OutboundClusterInputs
        {
            Service = service,
            Port = port,
            Rule = rule,
            Settings = snapshot.Settings,
            ServiceMode = ModeOf(snapshot, service, port, policy, endpoints),
            IdentityList = isSni ? "" : Identities(snapshot.Settings, service, endpoints),
            Client = client,
            Endpoints = EndpointAssignment.IsDns(service) ? EndpointClients.Inputs(scope, service, port.Number, "", "", isSni) : null,
            IsSni = isSni,
            IsAllHbone = !isSni && client.SendsHbone && AllHbone(endpoints, port),
        };
    }

    private static bool AllHbone(ServiceEndpoints endpoints, ServicePort port)
    {
        var any = false;
        foreach (var endpoint in endpoints.All)
        {
            if (endpoint.PortName != port.Name) continue;
            if (!endpoint.AcceptsHbone) return false;
            any = true;
        }
        return any;
    }

    /// <summary>The mTLS mode that a service's servers are taken to have: policies of single workloads are not known at this
    /// point.</summary>
    public static MtlsMode ModeOf(
        MeshSnapshot snapshot, Service service, ServicePort port, Istio.Networking.V1Alpha3.TrafficPolicy? policy,
        ServiceEndpoints endpoints)
    {
        if (service.MeshExternal) return MtlsMode.Unknown;
        var isDirect = service.Resolution == ServiceResolution.Passthrough
            || policy?.LoadBalancer?.Simple == Istio.Networking.V1Alpha3.LoadBalancerSettings.Types.SimpleLB.Passthrough;
        if (isDirect)
        {
            // Nobody chooses an endpoint here, so mTLS can't be decided for each: it is on only when all take it.
            var any = false;
            foreach (var endpoint in endpoints.All)
            {
                if (endpoint.PortName != port.Name) continue;
                any = true;
                if (!endpoint.AcceptsMtls) return MtlsMode.Disable;
            }
            if (!any) return MtlsMode.Disable;
        }
        return snapshot.Policies.ModeOf(service.Namespace);
    }

    /// <summary>Identities that the servers of a service may have, one a line.</summary>
    public static string Identities(MeshSettings settings, Service service, ServiceEndpoints endpoints)
    {
        if (endpoints.Identities.IsEmpty && service.SubjectAltNames.IsDefaultOrEmpty) return "";
        var all = new SortedSet<string>(endpoints.Identities, StringComparer.Ordinal);
        all.UnionWith(service.SubjectAltNames);
        foreach (var alias in settings.Mesh.TrustDomainAliases)
        {
            foreach (var identity in all.ToList())
            {
                // spiffe://DOMAIN/path: the same path under each alias is the same workload.
                const string scheme = "spiffe://";
                var slash = identity.StartsWith(scheme, StringComparison.Ordinal) ? identity.IndexOf('/', scheme.Length) : -1;
                if (slash > 0) all.Add(scheme + alias + identity[slash..]);
            }
        }
        return string.Join('\n', all);
    }
}
