using System.Net;
using Google.Protobuf;
using Istio.Workload;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>WDS: services and workloads of the ambient mode, for those who ask; the same for all.</summary>
public sealed class AddressGenerator : IResourceGenerator
{
    private readonly GenerationCache<MeshSnapshot, IReadOnlyList<WireResource>> _made = new();

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.Address;

    /// <inheritdoc/>
    public void BeginSnapshot() => _made.Turn();

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        if (!scope.Snapshot.Settings.Features.Ambient) return [];
        return WorkloadMessages.Asked(_made.GetOrMake(scope.Snapshot, Make), names);
    }

    private static List<WireResource> Make(MeshSnapshot snapshot)
    {
        var view = AmbientView.Of(snapshot);
        return
        [
            .. view.Workloads.Select(static w => WireResource.Of(w.Uid, new Address { Workload = w }, WorkloadMessages.AliasesOf(w))),
            .. view.Services.Select(static s =>
                WireResource.Of(s.Key, new Address { Service = s.Message }, WorkloadMessages.AliasesOf(s.Message))),
        ];
    }
}

/// <summary>WDS for clients that want workloads only.</summary>
public sealed class WorkloadGenerator : IResourceGenerator
{
    private readonly GenerationCache<MeshSnapshot, IReadOnlyList<WireResource>> _made = new();

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.Workload;

    /// <inheritdoc/>
    public void BeginSnapshot() => _made.Turn();

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        if (!scope.Snapshot.Settings.Features.Ambient) return [];
        var all = _made.GetOrMake(scope.Snapshot,
            static snapshot => AmbientView.Of(snapshot).Workloads.Select(
                static w => WireResource.Of(w.Uid, w, WorkloadMessages.AliasesOf(w))).ToList());
        return WorkloadMessages.Asked(all, names);
    }
}

/// <summary>Policies that node proxies enforce.</summary>
public sealed class AuthorizationGenerator : IResourceGenerator
{
    private readonly GenerationCache<MeshSnapshot, IReadOnlyList<WireResource>> _made = new();

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.Authorization;

    /// <inheritdoc/>
    public void BeginSnapshot() => _made.Turn();

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        if (!scope.Snapshot.Settings.Features.Ambient) return [];
        var all = _made.GetOrMake(scope.Snapshot,
            static snapshot => AmbientView.Of(snapshot).Policies.Select(static p => WireResource.Of($"{p.Namespace}/{p.Name}", p))
                .ToList());
        return WorkloadMessages.Asked(all, names);
    }
}

/// <summary>Names of workload messages.</summary>
internal static class WorkloadMessages
{
    /// <summary>Those that a client asks for, by name or by <c>network/address</c>; null for all.</summary>
    public static IReadOnlyList<WireResource> Asked(IReadOnlyList<WireResource> all, IReadOnlySet<string>? names) =>
        names is null ? all : all.Where(resource => names.Contains(resource.Name) || resource.Aliases.Any(names.Contains)).ToList();

    /// <summary>Other names of a workload.</summary>
    public static IEnumerable<string> AliasesOf(Istio.Workload.Workload workload) =>
        workload.Addresses.Select(address => Alias(workload.Network, address));

    /// <summary>Other names of a service.</summary>
    public static IEnumerable<string> AliasesOf(Service service) =>
        service.Addresses.Select(static address => Alias(address.Network, address.Address));

    private static string Alias(string network, ByteString address) => $"{network}/{new IPAddress(address.Span)}";
}
