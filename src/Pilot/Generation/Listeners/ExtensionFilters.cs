using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Http.Lua.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Istio.Extensions.V1Alpha1;
using Istio.Type.V1Beta1;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Meaning;
using Phase = Istio.Extensions.V1Alpha1.TrafficExtension.Types.ExecutionPhase;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>Filters of extensions by the phase in which they act.</summary>
internal sealed record PhasedFilters<T>(IReadOnlyList<T> Authn, IReadOnlyList<T> Authz, IReadOnlyList<T> Stats, IReadOnlyList<T> Other)
{
    /// <summary>In order.</summary>
    public IEnumerable<T> All => [.. Authn, .. Authz, .. Stats, .. Other];
}

/// <summary>WebAssembly and Lua extensions of one workload.</summary>
internal sealed class ExtensionFilters
{
    private const string NamePrefix = "extensions.istio.io/trafficextension/";
    private const string HttpWasm = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
    private const string NetworkWasm = "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm";
    // What a proxy gets that can't load the module and must not let anything through.
    private const string HttpRefusal = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
    private const string NetworkRefusal = "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC";
    private readonly List<Meant<TrafficExtension>> _extensions;

    public ExtensionFilters(ProxyInputs inputs, PolicyTarget target)
    {
        var snapshot = inputs.Scope.Snapshot;
        var root = snapshot.Settings.RootNamespace;
        var byNamespace = snapshot.Extensions.TrafficExtensions;
        _extensions = new[] { target.Namespace, root }.Concat(target.Services.Select(static s => s.Namespace))
            .Where(static n => n.Length > 0).Distinct()
            .SelectMany(ns => byNamespace.TryGetValue(ns, out var found) ? found : [])
            .Where(e => WorkloadPolicies.Attaches(target, e.Origin, e.Spec.Selector, e.Spec.TargetRefs, root))
            .OrderByDescending(static e => e.Spec.Priority ?? int.MinValue)
            .ToList();
    }

    /// <summary>All extensions that are fetched by name.</summary>
    public IEnumerable<Meant<TrafficExtension>> Fetched => _extensions.Where(static e => e.Spec.Wasm is not null);

    /// <summary>Name under which an extension is fetched.</summary>
    public static string NameOf(Meant<TrafficExtension> extension) => $"{NamePrefix}{extension.Origin.Namespace}.{extension.Origin.Name}";

    /// <summary>Whether an extension works on bytes.</summary>
    public static bool IsNetwork(Meant<TrafficExtension> extension) => extension.Spec.Wasm?.Type == PluginType.Network;

    /// <summary>HTTP filters.</summary>
    public PhasedFilters<HttpFilter> Http(ListenerClass listenerClass, int port) => Phased(e => Http(e, listenerClass, port));

    /// <summary>Network filters.</summary>
    public PhasedFilters<Filter> Network(ListenerClass listenerClass, int port) => Phased(e =>
        IsNetwork(e) && Applies(e.Spec, listenerClass, port)
            ? new Filter { Name = NameOf(e), ConfigDiscovery = Discovery(NetworkWasm, NetworkRefusal) }
            : null);

    private PhasedFilters<T> Phased<T>(Func<Meant<TrafficExtension>, T?> filter)
        where T : class
    {
        return new PhasedFilters<T>(In(Phase.Authn), In(Phase.Authz), In(Phase.Stats), In(Phase.Unspecified));

        List<T> In(Phase phase) => _extensions.Where(e => e.Spec.Phase == phase).Select(filter).OfType<T>().ToList();
    }

    private static HttpFilter? Http(Meant<TrafficExtension> extension, ListenerClass listenerClass, int port)
    {
        if (IsNetwork(extension) || !Applies(extension.Spec, listenerClass, port)) return null;
        if (extension.Spec.Wasm is not null)
            return new HttpFilter { Name = NameOf(extension), ConfigDiscovery = Discovery(HttpWasm, HttpRefusal) };
        return extension.Spec.Lua is { } lua
            ? HttpFilters.Named(NameOf(extension), new Lua { DefaultSourceCode = new DataSource { InlineString = lua.InlineCode } })
            : null;
    }

    internal static bool Applies(TrafficExtension spec, ListenerClass listenerClass, int port)
    {
        if (spec.Match.Count == 0) return true;
        var isServer = listenerClass == ListenerClass.SidecarInbound;
        return spec.Match.Any(m => IsMode(m.Mode, isServer) && (m.Ports.Count == 0 || m.Ports.Any(p => p.Number == port)));
    }

    // A gateway is a client of the services behind it.
    private static bool IsMode(WorkloadMode mode, bool isServer) => mode switch
    {
        WorkloadMode.Client => !isServer,
        WorkloadMode.Server => isServer,
        _ => true,
    };

    private static ExtensionConfigSource Discovery(params string[] types)
    {
        var source = new ExtensionConfigSource { ConfigSource = Wire.FromAds() };
        source.TypeUrls.Add(types);
        return source;
    }
}
