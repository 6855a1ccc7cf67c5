using Envoy.Config.Core.V3;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>What endpoints of one cluster say of themselves. Pods of a deployment say the same, and share one object: of a hundred
/// endpoints most bytes would be its copies while they are made.</summary>
internal sealed class EndpointMetadata
{
    /// <summary>Where Envoy looks which of a cluster's transport sockets an endpoint takes.</summary>
    public const string TransportSocketMatch = "envoy.transport_socket_match";

    // Versions of a service follow each other.
    private const int KnownMax = 4;
    private readonly List<(string? Workload, bool TakesMtls, Metadata Made)> _known = [];

    /// <summary>The metadata, not to be changed.</summary>
    /// <param name="workload">The workload as telemetry names it; null where it is not told.</param>
    /// <param name="takesMtls">Mesh TLS is spoken to it.</param>
    public Metadata Shared(string? workload, bool takesMtls)
    {
        foreach (var (known, mtls, made) in _known)
        {
            if (known == workload && mtls == takesMtls) return made;
        }
        var metadata = Make(workload, takesMtls);
        if (_known.Count == KnownMax) _known.RemoveAt(0);
        _known.Add((workload, takesMtls, metadata));
        return metadata;
    }

    /// <summary>The same for one endpoint alone.</summary>
    public static Metadata Make(string? workload, bool takesMtls)
    {
        var metadata = new Metadata();
        if (takesMtls) metadata.FilterMetadata[TransportSocketMatch] = WireAny.Struct(("tlsMode", Value.ForString("istio")));
        if (workload is not null) metadata.FilterMetadata["istio"] = WireAny.Struct(("workload", Value.ForString(workload)));
        return metadata;
    }
}
