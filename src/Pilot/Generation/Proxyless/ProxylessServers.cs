using System.Globalization;
using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Istio.Security.V1Beta1;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Meaning;
using HttpRbac = Envoy.Extensions.Filters.Http.Rbac.V3.RBAC;
using PolicyAction = Istio.Security.V1Beta1.AuthorizationPolicy.Types.Action;
using Rbac = Envoy.Config.Rbac.V3.RBAC;
using RbacAction = Envoy.Config.Rbac.V3.RBAC.Types.Action;

namespace Lateen.Pilot.Generation.Proxyless;

/// <summary>Listeners of gRPC servers that have no proxy in front of them.</summary>
internal sealed class ProxylessServers(ProxyInputs inputs)
{
    private const string TlsModeLabel = "security.istio.io/tlsMode";
    private const string RbacFilter = "envoy.filters.http.rbac";

    /// <summary>The listener of a name; null where no service is served at its port.</summary>
    public Listener? At(string name)
    {
        var (host, port) = ListenerNames.Split(name[ListenerNames.Inbound.Length..]);
        if (port is not { } number || inputs.Scope.Targets.LastOrDefault(target => target.TargetPort == number) is not { } served)
            return null;
        // Neither listener filters nor anything about original destinations: libraries refuse a listener that has them.
        var listener = new Listener { Name = name, Address = ListenerRenderer.AddressOf(host, number), FilterChains = { Chain(number) } };
        if (inputs.Features.DualStack)
            listener.AdditionalAddresses.Add(
                ListenerRenderer.Additional(ServiceAddresses.Extra(served.Service, inputs.Node, inputs.Features), number));
        return listener;
    }

    private FilterChain Chain(int port)
    {
        var isMutual = IsMutual(new PeerSecurity(inputs).For(port).Mode);
        var suffix = isMutual ? "mtls" : "plaintext";
        var manager = new HttpConnectionManager { RouteConfig = EverythingHere() };
        manager.HttpFilters.Add(Access());
        manager.HttpFilters.Add(HttpFilters.Router(suppressDebugHeaders: false));
        var chain = new FilterChain { Name = $"inbound-{suffix}", Filters = { NetworkFilters.Named($"inbound-hcm{suffix}", manager) } };
        if (isMutual)
        {
            chain.TransportSocket = new TransportSocket
            {
                Name = ProxylessTls.SocketName,
                TypedConfig = Wire.Pack(new DownstreamTlsContext
                {
                    CommonTlsContext = ProxylessTls.Context([]),
                    RequireClientCertificate = true,
                }),
            };
        }
        return chain;
    }

    // Libraries can't serve both at one port. Clients speak mTLS to whoever has the label, so it decides.
    private bool IsMutual(MtlsMode mode) =>
        mode == MtlsMode.Strict || mode == MtlsMode.Permissive && inputs.Scope.Labels.GetValueOrDefault(TlsModeLabel) == "istio";

    private static RouteConfiguration EverythingHere() => new()
    {
        Name = "inbound",
        VirtualHosts =
        {
            new VirtualHost
            {
                Domains = { "*" },
                Routes = { new Envoy.Config.Route.V3.Route
                {
                    Match = new RouteMatch { Prefix = "/" },
                    NonForwardingAction = new NonForwardingAction(),
                } },
            },
        },
    };

    // Libraries know these two actions and refuse others.
    private IEnumerable<HttpFilter> Access()
    {
        var target = new PolicyTarget(inputs.Node.Namespace, inputs.Scope.Labels);
        var policies = WorkloadPolicies.AuthorizationPolicies(inputs.Scope.Snapshot.Policies, target,
            inputs.Scope.Snapshot.Settings.RootNamespace).ToList();
        foreach (var (written, action, name) in new[] { (PolicyAction.Deny, RbacAction.Deny, $"{RbacFilter}.DENY"),
            (PolicyAction.Allow, RbacAction.Allow, RbacFilter) })
        {
            var chosen = policies.Where(policy => policy.Spec.Action == written).ToList();
            var rules = Rules(chosen, action);
            // Policies that allow nothing must not end as no policy.
            if (rules.Policies.Count > 0 || action == RbacAction.Allow && chosen.Count > 0)
                yield return HttpFilters.Named(name, new HttpRbac { Rules = rules });
        }
    }

    private static Rbac Rules(IEnumerable<Meant<AuthorizationPolicy>> policies, RbacAction action)
    {
        var made = new Rbac { Action = action };
        foreach (var policy in policies)
        {
            var translation = new RbacRuleInputs(policy.Origin.Namespace, false, action, false, []);
            foreach (var (index, rule) in policy.Spec.Rules.Index())
            {
                if (RbacRules.Build(rule ?? new Rule(), translation) is { } built)
                    made.Policies[string.Create(CultureInfo.InvariantCulture, $"{policy.Origin.Namespace}-{policy.Origin.Name}-{index}")] =
                        built;
            }
        }
        return made;
    }
}
