using System.Text;
using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;
using KubernetesGateway = Kubernetes.Gateway.V1.Gateway;
using Secret = Kubernetes.Core.V1.Secret;
using TlsMode = Istio.Networking.V1Alpha3.ServerTLSSettings.Types.TLSmode;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>TLS of a listener. With a problem nobody is served rather than served without it.</summary>
internal sealed class ListenerTls(GatewayApiWorld world)
{
    private const string TerminateMode = "gateway.istio.io/tls-terminate-mode";
    private const string CipherSuites = "gateway.istio.io/tls-cipher-suites";
    private const string ListenerProtocol = "gateway.istio.io/listener-protocol";
    private const string InvalidCertificateRef = "InvalidCertificateRef";
    private const string InvalidCaRef = "InvalidCACertificateRef";
    private const string InvalidCaKind = "InvalidCACertificateKind";
    private const int ServerCertificatesMax = 2;

    /// <summary>Problems for which a listener is not accepted at all, beside not being programmed.</summary>
    public static bool ForbidsAcceptance(Problem problem) => problem.Reason is Problem.RefNotPermitted or InvalidCaRef or InvalidCaKind;

    /// <summary>The settings; null for a listener without TLS.</summary>
    public (ServerTLSSettings? Tls, Problem? Problem) Of(Resource<KubernetesGateway> gateway, string ownerKind, ResourceMetadata owner,
        Listener listener)
    {
        if (listener.Tls is not { } written) return (null, null);
        if (written is { HasMode: true, Mode: "Passthrough" })
            return (new ServerTLSSettings { Mode = IsAutoPassthrough(owner.Labels, listener)
                ? TlsMode.AutoPassthrough : TlsMode.Passthrough }, null);
        var tls = new ServerTLSSettings { Mode = TlsMode.Simple };
        if (written.Options.TryGetValue(CipherSuites, out var suites))
            tls.CipherSuites.Add(suites.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
        switch (written.Options.GetValueOrDefault(TerminateMode))
        {
            case "ISTIO_MUTUAL":
                tls.Mode = TlsMode.IstioMutual;
                return (tls, null);
            case "ISTIO_SIMPLE":
                tls.CredentialName = "builtin://";
                return (tls, null);
            case "MUTUAL":
                tls.Mode = TlsMode.Mutual;
                break;
            case "OPTIONAL_MUTUAL":
                tls.Mode = TlsMode.OptionalMutual;
                break;
        }
        return (tls, Certificates(tls, ownerKind, owner.Namespace, written) ?? Frontend(tls, gateway, listener.Port));
    }

    // A gateway between networks relays what it can't look into by the name in the hello alone.
    private static bool IsAutoPassthrough(IReadOnlyDictionary<string, string> labels, Listener listener)
    {
        if (listener.Tls.Options.GetValueOrDefault(ListenerProtocol) == "auto-passthrough") return true;
        return labels.ContainsKey("topology.istio.io/network")
            && labels.GetValueOrDefault("networking.istio.io/gatewayPort",
                "15443") == listener.Port.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    private Problem? Certificates(ServerTLSSettings tls, string ownerKind, string ownerNamespace, ListenerTLSConfig written)
    {
        if (written.CertificateRefs.Count > ServerCertificatesMax)
            return new Problem(InvalidCertificateRef, "TLS mode can only support up to 2 server certificates");
        Problem? problem = null;
        var names = new List<string>();
        foreach (var reference in written.CertificateRefs)
        {
            var ns = reference is { HasNamespace: true, Namespace.Length: > 0 } ? reference.Namespace : ownerNamespace;
            // Whether it is there is not told to those who may not refer to it.
            var own = !world.Grants(ownerKind, ownerNamespace, "", "Secret", ns, reference.Name)
                ? new Problem(Problem.RefNotPermitted,
                    $"certificateRef {reference.Name}/{ns} not accessible to a Gateway in namespace \"{ownerNamespace}\" (missing a "
                    + $"ReferenceGrant?)")
                : OfSecret("certificate reference", InvalidCertificateRef, reference, ns);
            problem = Problem.Join(problem, own);
            if (own is null) names.Add($"kubernetes-gateway://{ns}/{reference.Name}");
        }
        if (names.Count == 0) return problem ?? new Problem(InvalidCertificateRef, "no certificate is named");
        if (names.Count == 1) tls.CredentialName = names[0];
        else tls.CredentialNames.Add(names);
        return null;
    }

    /// <summary>What is wrong with a secret with a certificate and its key.</summary>
    public Problem? OfSecret(string what, string reason, SecretObjectReference reference, string ns)
    {
        if ((reference is { HasKind: true } && reference.Kind != "Secret")
            || (reference is { HasGroup: true } && reference.Group.Length > 0))
            return new Problem(reason, $"invalid {what} {Spelled(reference)}, only secret is allowed");
        if (world.Secret(ns, reference.Name) is not { } secret)
            return new Problem(reason, $"invalid {what} {Spelled(reference)}, secret {ns}/{reference.Name} not found");
        var data = DataOf(secret.Spec);
        var (certificate, key) = data.ContainsKey("tls.crt") || data.ContainsKey("tls.key")
            ? (data.GetValueOrDefault("tls.crt", ""), data.GetValueOrDefault("tls.key", ""))
            : (data.GetValueOrDefault("cert", ""), data.GetValueOrDefault("key", ""));
        if (certificate.Length == 0 || key.Length == 0)
        {
            var keys = string.Join(", ", data.Keys.Order(StringComparer.Ordinal));
            return new Problem(reason,
                $"invalid {what} {Spelled(reference)}, found secret, but didn't have expected keys (cert and key) or (tls.crt and "
                + $"tls.key); found: {keys}");
        }
        return (IsPem(certificate), IsPem(key)) switch
        {
            (false, _) => new Problem(reason,
                $"invalid {what} {Spelled(reference)}, the certificate is malformed: tls: failed to find any PEM data in certificate "
                + $"input"),
            (_, false) => new Problem(reason,
                $"invalid {what} {Spelled(reference)}, the certificate is malformed: tls: failed to find any PEM data in key input"),
            _ => null,
        };
    }

    private Problem? Frontend(ServerTLSSettings tls, Resource<KubernetesGateway> gateway, int port)
    {
        if (gateway.Spec.Spec.Tls?.Frontend is not { } frontend) return null;
        var settings = frontend.PerPort.FirstOrDefault(entry => entry.Port == port)?.Tls ?? frontend.Default;
        if (settings?.Validation is not { CaCertificateRefs.Count: > 0 } validation) return null;
        var reference = validation.CaCertificateRefs[0];
        var ns = reference is { HasNamespace: true, Namespace.Length: > 0 } ? reference.Namespace : gateway.Metadata.Namespace;
        if (OfAuthority(reference, ns, gateway.Metadata.Namespace) is { } problem) return problem;
        var scheme = reference.Kind == "ConfigMap" ? "configmap" : "kubernetes-gateway";
        tls.CaCertCredentialName = $"{scheme}://{ns}/{reference.Name}-cacert";
        var isOptional = validation.Mode == "AllowInsecureFallback";
        tls.Mode = isOptional ? TlsMode.OptionalMutual : TlsMode.Mutual;
        tls.InsecureSkipVerify = isOptional;
        return null;
    }

    private Problem? OfAuthority(ObjectReference reference, string ns, string own)
    {
        var spelled = $"{reference.Group}/{reference.Kind}/{reference.Name}.{reference.Namespace}";
        if (reference.Group.Length > 0 || reference.Kind is not ("Secret" or "ConfigMap"))
            return new Problem(InvalidCaKind, $"invalid CA certificate reference {spelled}, only secret and configmap are allowed");
        if (!world.Grants("Gateway", own, "", reference.Kind, ns, reference.Name))
            return new Problem(Problem.RefNotPermitted,
                $"caCertificateRef {ns}/{reference.Name} not accessible to a Gateway in namespace \"{own}\" (missing a ReferenceGrant?)");
        IReadOnlyDictionary<string, string>? data = reference.Kind == "ConfigMap"
            ? world.ConfigMap(ns, reference.Name)?.Spec.Data.ToDictionary() : world.Secret(ns, reference.Name) is { } secret
            ? DataOf(secret.Spec) : null;
        if (data is null) return new Problem(InvalidCaRef,
            $"invalid CA certificate reference {spelled}, {reference.Kind.ToLowerInvariant()} {ns}/{reference.Name} not found");
        return RootProblem(data) is { } why ? new Problem(InvalidCaRef, $"invalid CA certificate reference {spelled}, {why}") : null;
    }

    /// <summary>Why no trust anchors can be taken from these entries; null where they can.</summary>
    public static string? RootProblem(IReadOnlyDictionary<string, string> data)
    {
        if (data.ContainsKey("cacert") || data.ContainsKey("ca.crt")) return null;
        return $"found secret, but didn't have expected keys cacert or ca.crt; "
            + $"found: {string.Join(", ", data.Keys.Order(StringComparer.Ordinal))}";
    }

    private static Dictionary<string, string> DataOf(Secret secret)
    {
        var data = secret.Data.ToDictionary(pair => pair.Key, pair => Encoding.UTF8.GetString(pair.Value.Span));
        foreach (var (key, value) in secret.StringData) data[key] = value;
        return data;
    }

    private static bool IsPem(string text) => text.Contains("-----BEGIN ", StringComparison.Ordinal);

    private static string Spelled(SecretObjectReference reference) =>
        $"{reference.Group}/{reference.Kind}/{reference.Name}.{reference.Namespace}";
}
