using Kubernetes.Core.V1;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Codes = Lateen.Config.Analysis.AnalysisCodes;

namespace Lateen.Config.Analysis.Analyzers;

/// <summary>Services and service entries: names, protocols and addresses of their ports.</summary>
internal static class ServiceAnalysis
{
    public static void PortNames(AnalysisContext context)
    {
        foreach (var service in context.View.All(Kinds.Service).Where(s => !context.IsSystem(s.Namespace)))
        {
            var isExternal = service.Spec.Spec?.Type == "ExternalName";
            for (var i = 0; i < (service.Spec.Spec?.Ports.Count ?? 0); i++)
            {
                var (port, path) = (service.Spec.Spec!.Ports[i], $"spec.ports[{i}]");
                var protocol = ProtocolOf(port);
                if (isExternal && protocol is Protocol.Unsupported or Protocol.Tcp && isExternal)
                {
                    context.Report(Codes.ExternalNameServiceTypeInvalidPortName, service, path,
                        $"the port {port.Port} with the name \"{port.Name}\" captures all traffic of that port");
                }
                else if (!isExternal && protocol == Protocol.Unsupported)
                {
                    context.Report(Codes.PortNameIsNotUnderNamingConvention, service, path,
                        $"the name \"{port.Name}\" of port {port.Port} tells no protocol");
                }
            }
        }
    }

    private static Protocol ProtocolOf(ServicePort port) =>
        Protocols.OfServicePort(port.Port, port.Name, port.Protocol, port.AppProtocol.Length > 0 ? port.AppProtocol : null);

    public static void Deployments(AnalysisContext context)
    {
        foreach (var deployment in context.View.All(Kinds.Deployment)
            .Where(d => d.Spec.Spec?.Template is not null && !context.IsSystem(d.Namespace)))
        {
            IDictionary<string, string> labels = deployment.Spec.Spec.Template.Metadata?.Labels ?? [];
            var services = context.View.In(Kinds.Service, deployment.Namespace)
                .Where(s => s.Spec.Spec is { Selector.Count: > 0 } spec && LabelSets.IsSubset(spec.Selector, labels)).ToArray();
            var ports = services.SelectMany(s => s.Spec.Spec.Ports).ToArray();
            foreach (var port in ports.GroupBy(p => p.Port)
                .Where(g => g.Select(p => p.Protocol.Length == 0 ? "TCP" : p.Protocol).Distinct().Count() > 1))
            {
                context.Report(Codes.DeploymentAssociatedToMultipleServices, deployment, "spec.template",
                    $"port {port.Key} has different protocols in {string.Join(", ", services.Select(s => s.Name))}");
            }

            var byTarget = services.SelectMany(s => s.Spec.Spec.Ports.Select(p => (Service: s.Name, p.Port, Target: Target(p))))
                .GroupBy(p => p.Target);
            foreach (var target in byTarget.Where(
                g => g.Select(p => p.Port).Distinct().Count() > 1 && g.Select(p => p.Service).Distinct().Count() > 1))
            {
                context.Report(Codes.DeploymentConflictingPorts, deployment, "spec.template",
                    $"target port {target.Key} has different ports in {string.Join(", ", target.Select(p => $"{p.Service}:{p.Port}"))}");
            }
        }
    }

    private static string Target(ServicePort port) => port.TargetPort switch
    {
        { ValueCase: Kubernetes.Meta.V1.IntOrString.ValueOneofCase.Text } named => named.Text,
        { ValueCase: Kubernetes.Meta.V1.IntOrString.ValueOneofCase.Number, Number: > 0 } numbered =>
            numbered.Number.ToString(System.Globalization.CultureInfo.InvariantCulture),
        _ => port.Port.ToString(System.Globalization.CultureInfo.InvariantCulture),
    };

    public static void EntryAddresses(AnalysisContext context)
    {
        foreach (var entry in context.View.All(Kinds.ServiceEntry)
            .Where(e => e.Spec.Addresses.Count == 0 && !context.Options.AllocatesAddresses))
        {
            if (entry.Status is Istio.Networking.V1Alpha3.ServiceEntryStatus { Addresses.Count: > 0 }) continue;
            for (var i = 0; i < entry.Spec.Ports.Count; i++)
            {
                if (Protocols.Parse(entry.Spec.Ports[i].Protocol) is Protocol.Tcp or Protocol.Unsupported)
                {
                    context.Report(Codes.ServiceEntryAddressesRequired, entry, $"spec.ports[{i}]",
                        $"port {entry.Spec.Ports[i].Number} is TCP and the entry has no addresses");
                    break;
                }
            }
        }
    }

    public static void EntryProtocols(AnalysisContext context)
    {
        var claims = context.View.All(Kinds.ServiceEntry)
            .SelectMany(e => e.Spec.Hosts.SelectMany(
                h => e.Spec.Ports.Select(p => (Entry: e, Host: h, p.Number, Protocol: Protocols.Parse(p.Protocol)))));
        foreach (var group in claims.GroupBy(c => (c.Host, c.Number)))
        {
            foreach (var (entry, host, number, protocol) in group)
            {
                var others = group.Where(o => o.Entry.Key != entry.Key && o.Protocol != protocol && SeenTogether(entry, o.Entry))
                    .Select(o => o.Entry.Key).ToArray();
                if (others.Length > 0)
                {
                    context.Report(Codes.ConflictingServiceEntryProtocol, entry, "spec.ports",
                        $"{host}:{number} is {Protocols.NameOf(protocol)} here and another protocol in {string.Join(", ", others)}");
                }
            }
        }
    }

    private static bool SeenTogether(Resource<Istio.Networking.V1Alpha3.ServiceEntry> a, Resource<Istio.Networking.V1Alpha3.ServiceEntry> b)
    {
        var (left, right) = (Scopes(a), Scopes(b));
        return left.Contains("*") || right.Contains("*") || left.Overlaps(right);
    }

    private static HashSet<string> Scopes(Resource<Istio.Networking.V1Alpha3.ServiceEntry> entry) =>
        entry.Spec.ExportTo.Count == 0 ? ["*"] : entry.Spec.ExportTo.Select(e => e == "." ? entry.Namespace : e).ToHashSet();
}
