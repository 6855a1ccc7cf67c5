// Clients: what sidecars have in common when they are looked at as clients. Most of what a proxy is told is about others, and the same for
// all its like; only a few facts about an instance may matter to it, and those are the ones that something written looks at.
//
// State: a scope for each kind of client, handed from one snapshot's builder to the next. It holds on to nothing else.
//
// Never: a key beside the thing that it stands for. What names the instance is taken out of the scope itself, so a generator that reads it
// gets a wrong answer at once and in every test, and not the answer for somebody else's proxy on a bad day.
//
// Refused: noting what a generator reads while it runs (exact, too, but every property of a node would have to be asked for through a
// recorder).
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.Pilot.Scope.Clients;

/// <summary>
/// Cuts scopes of sidecars down to what they have in common as clients: everything by which one instance differs from another is taken
/// away, so that what is generated from such a scope can't depend on it. Proxies of one kind get the same object, and get it again after
/// changes that concern none of it; caches ask for nothing but the object.
/// </summary>
internal sealed class ClientScopes
{
    // What names the instance, and is read by nothing that holds for others as well. Everything else that a proxy says about itself stays.
    private static readonly string[] InstanceFields =
    [
        "NAME", "INSTANCE_IPS", "OWNER", "WORKLOAD_NAME", "SERVICE_ACCOUNT", "POD_PORTS", "LABELS", "ANNOTATIONS", "NODE_NAME",
        "APP_CONTAINERS", "PLATFORM_METADATA",
        "ISTIO_PROXY_SHA", "PROV_CERT", "STS", "ENVOY_SKIP_DEPRECATED_LOGS", "PILOT_SAN",
    ];

    private const string GatewayName = "gateway.networking.k8s.io/gateway-name";
    private readonly MeshSnapshot _snapshot;
    private readonly ClientScopes? _previous;
    private readonly ConditionalWeakTable<ProxyNode, NodeClass> _classes;
    private readonly Dictionary<Key, ProxyScope> _scopes = [];

    // Those in _scopes: who had one of them before, and differs in nothing, need not be looked at to have it again.
    private readonly HashSet<ProxyScope> _known = [];
    private readonly Dictionary<SidecarScope, Dialed> _dialed = [];
    private readonly FrozenSet<string> _labels, _metadata;

    public ClientScopes(MeshSnapshot snapshot, ClientScopes? previous)
    {
        _snapshot = snapshot;
        var last = previous?._snapshot;
        var looksAtTheSame = last is not null && ReferenceEquals(last.VirtualServices, snapshot.VirtualServices)
            && ReferenceEquals(last.DestinationRules, snapshot.DestinationRules)
            && ReferenceEquals(last.Extensions, snapshot.Extensions) && ReferenceEquals(last.Telemetry, snapshot.Telemetry);
        _labels = looksAtTheSame ? previous!._labels : LookedAtLabels.Of(snapshot);
        _metadata = looksAtTheSame ? previous!._metadata : MatchedMetadata(snapshot);
        var readsTheSame = previous is not null && previous._labels.SetEquals(_labels) && previous._metadata.SetEquals(_metadata);
        _classes = readsTheSame ? previous!._classes : [];
        _previous = previous is null ? null : new ClientScopes(previous);
    }

    // What a builder leaves to the next: its scopes, without those of its own predecessor.
    private ClientScopes(ClientScopes left) =>
        (_snapshot, _classes, _scopes, _dialed, _labels, _metadata) =
            (left._snapshot, left._classes, left._scopes, left._dialed, left._labels, left._metadata);

    private sealed record NodeClass(string Text, ProxyNode Node);

    // References, but for the text: snapshots keep the object of what did not change.
    private sealed record Key(string Class, SidecarScope Imports, MeshSettings Settings, TelemetryIndex Telemetry,
        ExtensionIndex Extensions);

    /// <summary>The scope as that of any client of its kind; the scope itself for what is no sidecar.</summary>
    /// <param name="scope">The scope.</param>
    /// <param name="before">The proxy's former scope; null when that is not known.</param>
    public ProxyScope Of(ProxyScope scope, ProxyScope? before)
    {
        if (scope.Node.Type != ProxyType.Sidecar || scope.Node.Metadata.Generator == "grpc" || OwnsDialed(scope)) return scope;
        if (before is not null && ReferenceEquals(before.Line, scope.Line) && _known.Contains(before.Client)) return before.Client;
        var client = OfKind(scope);
        _known.Add(client);
        return client;
    }

    private ProxyScope OfKind(ProxyScope scope)
    {
        var kind = _classes.GetValue(scope.Node, ClassOf);
        var labels = scope.Labels.Where(label => _labels.Contains(label.Key) || label.Key == GatewayName)
            .OrderBy(label => label.Key, StringComparer.Ordinal).ToList();
        var text = labels.Count == 0 ? kind.Text : kind.Text + string.Join('\n', labels);
        var key = new Key(text, scope.Imports, _snapshot.Settings, _snapshot.Telemetry, _snapshot.Extensions);
        if (_scopes.TryGetValue(key, out var known)) return known;
        if (_previous is null || !_previous._scopes.TryGetValue(key, out var made) || !SameDialed(scope.Imports))
            made = Reduced(scope, kind, labels);
        _scopes.Add(key, made);
        return made;
    }

    private ProxyScope Reduced(ProxyScope scope, NodeClass kind, List<KeyValuePair<string, string>> labels) => new()
    {
        Snapshot = _snapshot,
        Node = kind.Node with { Labels = labels.ToFrozenDictionary() },
        Imports = scope.Imports,
        Targets = [],
        AllTargets = [],
        Labels = labels.ToFrozenDictionary(),
    };

    // ---- services whose endpoints are dialed by themselves: their addresses are part of what clients are told besides EDS

    private sealed record Dialed(ImmutableArray<ServiceEndpoints> All, HashSet<string> Addresses);

    private bool SameDialed(SidecarScope imports) => ReferenceEquals(DialedBy(imports), _previous!._dialed.GetValueOrDefault(imports));

    private Dialed DialedBy(SidecarScope imports)
    {
        if (_dialed.TryGetValue(imports, out var known)) return known;
        ImmutableArray<ServiceEndpoints> all = [.. imports.Dialed
            .Select(service => _snapshot.Registry.EndpointsOf(service.Key)).Where(of => !of.All.IsEmpty)];
        var before = _previous?._dialed.GetValueOrDefault(imports);
        var isSame = before is not null && all.Length == before.All.Length
            && all.Zip(before.All).All(pair => ReferenceEquals(pair.First, pair.Second));
        var made = isSame ? before! : new Dialed(all, [.. all.SelectMany(of => of.All).SelectMany(endpoint => endpoint.Addresses)]);
        _dialed.Add(imports, made);
        return made;
    }

    // To itself a workload talks without its proxy, so that what is listened for depends on who it is.
    private bool OwnsDialed(ProxyScope scope) =>
        DialedBy(scope.Imports).Addresses is { Count: > 0 } addresses && scope.Node.Addresses.Any(addresses.Contains);

    // ---- nodes

    private NodeClass ClassOf(ProxyNode node)
    {
        var raw = new Struct();
        foreach (var (name, value) in node.Metadata.Raw.Fields.OrderBy(field => field.Key, StringComparer.Ordinal))
        {
            if (!InstanceFields.Contains(name) || _metadata.Contains(name)) raw.Fields.Add(name, value);
        }
        var reduced = node with
        {
            Id = "",
            WorkloadId = "",
            ServiceCluster = "",
            VerifiedIdentity = null,
            Labels = FrozenDictionary<string, string>.Empty,
            Locality = default,
            // Only the families count, and which comes first.
            Addresses = [.. node.Addresses.Select(address => address.Contains(':') ? "::" : "0.0.0.0").Distinct()],
            Metadata = node.Metadata with
            {
                Raw = raw, Name = "", WorkloadName = "", ServiceAccount = "", NodeName = "", PodPorts = [], Annotations =
                    FrozenDictionary<string, string>.Empty,
            },
        };
        var text = new StringBuilder();
        text.Append(reduced.Namespace).Append('\n').Append(reduced.DnsDomain).Append('\n').AppendJoin(',', reduced.Addresses).Append('\n')
            .Append(reduced.Version).Append('\n');
        foreach (var (name, value) in raw.Fields)
            text.Append(name).Append('=').Append(Convert.ToBase64String(value.ToByteArray())).Append('\n');
        return new NodeClass(text.ToString(), reduced);
    }

    private static FrozenSet<string> MatchedMetadata(MeshSnapshot snapshot) =>
        snapshot.Extensions.EnvoyFilters.Values.SelectMany(filters => filters)
            .SelectMany(filter => filter.Spec.ConfigPatches)
            .SelectMany(patch => (IEnumerable<string>?)patch.Match?.Proxy?.Metadata.Keys ?? []).ToFrozenSet();
}
