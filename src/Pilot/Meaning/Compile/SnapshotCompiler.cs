// Compile: from written to meant. Each index has a compiler of its own that is a function of its resources and of nothing
// that another index says; `SnapshotCompiler` calls them and hands on an index as it is when its resources are those of
// the last snapshot.
//
// The result does not depend on the order of the inputs: rivals are ordered by creation time, name and namespace.
using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Extensions.V1Alpha1;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning.Credentials;

namespace Lateen.Pilot.Meaning.Compile;

/// <summary>Makes snapshots, one after another.</summary>
public sealed class SnapshotCompiler
{
    private readonly GatewayApi.GatewayApiConverter _gatewayApi = new();
    private GatewayApi.GatewayApiResources _converted = GatewayApi.GatewayApiResources.None;
    private readonly Ingresses.IngressConverter _ingresses = new();
    private SnapshotInputs? _lastInputs;
    private MeshSnapshot? _last;

    /// <summary>The snapshot of these inputs. Indexes whose inputs did not change are those of the last one.</summary>
    public MeshSnapshot Compile(SnapshotInputs inputs)
    {
        var settings = inputs.Settings;
        inputs = Converted(inputs);
        var sameSettings = ReferenceEquals(_lastInputs?.Settings, settings);
        var snapshot = new MeshSnapshot
        {
            Revision = inputs.Revision,
            Settings = settings,
            Registry = inputs.Registry,
            Services = sameSettings && _last is not null && Same(_lastInputs!.Registry.Services, inputs.Registry.Services)
                && SameNamespaces(inputs)
                ? _last.Services : ServiceVisibility.Index(inputs.Registry, settings),
            VirtualServices = Keep(sameSettings, last => last.VirtualServices, inputs, i => i.VirtualServices,
                list => VirtualServiceCompiler.Index(Ordered(list, "VirtualService", "networking.istio.io"), settings)),
            DestinationRules = Keep(sameSettings, last => last.DestinationRules, inputs, i => i.DestinationRules,
                list => DestinationRuleCompiler.Index(Ordered(list, "DestinationRule", "networking.istio.io"), settings)),
            Gateways = Gateways(inputs),
            Credentials = _last is not null && Same(_lastInputs!.GatewayApi.Secrets, inputs.GatewayApi.Secrets)
                && Same(_lastInputs.GatewayApi.ConfigMaps, inputs.GatewayApi.ConfigMaps)
                ? _last.Credentials : new CredentialIndex(inputs.GatewayApi.Secrets, inputs.GatewayApi.ConfigMaps),
            Sidecars = Keep(sameSettings, last => last.Sidecars, inputs, i => i.Sidecars,
                list => Sidecars(Ordered(list, "Sidecar", "networking.istio.io"), settings)),
            Policies = Policies(inputs, sameSettings),
            Telemetry = Keep(true, last => last.Telemetry, inputs, i => i.Telemetries,
                list => new TelemetryIndex(ByNamespace(Ordered(list, "Telemetry", "telemetry.istio.io")))),
            Extensions = Extensions(inputs),
        };
        _lastInputs = inputs;
        _last = snapshot;
        return snapshot;
    }

    /// <summary>What became of the objects of the Gateway API in the last snapshot; made when it is asked for.</summary>
    public IReadOnlyList<GatewayApi.Status.GatewayApiStatus> GatewayApiStatuses() =>
        _lastInputs is null ? [] : _converted.Statuses(_lastInputs.Registry);

    private SnapshotInputs Converted(SnapshotInputs inputs)
    {
        var converted = _gatewayApi.Convert(inputs.GatewayApi, inputs.Registry, inputs.Settings.DomainSuffix);
        _converted = converted;
        var ingresses = _ingresses.Convert(inputs.Ingresses, inputs.IngressClasses, inputs.Registry, inputs.Settings);
        if (converted.IsNothing && ReferenceEquals(ingresses, Ingresses.IngressResources.None))
            return inputs;
        return inputs with
        {
            Gateways = [.. inputs.Gateways, .. converted.Gateways, .. ingresses.Gateways],
            VirtualServices = [.. inputs.VirtualServices, .. converted.VirtualServices, .. ingresses.VirtualServices],
            DestinationRules = [.. inputs.DestinationRules, .. converted.DestinationRules],
        };
    }

    /// <summary>Where a resource comes from.</summary>
    public static Origin OriginOf<T>(Resource<T> resource, string kind, string group)
        where T : class, Google.Protobuf.IMessage<T>, new() => new()
        {
            Kind = kind,
            Group = group,
            Namespace = resource.Metadata.Namespace,
            Name = resource.Metadata.Name,
            Created = resource.Metadata.CreationTime.GetValueOrDefault(),
            Labels = resource.Metadata.Labels,
            Annotations = resource.Metadata.Annotations,
            Location = resource.Origin.File.Length == 0 ? "" : $"{resource.Origin.File}:{resource.Origin.Line}",
        };

    private static List<Meant<T>> Ordered<T>(IReadOnlyList<Resource<T>> resources, string kind, string group)
        where T : class, Google.Protobuf.IMessage<T>, new()
    {
        var meant = resources.Select(resource => MeantResources<T>.Of(resource, kind, group)).ToList();
        meant.Sort((left, right) => Origin.Compare(left.Origin, right.Origin));
        return meant;
    }

    private static FrozenDictionary<string, ImmutableArray<Meant<T>>> ByNamespace<T>(IEnumerable<Meant<T>> all) where T : class =>
        all.GroupBy(meant => meant.Origin.Namespace).ToFrozenDictionary(group => group.Key, group => group.ToImmutableArray());

    // Labels of namespaces count only where they limit entries.
    private bool SameNamespaces(SnapshotInputs inputs) =>
        inputs.Settings.Mesh.ServiceEntryVisibility is null
            || ReferenceEquals(_lastInputs!.Registry.Namespaces, inputs.Registry.Namespaces);

    private static bool Same<T>(IReadOnlyList<T> left, IReadOnlyList<T> right) where T : class
    {
        if (ReferenceEquals(left, right)) return true;
        if (left.Count != right.Count) return false;
        for (var i = 0; i < left.Count; i++)
        {
            if (!ReferenceEquals(left[i], right[i])) return false;
        }
        return true;
    }

    private TIndex Keep<TIndex, T>(
        bool mayKeep, Func<MeshSnapshot, TIndex> last, SnapshotInputs inputs, Func<SnapshotInputs, IReadOnlyList<T>> list,
        Func<IReadOnlyList<T>, TIndex> make)
        where T : class =>
        mayKeep && _last is not null && Same(list(_lastInputs!), list(inputs)) ? last(_last) : make(list(inputs));

    private GatewayIndex Gateways(SnapshotInputs inputs)
    {
        var declared = inputs.GatewayApi;
        var isSame = _last is not null && Same(_lastInputs!.Gateways, inputs.Gateways)
            && Same(_lastInputs.GatewayApi.Grants, declared.Grants)
            && Same(_lastInputs.GatewayApi.Gateways, declared.Gateways) && Same(_lastInputs.GatewayApi.Classes, declared.Classes);
        if (isSame) return _last!.Gateways;
        return new GatewayIndex([.. Ordered(inputs.Gateways, "Gateway", "networking.istio.io")])
        {
            Grants = CredentialGrants.Of(declared.Grants),
            Kubernetes = declared.Gateways,
            Classes = declared.Classes,
        };
    }

    private static SidecarIndex Sidecars(List<Meant<Istio.Networking.V1Alpha3.Sidecar>> all, MeshSettings settings)
    {
        var defaults = all.Where(sidecar => sidecar.Spec.WorkloadSelector is null or { Labels.Count: 0 })
            .GroupBy(sidecar => sidecar.Origin.Namespace).ToFrozenDictionary(group => group.Key, group => group.First());
        return new SidecarIndex
        {
            Selected = ByNamespace(all.Where(sidecar => sidecar.Spec.WorkloadSelector is { Labels.Count: > 0 })),
            NamespaceDefault = defaults,
            MeshDefault = defaults.GetValueOrDefault(settings.RootNamespace),
        };
    }

    private PolicyIndex Policies(SnapshotInputs inputs, bool sameSettings)
    {
        var isSame = sameSettings && _last is not null
            && Same(_lastInputs!.PeerAuthentications, inputs.PeerAuthentications)
            && Same(_lastInputs.RequestAuthentications, inputs.RequestAuthentications)
            && Same(_lastInputs.AuthorizationPolicies, inputs.AuthorizationPolicies)
            && ReferenceEquals(_lastInputs.KeySets, inputs.KeySets);
        if (isSame) return _last!.Policies;
        const string group = "security.istio.io";
        var root = inputs.Settings.RootNamespace;
        var peers = ByNamespace(Ordered(inputs.PeerAuthentications, "PeerAuthentication", group));
        var whole = peers.ToDictionary(pair => pair.Key,
            pair => pair.Value.FirstOrDefault(policy => policy.Spec.Selector is null or { MatchLabels.Count: 0 }));
        var mesh = whole.GetValueOrDefault(root) is { } ofMesh
            ? PeerAuthenticationRules.Of(ofMesh.Spec.Mtls, MtlsMode.Unknown) : MtlsMode.Unknown;
        var inherited = mesh == MtlsMode.Unknown ? MtlsMode.Permissive : mesh;
        return new PolicyIndex
        {
            RootNamespace = root,
            KeySets = inputs.KeySets,
            PeerAuthentications = peers,
            RequestAuthentications = ByNamespace(Ordered(inputs.RequestAuthentications, "RequestAuthentication", group)),
            AuthorizationPolicies = ByNamespace(Ordered(inputs.AuthorizationPolicies, "AuthorizationPolicy", group)),
            MeshMode = mesh,
            NamespaceModes = whole.Where(pair => pair.Value is not null && pair.Key != root)
                .ToFrozenDictionary(pair => pair.Key, pair => PeerAuthenticationRules.Of(pair.Value!.Spec.Mtls, inherited)),
        };
    }

    private ExtensionIndex Extensions(SnapshotInputs inputs)
    {
        var isSame = _last is not null
            && Same(_lastInputs!.EnvoyFilters, inputs.EnvoyFilters)
            && Same(_lastInputs.WasmPlugins, inputs.WasmPlugins)
            && Same(_lastInputs.TrafficExtensions, inputs.TrafficExtensions)
            && Same(_lastInputs.ProxyConfigs, inputs.ProxyConfigs);
        if (isSame) return _last!.Extensions;
        const string group = "extensions.istio.io";
        var filters = Ordered(inputs.EnvoyFilters, "EnvoyFilter", "networking.istio.io").OrderBy(filter => filter.Spec.Priority);
        var extensions = Ordered(inputs.TrafficExtensions, "TrafficExtension", group)
            .Concat(Ordered(inputs.WasmPlugins, "WasmPlugin", group).Select(WasmPlugins.Translate)).ToList();
        extensions.Sort((left, right) => Origin.Compare(left.Origin, right.Origin));
        return new ExtensionIndex
        {
            EnvoyFilters = ByNamespace(filters),
            TrafficExtensions = ByNamespace(extensions),
            ProxyConfigs = ByNamespace(Ordered(inputs.ProxyConfigs, "ProxyConfig", "networking.istio.io")),
        };
    }
}
