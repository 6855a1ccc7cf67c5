using Kubernetes.Core.V1;
using Kubernetes.Discovery.V1;
using Lateen.Api.Names;
using Lateen.Api.Texts;

namespace Lateen.Config.Resources;

/// <summary>Objects as a store keeps them. What people write is kept as it was written; of what a cluster makes by the ten thousand, what a
/// mesh reads of it.</summary>
internal static class KeptForm
{
    private const string Ready = "Ready";

    // Elections keep their record in an annotation of a ConfigMap, which says something new every few seconds.
    private const string Election = "control-plane.alpha.kubernetes.io/leader";

    // Of a process: names of namespaces, labels and nodes are the same in all its stores.
    private static readonly TextPool Texts = new();

    /// <summary>Labels or annotations of an object, once for all objects that have the same.</summary>
    public static LabelSet Labels(IEnumerable<KeyValuePair<string, string>> labels) =>
        LabelPool.Shared(LabelSet.Of(labels.Select(static label => KeyValuePair.Create(Text(label.Key), Text(label.Value)))));

    /// <summary>The text, once for all that are equal.</summary>
    public static string Text(string text) => Texts.Of(text);

    /// <summary>The text of UTF-8 bytes, once for all that are equal.</summary>
    public static string Text(ReadOnlySpan<byte> utf8) => Texts.Of(utf8);

    /// <summary>The object as it is kept; it may be changed inside, since nobody else has it yet.</summary>
    public static Resource Of(Resource resource)
    {
        if (resource is Resource<Pod> pod) Keep(pod.Spec);
        else if (resource is Resource<EndpointSlice> slice) Keep(slice.Spec);
        else if (resource is Resource<ConfigMap> && resource.Annotations.ContainsKey(Election))
        {
            var rest = Labels(resource.Annotations.Where(static annotation => annotation.Key != Election));
            resource = resource.With(resource.Metadata with { Annotations = rest });
        }

        return resource.Kind.KeepsText || resource.Origin.Text.Length == 0
            ? resource : resource.With(resource.Origin with { Text = "", TextPath = "", File = Text(resource.Origin.File) });
    }

    private static void Keep(Pod pod)
    {
        if (pod.Spec is { } spec)
        {
            (spec.NodeName, spec.ServiceAccountName, spec.ServiceAccount) =
                (Text(spec.NodeName), Text(spec.ServiceAccountName), Text(spec.ServiceAccount));
            (spec.Hostname, spec.Subdomain) = (Text(spec.Hostname), Text(spec.Subdomain));
            Keep(spec.Containers);
            Keep(spec.InitContainers);
        }

        if (pod.Status is { } status) Keep(status);
    }

    private static void Keep(PodStatus status)
    {
        (status.Phase, status.PodIp, status.HostIp) = (Text(status.Phase), Text(status.PodIp), Text(status.HostIp));
        var ready = status.Conditions.Where(static condition => condition.Type == Ready)
            .Select(static condition => new PodCondition { Type = Ready, Status = Text(condition.Status) }).ToList();
        status.Conditions.Clear();
        status.Conditions.Capacity = ready.Count;
        status.Conditions.Add(ready);
    }

    // Ports are looked up by name, images and users by analysis.
    private static void Keep(IList<Container> containers)
    {
        for (var i = 0; i < containers.Count; i++)
        {
            var whole = containers[i];
            var kept = new Container
            {
                Name = Text(whole.Name),
                Image = Text(whole.Image),
                RestartPolicy = Text(whole.RestartPolicy),
                SecurityContext = whole.SecurityContext,
            };
            kept.Ports.Add(whole.Ports);
            containers[i] = kept;
        }
    }

    private static void Keep(EndpointSlice slice)
    {
        slice.AddressType = Text(slice.AddressType);
        foreach (var port in slice.Ports)
        {
            if (port.HasName) port.Name = Text(port.Name);
            if (port.HasProtocol) port.Protocol = Text(port.Protocol);
            if (port.HasAppProtocol) port.AppProtocol = Text(port.AppProtocol);
        }

        foreach (var endpoint in slice.Endpoints)
        {
            (endpoint.NodeName, endpoint.Zone) = (Text(endpoint.NodeName), Text(endpoint.Zone));
            for (var i = 0; i < endpoint.Addresses.Count; i++) endpoint.Addresses[i] = Text(endpoint.Addresses[i]);
            if (endpoint.TargetRef is { } target)
                endpoint.TargetRef = new ObjectReference
                {
                    Kind = Text(target.Kind),
                    Namespace = Text(target.Namespace),
                    Name = Text(target.Name),
                };
        }
    }
}
