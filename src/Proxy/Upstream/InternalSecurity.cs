using System.Text.Json;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Upstream;

/// <summary>Connections to internal listeners: the accepting side is told of chosen namespaces of the endpoint's and the cluster's
/// metadata. TLS, where there is some, goes on inside.</summary>
/// <param name="inner">TLS inside; null for plain text.</param>
/// <param name="ofHost">Namespaces of the endpoint's metadata that are passed.</param>
/// <param name="ofCluster">Namespaces of the cluster's.</param>
public sealed class InternalSecurity(UpstreamSecurity? inner, IReadOnlyList<string> ofHost, IReadOnlyList<string> ofCluster)
    : UpstreamSecurity
{
    /// <inheritdoc/>
    public override Transport Connect(EventLoop loop, in ConnectOptions options, in SecurityWishes wishes, TransportHandler handler)
    {
        var passed = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        Take(wishes.ClusterMetadata, ofCluster, passed);
        Take(wishes.HostMetadata, ofHost, passed);
        ConnectOptions told = options with { Passed = passed.Count == 0 ? null : Metadata.Of(passed) };
        return inner is null ? loop.Connect(told, handler) : inner.Connect(loop, told, wishes, handler);
    }

    /// <inheritdoc/>
    public override string Words => inner?.Words ?? "plain text inside of this proxy";

    private static void Take(Metadata? from, IReadOnlyList<string> names, Dictionary<string, JsonElement> to)
    {
        foreach (string name in names)
        {
            if (from is not null && from.Namespaces.TryGetValue(name, out JsonElement value))
                to[name] = value;
        }
    }

    /// <inheritdoc/>
    public override string AgreedProtocol(Transport transport) => inner?.AgreedProtocol(transport) ?? "";

    /// <inheritdoc/>
    public override TlsFacts? FactsOf(Transport transport) => inner?.FactsOf(transport);

    /// <inheritdoc/>
    public override string FailureOf(Transport transport) => inner?.FailureOf(transport) ?? "";
}
