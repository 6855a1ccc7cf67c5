using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>BackendTLSPolicies as DestinationRules, one for each service; those that users write come before them.</summary>
internal sealed class BackendTlsConversion(GatewayApiWorld world)
{
    private const string Ignore = "istio.io/ignore-policy-attachment";

    public IEnumerable<Resource<DestinationRule>> Convert()
    {
        var targets = world.Inputs.TlsPolicies
            .Where(policy => policy.Spec.Spec?.Validation is not null && policy.Metadata.Annotations.GetValueOrDefault(Ignore) != "true")
            .OrderBy(policy => policy.Metadata.CreationTime.GetValueOrDefault())
            .ThenBy(policy => policy.Metadata.Namespace, StringComparer.Ordinal).ThenBy(policy => policy.Metadata.Name, StringComparer.Ordinal)
            .SelectMany(policy => policy.Spec.Spec.TargetRefs.SelectMany(target => TargetsOf(policy, target)))
            .GroupBy(target => (target.Policy.Metadata.Namespace, target.Name, target.Host));
        foreach (var group in targets) yield return Rule(group.Key, [.. group]);
    }

    private IEnumerable<Target> TargetsOf(Resource<BackendTLSPolicy> policy, PolicyTargetReference target)
    {
        var ns = policy.Metadata.Namespace;
        return (target.Group, target.Kind) switch
        {
            ("" or "core", "Service") => [new Target(policy, target, target.Name, world.HostOf(target.Name, ns))],
            ("networking.istio.io", "ServiceEntry") => world.Registry.Services
                .Where(service => service.EntryName == target.Name && service.Namespace == ns)
                .Select(service => new Target(policy, target, $"{target.Name}~{service.Hostname.Replace('.', '-')}", service.Hostname)),
            _ => [],
        };
    }

    private Resource<DestinationRule> Rule((string Namespace, string Name, string Host) key, List<Target> targets)
    {
        var policy = new TrafficPolicy();
        foreach (var target in targets)
        {
            var section = target.Reference.HasSectionName ? target.Reference.SectionName : "";
            if (section.Length == 0)
            {
                policy.Tls ??= Settings(target.Policy);
                continue;
            }
            var ports = world.Registry.ByHost.TryGetValue(key.Host, out var services) ? services[0].Ports : [];
            if (ports.FirstOrDefault(port => port.Name == section) is not { } port || policy.PortLevelSettings.Any(entry => entry.Port.Number == port.Number)) continue;
            policy.PortLevelSettings.Add(new TrafficPolicy.Types.PortTrafficPolicy { Port = new PortSelector { Number = (uint)port.Number }, Tls = Settings(target.Policy) });
        }
        var name = $"{key.Name}~{GatewayApiWorld.Suffix}";
        return Kinds.DestinationRule.Create(key.Namespace, name, new DestinationRule { Host = key.Host, TrafficPolicy = policy }, new ResourceMetadata
        {
            Name = name,
            Namespace = key.Namespace,
            CreationTime = targets[0].Policy.Metadata.CreationTime,
            Annotations = new Dictionary<string, string>
            {
                ["internal.istio.io/parents"] = string.Join(',', targets.Select(target => $"BackendTLSPolicy/{target.Policy.Metadata.Namespace}.{target.Policy.Metadata.Name}").Distinct()),
            },
        });
    }

    private static ClientTLSSettings Settings(Resource<BackendTLSPolicy> policy)
    {
        var validation = policy.Spec.Spec.Validation;
        var tls = new ClientTLSSettings { Mode = ClientTLSSettings.Types.TLSmode.Simple, Sni = validation.Hostname };
        tls.SubjectAltNames.Add(validation.SubjectAltNames.Select(name => name.Type == "URI" ? name.Uri : name.Hostname));
        if (validation is { HasWellKnownCaCertificates: true, CaCertificateRefs.Count: 0 }) return tls;
        // An authority that can't be had must stop the traffic, not let anybody vouch for the server.
        var reference = validation.CaCertificateRefs.FirstOrDefault();
        tls.CredentialName = reference is { Kind: "ConfigMap" } ? $"configmap://{policy.Metadata.Namespace}/{reference.Name}" : "invalid://";
        return tls;
    }

    private sealed record Target(Resource<BackendTLSPolicy> Policy, PolicyTargetReference Reference, string Name, string Host);
}
