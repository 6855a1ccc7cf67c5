using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Extensions.V1Alpha1;
using Istio.Networking.V1Alpha3;

namespace Lateen.Pilot.Meaning;

/// <summary>What changes or extends proxies: EnvoyFilters, TrafficExtensions, ProxyConfigs, by namespace.</summary>
public sealed record ExtensionIndex
{
    /// <summary>EnvoyFilters in the order in which they apply: priority, creation time, name.</summary>
    public required FrozenDictionary<string, ImmutableArray<Meant<EnvoyFilter>>> EnvoyFilters { get; init; }

    /// <summary>TrafficExtensions; WasmPlugins are among them, translated.</summary>
    public required FrozenDictionary<string, ImmutableArray<Meant<TrafficExtension>>> TrafficExtensions { get; init; }

    /// <summary>ProxyConfigs.</summary>
    public required FrozenDictionary<string, ImmutableArray<Meant<Istio.Networking.V1Beta1.ProxyConfig>>> ProxyConfigs { get; init; }
}
