using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Push;

namespace Lateen.ControlPlane.Ads;

/// <summary>What somebody asks about the mesh itself on a discovery stream: types below `istio.io/debug`, answered once for each request
/// and never pushed.</summary>
/// <param name="TypeUrl">`istio.io/debug`, or a type below it.</param>
/// <param name="Names">The pages that are meant, with their queries; or proxies.</param>
/// <param name="IsIncremental">The form in which an answer goes out.</param>
public sealed record Question(string TypeUrl, IReadOnlyList<string> Names, bool IsIncremental)
{
    /// <summary>The question in a request; null where it is none, or acknowledges an answer.</summary>
    public static Question? Of(IMessage request) => request switch
    {
        DiscoveryRequest { ResponseNonce: "" } whole when IsAbout(whole.TypeUrl) => new(whole.TypeUrl, whole.ResourceNames, false),
        DeltaDiscoveryRequest { ResponseNonce: "" } delta
            when IsAbout(delta.TypeUrl) => new(delta.TypeUrl, delta.ResourceNamesSubscribe, true),
        _ => null,
    };

    private static bool IsAbout(string typeUrl) =>
        typeUrl == TypeUrls.Debug || typeUrl.StartsWith(TypeUrls.Debug + "/", StringComparison.Ordinal);
}

/// <summary>An answer, or why there is none: the stream ends with it then.</summary>
public readonly record struct QuestionAnswer(AdsResponse? Response, GrpcStatus Status, string Refusal)
{
    /// <summary>No.</summary>
    public static QuestionAnswer No(GrpcStatus status, string why) => new(null, status, why);
}
