using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Codes = Lateen.Config.Analysis.AnalysisCodes;

namespace Lateen.Config.Analysis.Analyzers;

/// <summary>Gateways beside the pods, services and secrets that they need.</summary>
internal static class GatewayAnalysis
{
    /// <summary>The selector of the gateway that an installation brings with it; its pods may be elsewhere than in the files.</summary>
    private static bool IsInstalled(Gateway gateway) =>
        gateway.Selector.Count == 1 && gateway.Selector.TryGetValue("istio", out var value) && value == "ingressgateway";

    public static void Ports(AnalysisContext context)
    {
        foreach (var gateway in context.View.All(Kinds.Gateway))
        {
            var pods = context.Pods(gateway.Spec.Selector).ToArray();
            if (pods.Length == 0)
            {
                if (!IsInstalled(gateway.Spec))
                {
                    context.Report(Codes.ReferencedResourceNotFound, gateway, "spec.selector",
                        $"no pod has the labels {LabelSets.Format(gateway.Spec.Selector)}");
                }

                continue;
            }

            var open = pods.SelectMany(pod => context.View.In(Kinds.Service, pod.Namespace)
                .Where(s => s.Spec.Spec is { Selector.Count: > 0 } spec && LabelSets.IsSubset(spec.Selector, pod.Labels)))
                .SelectMany(s => s.Spec.Spec.Ports)
                .SelectMany(p => new[] { p.Port,
                    p.TargetPort is { ValueCase: Kubernetes.Meta.V1.IntOrString.ValueOneofCase.Number } target ? target.Number : p.Port })
                .ToHashSet();
            for (var i = 0; i < gateway.Spec.Servers.Count; i++)
            {
                var number = (int)(gateway.Spec.Servers[i].Port?.Number ?? 0);
                if (number > 0 && !open.Contains(number))
                {
                    context.Report(Codes.GatewayPortNotDefinedOnService, gateway, $"spec.servers[{i}].port.number",
                        $"no Service of the pods with {LabelSets.Format(gateway.Spec.Selector)} has the target port {number}");
                }
            }
        }
    }

    public static void Secrets(AnalysisContext context)
    {
        foreach (var gateway in context.View.All(Kinds.Gateway))
        {
            var namespaces = context.Pods(gateway.Spec.Selector).Select(p => p.Namespace).ToHashSet();
            if (namespaces.Count == 0 && IsInstalled(gateway.Spec)) namespaces.Add(context.Options.RootNamespace);
            if (namespaces.Count == 0)
            {
                context.Report(Codes.ReferencedResourceNotFound, gateway, "spec.selector",
                    $"no pod has the labels {LabelSets.Format(gateway.Spec.Selector)}");
                continue;
            }

            for (var i = 0; i < gateway.Spec.Servers.Count; i++)
            {
                Credential(context, gateway, $"spec.servers[{i}].tls.credentialName", gateway.Spec.Servers[i].Tls?.CredentialName ?? "",
                    namespaces);
            }
        }
    }

    private static void Credential(AnalysisContext context, Resource gateway, string path, string name, HashSet<string> namespaces)
    {
        if (name.Length == 0 || name.Contains("://", StringComparison.Ordinal)) return;
        var secret = namespaces.Select(ns => context.View.Find(Kinds.Secret, ns, name)).FirstOrDefault(s => s is not null);
        if (secret is null) context.Report(Codes.ReferencedResourceNotFound, gateway, path,
            $"there is no secret {name} in {string.Join(", ", namespaces)}");
        else if (Problem(secret.Spec, context.Options.Now) is { } reason)
            context.Report(Codes.InvalidGatewayCredential, gateway, path, $"the secret {secret.Namespace}/{name} {reason}");
    }

    private static string? Problem(Kubernetes.Core.V1.Secret secret, DateTimeOffset now)
    {
        var pem = secret.Data.TryGetValue("tls.crt", out var tls) ? tls : secret.Data.GetValueOrDefault("cert");
        var key = secret.Data.TryGetValue("tls.key", out var tlsKey) ? tlsKey : secret.Data.GetValueOrDefault("key");
        if (pem is null || key is null || pem.Length == 0 || key.Length == 0) return "has neither tls.crt and tls.key nor cert and key";
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(pem.ToStringUtf8());
            return certificate.NotAfter.ToUniversalTime() < now.UtcDateTime
                ? $"expired on {certificate.NotAfter.ToUniversalTime():yyyy-MM-dd}" : null;
        }
        catch (CryptographicException)
        {
            return "holds no certificate that can be read";
        }
    }

    public static void Certificates(AnalysisContext context)
    {
        var uses = context.View.All(Kinds.Gateway)
            .SelectMany(g => g.Spec.Servers.Select((s, i) => (Gateway: g, Path: $"spec.servers[{i}].tls", Certificate: CertificateOf(s))))
            .Where(u => u.Certificate.Length > 0).ToArray();
        foreach (var use in uses.DistinctBy(u => (u.Gateway.Key, u.Certificate)))
        {
            var other = uses.FirstOrDefault(u => u.Gateway.Key != use.Gateway.Key && u.Certificate == use.Certificate
                && LabelSets.IsSubset(use.Gateway.Spec.Selector, u.Gateway.Spec.Selector));
            if (other.Gateway is not null)
                context.Report(Codes.GatewayDuplicateCertificate, use.Gateway, use.Path,
                    $"{other.Gateway.Key} uses the same certificate on the same workloads");
        }
    }

    private static string CertificateOf(Server server) =>
        server.Tls is not { } tls ? "" : tls.CredentialName.Length > 0 ? tls.CredentialName : tls.ServerCertificate + tls.PrivateKey;

    public static void Conflicts(AnalysisContext context)
    {
        var gateways = context.View.All(Kinds.Gateway);
        foreach (var gateway in gateways)
        {
            var others = gateways.Where(o => o.Key != gateway.Key && SelectsTheSame(o.Spec, gateway.Spec)
                && o.Spec.Servers.Any(a => gateway.Spec.Servers.Any(b => Collide(a, o.Namespace, b, gateway.Namespace)))).ToArray();
            if (others.Length > 0) context.Report(Codes.ConflictingGateways, gateway, "spec.servers",
                $"conflicts with {string.Join(", ", others.Select(o => o.Key))}");
        }
    }

    private static bool SelectsTheSame(Gateway a, Gateway b) =>
        a.Selector.Count == b.Selector.Count && LabelSets.IsSubset(a.Selector, b.Selector);

    private static bool Collide(Server a, string aNamespace, Server b, string bNamespace) =>
        a.Port is { } left && b.Port is { } right && left.Number == right.Number && a.Bind == b.Bind
        && a.Hosts.Any(x => b.Hosts.Any(y => Overlap(x, aNamespace, y, bNamespace)));

    private static bool Overlap(string a, string aNamespace, string b, string bNamespace)
    {
        var ((aScope, aHost), (bScope, bHost)) = (Scoped(a, aNamespace), Scoped(b, bNamespace));
        return (aScope == "*" || bScope == "*" || aScope == bScope) && HostNames.Matches(aHost, bHost);
    }

    /// <summary>The parts of <c>[namespace/]host</c>.</summary>
    internal static (string Scope, string Host) Scoped(string host, string ns)
    {
        var slash = host.IndexOf('/', StringComparison.Ordinal);
        return slash < 0 ? ("*", host) : (host[..slash] == "." ? ns : host[..slash], host[(slash + 1)..]);
    }
}
