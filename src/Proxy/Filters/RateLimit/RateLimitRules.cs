// RateLimit: a server counts (envoy.extensions.filters.http.ratelimit.v3). Routes and virtual hosts say by rules what a request counts as:
// descriptors, each a list of keys and values that actions read off the request; an action that finds nothing drops its descriptor. The
// server says whether one is over its limit. Where the server fails, requests go on unless told otherwise. RateLimitService is the server;
// its gRPC form is in Remote. The local rate limit is another filter: it asks nobody.
using System.Text;
using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.RateLimit;

/// <summary>What a request counts as.</summary>
/// <param name="Entries">Keys and values, in order.</param>
/// <param name="Limit">A limit in place of the server's: how many, and in what unit (its number in the protocol); null for none.</param>
public sealed record RateLimitDescriptor(IReadOnlyList<(string Key, string Value)> Entries, (uint Requests, int Unit)? Limit);

/// <summary>How one entry of a descriptor is made.</summary>
public abstract class RateLimitAction
{
    /// <summary>Adds its entry, or leaves it out; false drops the descriptor.</summary>
    public abstract bool Add(Exchange exchange, List<(string, string)> entries);

    private protected static string Latin(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text);
}

/// <summary>A fixed entry.</summary>
public sealed class GenericKeyAction(string key, string value) : RateLimitAction
{
    /// <inheritdoc/>
    public override bool Add(Exchange exchange, List<(string, string)> entries)
    {
        entries.Add((key, value));
        return true;
    }
}

/// <summary>The name of the route's cluster.</summary>
public sealed class DestinationClusterAction : RateLimitAction
{
    /// <inheritdoc/>
    public override bool Add(Exchange exchange, List<(string, string)> entries)
    {
        entries.Add(("destination_cluster", exchange.Facts.ClusterName));
        return true;
    }
}

/// <summary>A request header.</summary>
public sealed class HeaderAction(string header, string key, bool skipAbsent) : RateLimitAction
{
    private readonly byte[] _header = Encoding.Latin1.GetBytes(header.Equals("host", StringComparison.OrdinalIgnoreCase)
        ? ":authority" : header.ToLowerInvariant());

    /// <inheritdoc/>
    public override bool Add(Exchange exchange, List<(string, string)> entries)
    {
        if (!exchange.RequestHead.TryGet(_header, out ReadOnlySpan<byte> value))
            return skipAbsent;
        entries.Add((key, Latin(value)));
        return true;
    }
}

/// <summary>The client's address, perhaps only a part of it.</summary>
/// <param name="v4Bits">Bits of IPv4; null for the whole address under another key.</param>
/// <param name="v6Bits">Bits of IPv6.</param>
public sealed class RemoteAddressAction(int? v4Bits, int v6Bits) : RateLimitAction
{
    /// <inheritdoc/>
    public override bool Add(Exchange exchange, List<(string, string)> entries)
    {
        Address address = exchange.ClientAddress;
        if (!address.IsIp)
            return false;
        if (v4Bits is not { } bits)
        {
            entries.Add(("remote_address", address.Host));
            return true;
        }
        int kept = address.Kind == AddressKind.V4 ? bits : v6Bits;
        entries.Add(("masked_remote_address",
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{address.Masked(kept).Host}/{kept}")));
        return true;
    }
}

/// <summary>A fixed value where headers match (or do not).</summary>
public sealed class HeaderMatchAction(string key, string value, IReadOnlyList<HeaderMatch> tests, bool expected) : RateLimitAction
{
    /// <inheritdoc/>
    public override bool Add(Exchange exchange, List<(string, string)> entries)
    {
        if (tests.All(t => t.Matches(exchange.RequestHead)) != expected)
            return false;
        entries.Add((key, value));
        return true;
    }
}

/// <summary>A fixed value where query parameters match (or do not).</summary>
public sealed class QueryMatchAction(string key, string value, IReadOnlyList<QueryMatch> tests, bool expected) : RateLimitAction
{
    /// <inheritdoc/>
    public override bool Add(Exchange exchange, List<(string, string)> entries)
    {
        byte[] query = Text.QueryOf(exchange.RequestHead[KnownHeader.Path]).ToArray();
        if (tests.All(t => t.Matches(query)) != expected)
            return false;
        entries.Add((key, value));
        return true;
    }
}

/// <summary>A text of dynamic or of the route's metadata.</summary>
public sealed class MetadataAction(string key, string ns, IReadOnlyList<string> path, bool ofRoute, string absent, bool skipAbsent)
    : RateLimitAction
{
    private readonly string[] _path = [.. path];

    /// <inheritdoc/>
    public override bool Add(Exchange exchange, List<(string, string)> entries)
    {
        Metadata? metadata = ofRoute ? exchange.Route?.Metadata : exchange.DynamicMetadata;
        string text = metadata is not null && metadata.TryGet(ns, _path, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()! : "";
        if (text.Length == 0)
            text = absent;
        if (text.Length == 0)
            return skipAbsent;
        entries.Add((key, text));
        return true;
    }
}

/// <summary>One rule.</summary>
/// <param name="Stage">For filters of this stage.</param>
/// <param name="Actions">Make the entries, in order.</param>
/// <param name="LimitNamespace">Namespace of dynamic metadata that holds a limit in place of the server's; empty for none.</param>
/// <param name="LimitPath">Where in it.</param>
public sealed record RateLimitRule(uint Stage, IReadOnlyList<RateLimitAction> Actions, string LimitNamespace,
    IReadOnlyList<string> LimitPath)
{
    private static readonly string[] Units = ["UNKNOWN", "SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "YEAR"];

    /// <summary>The descriptor of a request; null where there is none.</summary>
    public RateLimitDescriptor? Describe(Exchange exchange)
    {
        var entries = new List<(string, string)>();
        foreach (RateLimitAction action in Actions)
        {
            if (!action.Add(exchange, entries))
                return null;
        }
        return entries.Count == 0 ? null : new RateLimitDescriptor(entries, Limit(exchange.DynamicMetadata));
    }

    private (uint, int)? Limit(Metadata? metadata)
    {
        if (LimitNamespace.Length == 0 || metadata is null || !metadata.TryGet(LimitNamespace, LimitPath.ToArray(), out JsonElement limit)
            || limit.ValueKind != JsonValueKind.Object)
            return null;
        if (!limit.TryGetProperty("requests_per_unit", out JsonElement requests) || requests.ValueKind != JsonValueKind.Number
            || !limit.TryGetProperty("unit", out JsonElement unit))
            return null;
        int which = unit.ValueKind == JsonValueKind.String ? Array.IndexOf(Units, unit.GetString()) : -1;
        return which < 0 ? null : ((uint)requests.GetDouble(), which);
    }
}

/// <summary>The rules of a route or virtual host.</summary>
public sealed record RateLimitRules(IReadOnlyList<RateLimitRule> All);
