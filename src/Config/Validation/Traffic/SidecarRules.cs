using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;
using Mode = Istio.Networking.V1Alpha3.OutboundTrafficPolicy.Types.Mode;
using TlsMode = Istio.Networking.V1Alpha3.ServerTLSSettings.Types.TLSmode;

namespace Lateen.Config.Validation.Traffic;

/// <summary>Sidecar.</summary>
internal static class SidecarRules
{
    private static readonly string[] OwnAddresses = ["127.0.0.1", "0.0.0.0", "[::1]", "[::]"];

    public static void Check(Findings f, Sidecar sidecar, string ns)
    {
        Rules.SelectorLabels(f, "spec.workloadSelector.labels", sidecar.WorkloadSelector?.Labels ?? []);
        var isEmpty = sidecar.Egress.Count == 0 && sidecar.Ingress.Count == 0 && sidecar.OutboundTrafficPolicy is null
            && sidecar.InboundConnectionPool is null;
        f.ErrorIf(isEmpty, Codes.Empty, "spec", "sidecar: empty configuration provided");
        var ports = new HashSet<uint>();
        for (var i = 0; i < sidecar.Ingress.Count; i++) Ingress(f, $"spec.ingress[{i}]", sidecar.Ingress[i], ports);
        TrafficPolicyRules.ConnectionPool(f, "spec.inboundConnectionPool", sidecar.InboundConnectionPool);
        Egress(f, sidecar);
        SidecarHostRules.Redundant(f, sidecar, ns);
        Outbound(f, "spec.outboundTrafficPolicy", sidecar.OutboundTrafficPolicy);
    }

    private static void Ingress(Findings f, string path, IstioIngressListener listener, HashSet<uint> ports)
    {
        if (listener.Port is not { } port)
        {
            f.Error(Codes.Required, path + ".port", "port is required for ingress listeners");
            return;
        }

        Rules.Port(f, path + ".port.number", port.Number);
        PortNameAndProtocol(f, path, port);
        f.ErrorIf(!ports.Add(port.Number), Codes.Duplicate, path + ".port", $"ports on ingress listeners must be unique: {port.Number}");
        f.ErrorIf(listener.Bind.Length > 0 && !NameRules.IsAddress(listener.Bind), Codes.BadAddress, path + ".bind",
            $"\"{listener.Bind}\" is not a valid IP address");
        DefaultEndpoint(f, path + ".defaultEndpoint", listener.DefaultEndpoint);
        TrafficPolicyRules.ConnectionPool(f, path + ".connectionPool", listener.ConnectionPool);
        if (listener.Tls is not null) IngressTls(f, path + ".tls", listener.Tls, Protocols.Parse(port.Protocol));
    }

    private static void PortNameAndProtocol(Findings f, string path, SidecarPort port)
    {
        f.ErrorIf(port.Name.Length > 0 && !NameRules.IsLabel(port.Name), Codes.BadPort, path + ".port.name",
            $"invalid port name: {port.Name}");
        f.ErrorIf(port.Protocol.Length > 0 && Protocols.Parse(port.Protocol) == Protocol.Unsupported, Codes.BadPort,
            path + ".port.protocol", $"unsupported protocol \"{port.Protocol}\"");
    }

    /// <summary>Where the application listens: on this host, or on a unix socket.</summary>
    private static void DefaultEndpoint(Findings f, string path, string endpoint)
    {
        if (endpoint.Length == 0) return;
        if (Rules.IsUnix(endpoint))
        {
            f.ErrorIf(Rules.UnixAddress(endpoint), Codes.BadAddress, path);
            return;
        }

        var colon = endpoint.LastIndexOf(':');
        var host = colon < 0 ? endpoint : endpoint[..colon];
        f.ErrorIf(!OwnAddresses.Contains(host), Codes.SidecarListener, path,
            $"defaultEndpoint must be of form 127.0.0.1:<port>, 0.0.0.0:<port>, [::1]:<port>, [::]:<port> or unix:///path, not {endpoint}");
        var isPort = int.TryParse(colon < 0 ? "" : endpoint[(colon + 1)..], System.Globalization.NumberStyles.None,
            System.Globalization.CultureInfo.InvariantCulture, out var port);
        f.ErrorIf(!isPort || port is < 1 or > 65535, Codes.BadPort, path, $"defaultEndpoint has no valid port: {endpoint}");
    }

    private static void IngressTls(Findings f, string path, ServerTLSSettings tls, Protocol protocol)
    {
        f.ErrorIf(!protocol.IsTls(), Codes.ServerTls, path, "server cannot have TLS settings for non HTTPS/TLS ports");
        f.ErrorIf(tls.SubjectAltNames.Count > 0, Codes.ServerTls, path + ".subjectAltNames",
            "subjectAltNames is not supported in ingress tls");
        f.ErrorIf(tls.HttpsRedirect, Codes.ServerTls, path + ".httpsRedirect", "httpsRedirect is not supported in ingress tls");
        f.ErrorIf(tls.CredentialName.Length > 0, Codes.ServerTls, path + ".credentialName",
            "credentialName is not supported in ingress tls");
        f.ErrorIf(tls.CredentialNames.Count > 0, Codes.ServerTls, path + ".credentialNames",
            "credentialNames is not supported in ingress tls");
        f.ErrorIf(tls.TlsCertificates.Count > 0, Codes.ServerTls, path + ".tlsCertificates",
            "tlsCertificates is not supported in ingress tls");
        f.ErrorIf(tls.Mode is not (TlsMode.Simple or TlsMode.Mutual), Codes.ServerTls, path + ".mode",
            "only SIMPLE and MUTUAL are supported in ingress tls");
        ServerTlsRules.Check(f, path, tls);
    }

    private static void Egress(Findings f, Sidecar sidecar)
    {
        var sockets = new HashSet<(string Bind, uint Port)>();
        for (var i = 0; i < sidecar.Egress.Count; i++)
        {
            var (listener, path) = (sidecar.Egress[i], $"spec.egress[{i}]");
            f.ErrorIf(listener.Hosts.Count == 0, Codes.Required, path + ".hosts",
                "sidecar: egress listener must contain at least one host");
            foreach (var host in listener.Hosts) SidecarHostRules.Check(f, path + ".hosts", host);
            if (listener.Port is null)
            {
                f.ErrorIf(i != sidecar.Egress.Count - 1, Codes.SidecarListener, path,
                    "sidecar: the egress listener with empty port should be the last listener in the list");
                f.ErrorIf(listener.Bind.Length > 0 && Rules.IsUnix(listener.Bind), Codes.SidecarListener, path + ".bind",
                    "sidecar: a unix socket needs a port with number 0");
                f.ErrorIf(listener.Bind.Length > 0 && !Rules.IsUnix(listener.Bind) && !NameRules.IsAddress(listener.Bind), Codes.BadAddress,
                    path + ".bind", $"\"{listener.Bind}\" is not a valid IP address");
                continue;
            }

            EgressPort(f, path, listener, listener.Port);
            f.ErrorIf(!sockets.Add((listener.Bind, listener.Port.Number)), Codes.Duplicate, path,
                $"sidecar: ports and sockets on egress listeners must be unique: {listener.Bind}:{listener.Port.Number}");
        }
    }

    private static void EgressPort(Findings f, string path, IstioEgressListener listener, SidecarPort port)
    {
        PortNameAndProtocol(f, path, port);
        if (port.Number > 0)
        {
            Rules.Port(f, path + ".port.number", port.Number);
            f.ErrorIf(Rules.IsUnix(listener.Bind), Codes.SidecarListener, path, "sidecar: port number must be 0 for a unix socket");
            f.ErrorIf(listener.Bind.Length > 0 && !Rules.IsUnix(listener.Bind) && !NameRules.IsAddress(listener.Bind), Codes.BadAddress,
                path + ".bind", $"\"{listener.Bind}\" is not a valid IP address");
        }
        else if (!Rules.IsUnix(listener.Bind))
            f.Error(Codes.BadAddress, path + ".bind", "sidecar: port number 0 needs a unix socket to bind to");
        else
        {
            f.ErrorIf(Rules.UnixAddress(listener.Bind), Codes.BadAddress, path + ".bind");
            f.ErrorIf(listener.CaptureMode == CaptureMode.Iptables, Codes.SidecarListener, path + ".captureMode",
                "sidecar: captureMode must be DEFAULT/NONE for unix domain socket listeners");
        }
    }

    private static void Outbound(Findings f, string path, OutboundTrafficPolicy? policy)
    {
        if (policy is null) return;
        f.ErrorIf(policy.Mode == Mode.AllowAnyDynamicDns, Codes.SidecarListener, path + ".mode",
            "ALLOW_ANY_DYNAMIC_DNS is a setting of the mesh, not of a Sidecar");
        if (policy.EgressProxy is { } proxy)
        {
            f.ErrorIf(policy.Mode != Mode.AllowAny, Codes.SidecarListener, path + ".egressProxy",
                "sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode");
            f.ErrorIf(NameRules.Domain(proxy.Host), Codes.BadHost, path + ".egressProxy.host");
            f.ErrorIf(proxy.Port is null, Codes.Required, path + ".egressProxy.port", "sidecar: egress_proxy port must be set");
            if (proxy.Port is { } port) Rules.Port(f, path + ".egressProxy.port.number", port.Number);
        }
    }
}
