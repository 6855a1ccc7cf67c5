using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Balancing;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Filters.Router;

/// <summary>What a request says to the balancer: hash, subset, overrides, hosts to avoid; and which pool of the host it needs.</summary>
internal sealed class HostChoice(RouterSlot slot) : PickInputs
{
    // Hosts of the attempts before, in order; the first retry makes it.
    private List<Host>? _tried;
    private RequestHash _hash;
    private bool _hashed;
    private SubsetCriteria? _mixed;

    private Exchange Exchange => slot.Exchange;

    /// <summary>Filter state under which a filter names hosts to prefer (a <see cref="HostOverride"/>).</summary>
    public const string OverrideKey = "lateen.override_host";

    /// <summary>Filter state under which a filter gives ALPN names (Istio's alpn filter): a list that is published, compared by
    /// reference.</summary>
    public const string AlpnKey = "envoy.network.application_protocols";

    /// <summary>Filter state under which a filter gives the SNI.</summary>
    public const string ServerNameKey = "envoy.network.upstream_server_name";

    public void Begin(ForwardAction action, WeightedTarget? target)
    {
        Criteria = target?.Subset is { } own ? action.Subset is { } outer ? _mixed = outer.With(own) : own : action.Subset;
        AttemptsMax = 0;
        _hashed = false;
    }

    /// <summary>A host for the next attempt; null where none may be used.</summary>
    public Host? Pick(int attempts, out WorkerCluster owner)
    {
        WorkerCluster cluster = slot.Cluster;
        if (!_hashed)
        {
            _hashed = true;
            _hash = RequestHash.Of(Exchange,
                cluster.Cluster.Balancer.HashPolicies is IReadOnlyList<HashPolicy> { Count: > 0 } own ? own : slot.Action.Hash);
            HasHash = _hash.HasValue;
            Hash = _hash.Value;
        }
        if (Overrides.Count > 0)
            Overrides.Clear();
        if (attempts > 0 && Exchange.Upstream.Host is { } last)
            (_tried ??= []).Add(last);
        if (attempts == 0 && Exchange.FilterState(OverrideKey) is HostOverride wish)
        {
            Overrides.AddRange(wish.Hosts);
            OverrideStrictly = wish.Strict;
        }
        ReadOverrideSources(cluster.Cluster.Balancer);
        AttemptsMax = attempts > 0 ? slot.Retry.Policy.HostSelectionAttempts : 0;
        Load = RetryLoad(cluster, attempts);
        return cluster.PickHost(this, Destination(cluster.Cluster), out owner);
    }

    /// <inheritdoc/>
    public override bool Rejects(Host host)
    {
        RetryPolicy policy = slot.Retry.Policy;
        return (policy.AvoidPreviousHosts && (_tried?.Contains(host) ?? false)) || (policy.AvoidCanaries && host.IsCanary)
            || (policy.AvoidMetadata is { } avoid && HasAll(host, avoid));
    }

    /// <inheritdoc/>
    public override string ForwardName(bool secure, out int port)
    {
        (string name, port) = ForwardProxy.ForwardTarget.Of(Exchange, secure);
        return name;
    }

    private static bool HasAll(Host host, SubsetCriteria criteria)
    {
        foreach ((string key, System.Text.Json.JsonElement value) in criteria.Values)
        {
            if (!host.Endpoint.Metadata.TryGet("envoy.lb", [key], out System.Text.Json.JsonElement has)
                || !System.Text.Json.JsonElement.DeepEquals(has, value))
                return false;
        }
        return criteria.Values.Count > 0;
    }

    // Priorities that were tried are taken for empty, anew each few attempts; with none left it begins again.
    private PriorityLoad? RetryLoad(WorkerCluster cluster, int attempts)
    {
        int every = slot.Retry.Policy.PreviousPrioritiesEvery;
        HostSet hosts = cluster.View.Hosts;
        if (every == 0 || attempts < every || hosts.Priorities.Length < 2)
            return null;
        Span<bool> excluded = stackalloc bool[hosts.Priorities.Length];
        int counted = attempts / every * every, left = hosts.Priorities.Length;
        for (int i = 0; i < counted && i < _tried!.Count; i++)
        {
            int p = _tried[i].Priority;
            if (p >= excluded.Length || excluded[p])
                continue;
            excluded[p] = true;
            if (--left == 0)
            {
                excluded.Clear();
                left = excluded.Length;
            }
        }
        PriorityLoad load = PriorityLoad.Of(hosts.Priorities, hosts.OverprovisioningFactor, hosts.WeightedHealth, cluster.Cluster.Balancer,
            excluded);
        return load.TotalPanic ? null : load;
    }

    // Where an original-destination cluster goes: as the cluster says, by a header, by metadata, or where the client meant.
    private Address Destination(Cluster cluster)
    {
        if (cluster.Type != ClusterType.OriginalDestination)
            return Exchange.Connection.Context.Local;
        OriginalDestinationOptions options = cluster.OriginalDestination;
        Address address = default;
        if (options.UseHttpHeader
            && Exchange.RequestHead.TryGet(System.Text.Encoding.Latin1.GetBytes(options.HttpHeader), out ReadOnlySpan<byte> value))
        {
            if (!Exchanges.Heads.IpText.TryParse(System.Text.Encoding.Latin1.GetString(value), out address) || address.Port == 0)
            {
                slot.Cluster.Counters.Count(ClusterCounter.OriginalDstHostInvalid);
                return default;
            }
        }
        else if (options.MetadataNamespace.Length > 0 && Exchange.DynamicMetadata is { } metadata
            && metadata.TryGet(options.MetadataNamespace, [.. options.MetadataPath], out System.Text.Json.JsonElement element)
            && element.ValueKind == System.Text.Json.JsonValueKind.String)
        {
            Exchanges.Heads.IpText.TryParse(element.GetString(), out address);
        }
        if (address.Kind == AddressKind.None && Exchange.Connection.Context.LocalRestored)
            address = Exchange.Connection.Context.Local;
        return options.PortOverride > 0 && address.IsIp ? address.WithPort(options.PortOverride) : address;
    }

    private void ReadOverrideSources(BalancerOptions options)
    {
        foreach (OverrideSource source in options.OverrideSources)
        {
            string? text = null;
            if (source.Header.Length > 0)
            {
                if (Exchange.RequestHead.TryGet(System.Text.Encoding.Latin1.GetBytes(source.Header), out ReadOnlySpan<byte> value))
                    text = System.Text.Encoding.Latin1.GetString(value);
            }
            else if (Exchange.DynamicMetadata is { } metadata
                && metadata.TryGet(source.MetadataNamespace, [.. source.MetadataPath], out System.Text.Json.JsonElement element))
            {
                text = element.ValueKind == System.Text.Json.JsonValueKind.String ? element.GetString() : null;
            }
            if (string.IsNullOrEmpty(text))
                continue;
            foreach (string one in text.Split(','))
            {
                if (Exchanges.Heads.IpText.TryParse(one.AsSpan().Trim(), out Address address))
                    Overrides.Add(address);
            }
            return;
        }
    }

    /// <summary>The pool that the request needs on a host.</summary>
    public PoolKey KeyFor(WorkerCluster owner, Host host)
    {
        Cluster cluster = owner.Cluster;
        HttpVersion? version = cluster.Protocol.Choice switch
        {
            ProtocolChoice.Http2 => HttpVersion.Http2,
            ProtocolChoice.Auto => host.Security is null ? HttpVersion.Http11 : null,
            ProtocolChoice.Downstream => Exchange.Stream.Version == HttpVersion.Http2 ? HttpVersion.Http2 : HttpVersion.Http11,
            _ => HttpVersion.Http11,
        };
        RoutePriority priority = slot.Action.HighPriority ? RoutePriority.High : RoutePriority.Default;
        if (slot.Action.TerminateConnect && Exchange.Upgrade == "connect")
            return new PoolKey(HttpVersion.Http11, priority, host.Security is null ? default : Wishes(cluster.Protocol), null,
                Tunnel: true);
        return new PoolKey(version, priority, host.Security is null ? default : Wishes(cluster.Protocol),
            cluster.PoolPerDownstreamConnection ? Exchange.Connection : null);
    }

    private SecurityWishes Wishes(UpstreamProtocol protocol)
    {
        string? name = Exchange.FilterState(ServerNameKey) as string, subject = null;
        if (protocol.AutoSni || protocol.AutoSanValidation)
        {
            HeaderMap head = Exchange.RequestHead;
            ReadOnlySpan<byte> host = protocol.AutoSniHeader.Length > 0
                && head.TryGet(System.Text.Encoding.Latin1.GetBytes(protocol.AutoSniHeader), out ReadOnlySpan<byte> other)
                ? other : head[KnownHeader.Authority];
            int colon = Exchanges.Heads.Authority.PortColon(host);
            string text = System.Text.Encoding.Latin1.GetString(colon < 0 ? host : host[..colon]);

            // An address is no server name (RFC 6066 3), but it can be asked of the certificate.
            if (protocol.AutoSni && !Exchanges.Heads.IpText.TryParse(text, out _))
                name ??= text;
            subject = protocol.AutoSanValidation ? text : null;
        }
        return new SecurityWishes(name, Exchange.FilterState(AlpnKey) as IReadOnlyList<string>, subject);
    }

    /// <summary>The cookie that a hash policy made, for the client to keep.</summary>
    public void WriteCookie(HeaderMap head)
    {
        if (_hash.Cookies is not { } cookies)
            return;
        foreach (byte[] cookie in cookies)
            head.Add(KnownHeader.SetCookie, cookie);
    }

    public void Reset()
    {
        _tried?.Clear();
        _hash = default;
        _hashed = false;
        Criteria = _mixed = null;
        Load = null;
        if (Overrides.Count > 0)
            Overrides.Clear();
        OverrideStrictly = false;
    }
}

/// <summary>Hosts that a filter wants for a request (stateful session, override).</summary>
/// <param name="Hosts">First preferred.</param>
/// <param name="Strict">No other.</param>
public sealed record HostOverride(IReadOnlyList<Address> Hosts, bool Strict);
