namespace Lateen.Pilot.Meaning;

/// <summary>What a credential's name stands for.</summary>
public enum CredentialSource
{
    /// <summary><c>kubernetes://</c>: a Secret of the proxy's cluster.</summary>
    Kubernetes,

    /// <summary><c>kubernetes-gateway://</c>: a Secret of the cluster that the configuration comes from.</summary>
    KubernetesGateway,

    /// <summary><c>configmap://</c>: trust anchors in a ConfigMap of the cluster that the configuration comes from.</summary>
    ConfigMap,
}

/// <summary>The name of a credential as Gateways and DestinationRules write it, taken apart.</summary>
/// <param name="Source">Where it lies.</param>
/// <param name="Namespace">Namespace of the object.</param>
/// <param name="Name">Name of the object.</param>
/// <param name="Resource">The whole name, with its scheme: what proxies ask for.</param>
public sealed record CredentialName(CredentialSource Source, string Namespace, string Name, string Resource)
{
    private const string KubernetesScheme = "kubernetes://";
    private const string GatewayScheme = "kubernetes-gateway://";
    private const string ConfigMapScheme = "configmap://";

    /// <summary>Whether it is read in the cluster that configuration comes from, wherever the proxy runs.</summary>
    public bool IsOfConfigCluster => Source != CredentialSource.Kubernetes;

    /// <summary>Reads a name with its scheme; null when it has none of the known ones, or a part of it is missing.</summary>
    /// <param name="resource">Name.</param>
    /// <param name="ownNamespace">Namespace of the proxy, in which names without one are looked up.</param>
    public static CredentialName? Parse(string resource, string ownNamespace)
    {
        ArgumentNullException.ThrowIfNull(resource);
        if (resource.StartsWith(KubernetesScheme, StringComparison.Ordinal))
        {
            var parts = resource[KubernetesScheme.Length..].Split('/');
            return parts.Length == 1 ? new(CredentialSource.Kubernetes, ownNamespace, parts[0], resource)
                : new(CredentialSource.Kubernetes, parts[0], parts[1], resource);
        }
        if (resource.StartsWith(GatewayScheme, StringComparison.Ordinal))
            return Full(CredentialSource.KubernetesGateway, resource, GatewayScheme);
        return resource.StartsWith(ConfigMapScheme, StringComparison.Ordinal)
            ? Full(CredentialSource.ConfigMap, resource, ConfigMapScheme) : null;
    }

    private static CredentialName? Full(CredentialSource source, string resource, string scheme) =>
        resource[scheme.Length..].Split('/') is [{ Length: > 0 } ns, { Length: > 0 } name, ..] ? new(source, ns, name, resource) : null;
}
