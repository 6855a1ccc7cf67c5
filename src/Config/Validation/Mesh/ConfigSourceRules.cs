using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using TlsMode = Istio.Networking.V1Alpha3.ClientTLSSettings.Types.TLSmode;

namespace Lateen.Config.Validation.Mesh;

/// <summary>MeshConfig.configSources: what can be followed.</summary>
public static class ConfigSourceRules
{
    /// <summary>Why a source can't be followed; null where it can.</summary>
    public static string? Problem(ConfigSource source)
    {
        if (source.SubscribedResources.Count > 0) return "subscribedResources is not served: a source gives all that it has";
        if (!Uri.TryCreate(source.Address, UriKind.Absolute, out Uri? address)) return $"\"{source.Address}\" is no address";
        return address.Scheme switch
        {
            "xds" when address.Port <= 0 || address.AbsolutePath is not ("" or "/") => "write xds://host:port",
            "xds" => Problem(source.TlsSettings),
            "fs" when address.AbsolutePath is "" or "/" => "a folder is missing: write fs:///path",
            "fs" => null,
            "k8s" when address.Host.Length > 0 || address.AbsolutePath is not ("" or "/") =>
                "only the cluster that this control plane follows can be named: write k8s://",
            "k8s" => null,
            _ => "write xds://host:port, fs:///path or k8s://",
        };
    }

    private static string? Problem(ClientTLSSettings? tls)
    {
        if (tls is null or { Mode: TlsMode.Disable }) return null;
        if (tls.CredentialName.Length > 0) return "tlsSettings.credentialName is not served here: name files";
        if (tls.CaCrl.Length > 0) return "tlsSettings.caCrl is not served here";
        var findings = new Findings();
        Traffic.TrafficPolicyRules.ClientTls(findings, "tlsSettings", tls);
        if (findings.Items.Count > 0) return $"{findings.Items[0].Path}: {findings.Items[0].Text}";
        if (tls.Mode == TlsMode.Simple && (tls.ClientCertificate.Length > 0 || tls.PrivateKey.Length > 0))
            return "tlsSettings: a certificate of the client's own is for mode MUTUAL";
        return null;
    }
}
