using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;
using IstioGateway = Istio.Networking.V1Alpha3.Gateway;
using KubernetesGateway = Kubernetes.Gateway.V1.Gateway;
using TlsMode = Istio.Networking.V1Alpha3.ServerTLSSettings.Types.TLSmode;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>A listener that routes can attach to.</summary>
/// <param name="OwnerKind">Gateway or ListenerSet.</param>
/// <param name="Owner">Namespace and name of the owner.</param>
/// <param name="Gateway">Namespace and name of the Gateway.</param>
/// <param name="Listener">The listener.</param>
/// <param name="InternalName">Name of the converted Gateway.</param>
internal sealed record AttachableListener(
    string OwnerKind, (string Namespace, string Name) Owner, (string Namespace, string Name) Gateway, Listener Listener, string InternalName)
{
    public string Hostname => Listener.Hostname;

    /// <summary>Whether routes of a kind can attach: by what the listener speaks, or by what it says.</summary>
    public bool Takes(string kind)
    {
        if (Listener.AllowedRoutes?.Kinds is { Count: > 0 } kinds && !kinds.Any(entry => entry.Kind == kind)) return false;
        return Listener.Protocol switch
        {
            "HTTP" or "HTTPS" => kind is "HTTPRoute" or "GRPCRoute",
            "TCP" => kind == "TCPRoute",
            "TLS" => kind == "TLSRoute" || (kind == "TCPRoute" && Listener.Tls?.Mode != "Passthrough"),
            "HBONE" => true,
            _ => false,
        };
    }
}

/// <summary>Listeners of Gateways and ListenerSets as Istio's Gateways.</summary>
internal sealed class ListenerConversion(GatewayApiWorld world)
{
    private const string TerminateMode = "gateway.istio.io/tls-terminate-mode";
    private const string CipherSuites = "gateway.istio.io/tls-cipher-suites";

    public List<AttachableListener> Listeners { get; } = [];

    public List<Resource<IstioGateway>> Converted { get; } = [];

    public void Convert(Resource<KubernetesGateway> gateway)
    {
        if (gateway.Spec.Spec is not { } spec || !world.IsOurs(spec.GatewayClassName)) return;
        var identity = (gateway.Metadata.Namespace, gateway.Metadata.Name);
        Add(gateway, "Gateway", identity, gateway.Metadata, spec.Listeners);
        var sets = world.Inputs.ListenerSets.Where(set => IsChild(set, gateway)).OrderBy(set => set.Metadata.CreationTime.GetValueOrDefault())
            .ThenBy(set => set.Metadata.Namespace, StringComparer.Ordinal).ThenBy(set => set.Metadata.Name, StringComparer.Ordinal);
        foreach (var set in sets) Add(gateway, "ListenerSet", (set.Metadata.Namespace, set.Metadata.Name), set.Metadata, set.Spec.Spec.Listeners);
    }

    private bool IsChild(Resource<ListenerSet> set, Resource<KubernetesGateway> gateway)
    {
        if (set.Spec.Spec?.ParentRef is not { } parent || parent.Name != gateway.Metadata.Name) return false;
        var ns = parent.HasNamespace ? parent.Namespace : set.Metadata.Namespace;
        return ns == gateway.Metadata.Namespace
            && world.Allows(gateway.Spec.Spec.AllowedListeners?.Namespaces, "None", gateway.Metadata.Namespace, set.Metadata.Namespace);
    }

    private void Add(Resource<KubernetesGateway> gateway, string kind, (string Namespace, string Name) owner, ResourceMetadata metadata, IEnumerable<Listener> listeners)
    {
        foreach (var listener in listeners)
        {
            // Of two that can't be told apart the first one stays.
            var isTaken = Listeners.Exists(other => other.Gateway == (gateway.Metadata.Namespace, gateway.Metadata.Name)
                && other.Listener.Port == listener.Port && other.Hostname == listener.Hostname && other.Listener.Protocol == listener.Protocol);
            if (isTaken || ServerOf(gateway, owner.Namespace, listener) is not { } server) continue;
            var name = $"{owner.Name}~{GatewayApiWorld.Suffix}~{listener.Name}";
            Listeners.Add(new AttachableListener(kind, owner, (gateway.Metadata.Namespace, gateway.Metadata.Name), listener, name));
            Converted.Add(Kinds.Gateway.Create(owner.Namespace, name, new IstioGateway { Servers = { server } }, new ResourceMetadata
            {
                Name = name,
                Namespace = owner.Namespace,
                CreationTime = metadata.CreationTime,
                Labels = metadata.Labels,
                Annotations = new Dictionary<string, string>
                {
                    ["internal.istio.io/gateway-semantics"] = "gateway",
                    ["internal.istio.io/gateway-service"] = ServiceOf(gateway),
                    ["internal.istio.io/parents"] = $"{kind}/{owner.Name}/{listener.Name}.{owner.Namespace}",
                },
            }));
        }
    }

    // One that names a host is bound to a service that exists; every other one is deployed under its own and its class's name.
    private string ServiceOf(Resource<KubernetesGateway> gateway)
    {
        var (meta, spec) = (gateway.Metadata, gateway.Spec.Spec);
        if (spec.Addresses.Count > 0 && spec.Addresses.All(address => address.Type == "Hostname"))
        {
            return string.Join(',', spec.Addresses.Select(address => address.Value.Contains('.', StringComparison.Ordinal) ? address.Value : world.HostOf(address.Value, meta.Namespace)));
        }
        var name = meta.Annotations.GetValueOrDefault("gateway.istio.io/name-override", $"{meta.Name}-{spec.GatewayClassName}");
        return world.HostOf(name, meta.Namespace);
    }

    private Server? ServerOf(Resource<KubernetesGateway> gateway, string ownerNamespace, Listener listener)
    {
        if (listener.Protocol is not ("HTTP" or "HTTPS" or "TLS" or "TCP")) return null;
        var server = new Server { Port = new Port { Name = "default", Number = (uint)listener.Port, Protocol = listener.Protocol } };
        if (listener.Protocol is "HTTPS" or "TLS")
        {
            if (TlsOf(gateway, ownerNamespace, listener) is not { } tls) return null;
            server.Tls = tls;
        }
        var host = listener.Hostname.Length > 0 ? listener.Hostname : "*";
        server.Hosts.Add(NamespacesOf(listener.AllowedRoutes?.Namespaces, ownerNamespace).Select(ns => $"{ns}/{host}"));
        return server;
    }

    private IEnumerable<string> NamespacesOf(RouteNamespaces? allowed, string own)
    {
        switch (allowed is { HasFrom: true } ? allowed.From : "Same")
        {
            case "All":
                return ["*"];
            case "Selector":
                var chosen = world.Registry.Namespaces.Keys.Where(ns => world.Allows(allowed, "Same", own, ns)).Order(StringComparer.Ordinal).ToList();
                return chosen.Count > 0 ? chosen : ["~"];
            default:
                return [own];
        }
    }

    // Null when the certificate may not be referred to: then nobody is served rather than served without it.
    private ServerTLSSettings? TlsOf(Resource<KubernetesGateway> gateway, string ownerNamespace, Listener listener)
    {
        var written = listener.Tls ?? new ListenerTLSConfig();
        if (written is { HasMode: true, Mode: "Passthrough" }) return new ServerTLSSettings { Mode = TlsMode.Passthrough };
        var tls = new ServerTLSSettings { Mode = TlsMode.Simple };
        if (written.Options.TryGetValue(CipherSuites, out var suites)) tls.CipherSuites.Add(suites.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
        switch (written.Options.GetValueOrDefault(TerminateMode))
        {
            case "ISTIO_MUTUAL":
                tls.Mode = TlsMode.IstioMutual;
                return tls;
            case "ISTIO_SIMPLE":
                tls.CredentialName = "builtin://";
                return tls;
            case "MUTUAL":
                tls.Mode = TlsMode.Mutual;
                break;
            case "OPTIONAL_MUTUAL":
                tls.Mode = TlsMode.OptionalMutual;
                break;
        }
        var names = new List<string>();
        foreach (var reference in written.CertificateRefs)
        {
            var ns = reference.HasNamespace ? reference.Namespace : ownerNamespace;
            if (!world.Grants(ownerNamespace == gateway.Metadata.Namespace ? "Gateway" : "ListenerSet", ownerNamespace, "", "Secret", ns, reference.Name)) return null;
            names.Add($"kubernetes-gateway://{ns}/{reference.Name}");
        }
        if (names.Count == 0) return null;
        if (names.Count == 1) tls.CredentialName = names[0];
        else tls.CredentialNames.Add(names);
        Frontend(tls, gateway, listener.Port);
        return tls;
    }

    private static void Frontend(ServerTLSSettings tls, Resource<KubernetesGateway> gateway, int port)
    {
        if (gateway.Spec.Spec.Tls?.Frontend is not { } frontend) return;
        var settings = frontend.PerPort.FirstOrDefault(entry => entry.Port == port)?.Tls ?? frontend.Default;
        if (settings?.Validation is not { CaCertificateRefs.Count: > 0 } validation) return;
        var reference = validation.CaCertificateRefs[0];
        var ns = reference.HasNamespace ? reference.Namespace : gateway.Metadata.Namespace;
        var scheme = reference.Kind == "ConfigMap" ? "configmap" : "kubernetes-gateway";
        tls.CaCertCredentialName = $"{scheme}://{ns}/{reference.Name}-cacert";
        var isOptional = validation.Mode == "AllowInsecureFallback";
        tls.Mode = isOptional ? TlsMode.OptionalMutual : TlsMode.Mutual;
        tls.InsecureSkipVerify = isOptional;
    }
}
