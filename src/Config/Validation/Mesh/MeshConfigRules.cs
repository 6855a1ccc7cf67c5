// The rules of mesh-wide settings: MeshConfig, ProxyConfig and MeshNetworks. They are judged with their defaults merged in, since a setting
// that is not written has one.
//
// Pure functions over the messages; whether a provider's service exists is the registry's to say.
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Lateen.Config.Validation.Routing;
using Lateen.Config.Validation.Traffic;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Mesh;

/// <summary>MeshConfig and MeshNetworks.</summary>
public static class MeshConfigRules
{
    /// <summary>Everything that is wrong with the settings, whose defaults are merged in.</summary>
    public static Findings Check(MeshConfig mesh)
    {
        var f = new Findings();
        Rules.Port(f, "proxyListenPort", mesh.ProxyListenPort);
        f.ErrorIf(mesh.ProxyInboundListenPort != 0 && mesh.ProxyInboundListenPort is < 1 or > 65535, Codes.BadPort,
            "proxyInboundListenPort", "port number must be in the range 1..65535");
        Rules.Duration(f, "connectTimeout", mesh.ConnectTimeout);
        Rules.Duration(f, "protocolDetectionTimeout", mesh.ProtocolDetectionTimeout, zeroAllowed: true);
        Rules.Duration(f, "hboneIdleTimeout", mesh.HboneIdleTimeout, zeroAllowed: true);
        Rules.Duration(f, "dnsRefreshRate", mesh.DnsRefreshRate);
        f.ErrorIf(mesh.TrustDomain.Length > 0 ? NameRules.TrustDomain(mesh.TrustDomain) : null, Codes.Mesh, "trustDomain");
        foreach (var alias in mesh.TrustDomainAliases) f.ErrorIf(NameRules.TrustDomain(alias), Codes.Mesh, "trustDomainAliases");
        if (mesh.DefaultConfig is { } proxy) ProxyConfigRules.Check(f, "defaultConfig", proxy);
        LoadBalancerRules.Locality(f, "localityLbSetting", mesh.LocalityLbSetting, new OutlierDetection());
        LoadBalancerRules.ZoneAware(f, "zoneAwareLbSetting", mesh.ZoneAwareLbSetting, new OutlierDetection());
        HttpPolicyRules.Retries(f, "defaultHttpRetryPolicy", mesh.DefaultHttpRetryPolicy);
        InboundRetries(f, "defaultInboundHttpRetryPolicy", mesh.DefaultInboundHttpRetryPolicy);
        DefaultTrafficPolicy(f, "defaultTrafficPolicy", mesh.DefaultTrafficPolicy);
        foreach (var settings in mesh.ServiceSettings) ServiceHosts(f, "serviceSettings", settings.Hosts);
        ProviderRules.Check(f, mesh);
        for (var i = 0; i < mesh.ConfigSources.Count; i++)
        {
            if (ConfigSourceRules.Problem(mesh.ConfigSources[i]) is { } problem)
                f.Warn(Codes.NoEffect, $"configSources[{i}]", "the source is not followed: " + problem);
        }

        return f;
    }

    /// <summary>Inbound retries only pass over a connection that was just closed: what else a policy can say has no effect there.</summary>
    public static void InboundRetries(Findings f, string path, HTTPRetry? retries)
    {
        HttpPolicyRules.Retries(f, path, retries);
        f.WarnIf(retries?.PerTryTimeout is not null, Codes.NoEffect, path + ".perTryTimeout",
            "perTryTimeout is ignored for inbound retries");
        f.WarnIf(retries?.RetryRemoteLocalities is not null, Codes.NoEffect, path + ".retryRemoteLocalities",
            "retryRemoteLocalities is ignored for inbound retries");
        f.WarnIf(retries?.RetryIgnorePreviousHosts is not null, Codes.NoEffect, path + ".retryIgnorePreviousHosts",
            "retryIgnorePreviousHosts is ignored for inbound retries");
    }

    public static void DefaultTrafficPolicy(Findings f, string path, MeshConfig.Types.DefaultTrafficPolicy? policy)
    {
        TrafficPolicyRules.ConnectionPool(f, path + ".connectionPool", policy?.ConnectionPool);
        TrafficPolicyRules.Outlier(f, path + ".outlierDetection", policy?.OutlierDetection);
    }

    public static void ServiceHosts(Findings f, string path, IEnumerable<string> hosts)
    {
        foreach (var host in hosts) f.ErrorIf(NameRules.WildcardDomain(host), Codes.BadHost, path + ".hosts");
    }

    /// <summary>Everything that is wrong with the networks.</summary>
    public static Findings Check(MeshNetworks networks)
    {
        var f = new Findings();
        foreach (var (name, network) in networks.Networks)
        {
            foreach (var endpoint in network.Endpoints)
            {
                f.ErrorIf(endpoint.NeCase == Network.Types.NetworkEndpoints.NeOneofCase.FromCidr
                    ? NameRules.Subnet(endpoint.FromCidr) : null, Codes.Mesh, $"networks.{name}.endpoints");
                f.ErrorIf(endpoint.NeCase == Network.Types.NetworkEndpoints.NeOneofCase.FromRegistry && endpoint.FromRegistry.Length == 0,
                    Codes.Mesh, $"networks.{name}.endpoints", "fromRegistry must not be empty");
            }

            foreach (var gateway in network.Gateways) Gateway(f, $"networks.{name}.gateways", gateway);
        }

        return f;
    }

    private static void Gateway(Findings f, string path, Network.Types.IstioNetworkGateway gateway)
    {
        Rules.Port(f, path + ".port", gateway.Port);
        var name = gateway.GwCase == Network.Types.IstioNetworkGateway.GwOneofCase.Address ? gateway.Address : gateway.RegistryServiceName;
        var isAddress = gateway.GwCase == Network.Types.IstioNetworkGateway.GwOneofCase.Address && NameRules.IsAddress(name);
        f.ErrorIf(isAddress ? null : NameRules.Domain(name), Codes.Mesh, path);
    }
}
