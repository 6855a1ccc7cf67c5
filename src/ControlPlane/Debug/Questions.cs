using System.Text.Json;
using Envoy.Admin.V3;
using Envoy.Config.Core.V3;
using Envoy.Service.Discovery.V3;
using Envoy.Service.Status.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Grpc;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Hosting;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Push;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using ServingInstance = Envoy.Config.Core.V3.ControlPlane;

namespace Lateen.ControlPlane.Debug;

/// <summary>The debug pages on a discovery stream, as istioctl asks for them: `istio.io/debug` with a page's name, `istio.io/debug/syncz`,
/// `istio.io/debug/config_dump`.</summary>
/// <remarks>
/// Whoever asks must have proved who he is; <see cref="DebugAccess"/> says what he may see.
/// </remarks>
internal static class Questions
{
    private const string Syncz = TypeUrls.Debug + "/syncz", ConfigDump = TypeUrls.Debug + "/config_dump";

    /// <summary>Answers one question.</summary>
    public static QuestionAnswer Answer(ControlLoop loop, AdsStream stream, Question asked, DateTimeOffset now)
    {
        if (stream.Session.Node?.VerifiedIdentity is not { } identity)
            return QuestionAnswer.No(GrpcStatus.Unauthenticated, "authentication required");
        bool isOwn = identity.Namespace == loop.RootNamespace;
        if (asked.TypeUrl == TypeUrls.Debug)
        {
            if (asked.Names.Count != 1)
                return QuestionAnswer.No(GrpcStatus.InvalidArgument,
                    asked.Names.Count == 0 ? "debug type is required" : "only one debug request is allowed");
            return MaySee(loop, identity, asked.Names[0]) ? Made(loop, asked, Page(loop, asked.Names[0], now), now) : Stranger(identity);
        }
        if (!isOwn) return Stranger(identity);
        return Made(loop, asked, asked.TypeUrl switch
        {
            Syncz => SyncRows(loop),
            ConfigDump when asked.Names.Count == 1 => Dump(loop, asked.Names[0]),
            _ => [],
        }, now);
    }

    private static QuestionAnswer Stranger(Identity identity) =>
        QuestionAnswer.No(GrpcStatus.PermissionDenied, $"the debug info is not available for current identity: \"{identity}\"");

    private static bool MaySee(ControlLoop loop, Identity identity, string name)
    {
        (string page, IQueryCollection query) = Split(name);
        return DebugAccess.MaySee(loop, identity, page, query);
    }

    private static (string Page, IQueryCollection Query) Split(string name)
    {
        int mark = name.IndexOf('?', StringComparison.Ordinal);
        return mark < 0 ? (name, QueryCollection.Empty) : (name[..mark], new QueryCollection(QueryHelpers.ParseQuery(name[mark..])));
    }

    // The page's text as it is, under a type that nobody decodes.
    private static Any[] Page(ControlLoop loop, string name, DateTimeOffset now)
    {
        (string page, IQueryCollection query) = Split(name);
        DebugPage made = DebugDoor.Page(loop, page, query, now) ?? DebugPage.Refusal(StatusCodes.Status404NotFound, "404 page not found");
        return [new Any { TypeUrl = TypeUrls.Debug, Value = ByteString.CopyFromUtf8(made.Text) }];
    }

    private static IEnumerable<Any> SyncRows(ControlLoop loop) =>
        ConnectionPages.Introduced(loop).Where(stream => stream.IsProxy).Select(stream => Any.Pack(Row(stream)));

    private static ClientConfig Row(AdsStream stream)
    {
        ProxyNode node = stream.Session.Node!;
        var row = new ClientConfig { Node = new Node { Id = node.WorkloadId, Metadata = new Struct() } };
        foreach ((string name, string value) in new[] { ("CLUSTER_ID", node.ClusterId), ("ISTIO_VERSION", node.Metadata.IstioVersion),
            ("NAMESPACE", node.Namespace) })
            if (value.Length > 0) row.Node.Metadata.Fields[name] = Value.ForString(value);
        foreach ((string typeUrl, TypeTrack track) in stream.Types.OrderBy(type => type.Key, StringComparer.Ordinal))
        {
            var one = new ClientConfig.Types.GenericXdsConfig { TypeUrl = typeUrl, ConfigStatus = StatusOf(stream, typeUrl) };
            if (track.SentAt != default) one.LastUpdated = Timestamp.FromDateTimeOffset(track.SentAt);
            if (track.Error is { } error) one.ErrorState = new UpdateFailureState { Details = error };
            row.GenericXdsConfigs.Add(one);
        }
        return row;
    }

    private static ConfigStatus StatusOf(AdsStream stream, string typeUrl) => AdsStreams.StateOf(stream, typeUrl) switch
    {
        "SYNCED" => ConfigStatus.Synced,
        "STALE" => ConfigStatus.Stale,
        "ERROR" => ConfigStatus.Error,
        _ => ConfigStatus.NotSent,
    };

    private static IEnumerable<Any> Dump(ControlLoop loop, string proxy) =>
        ProxyPages.Named(loop, proxy) is { } stream ? ProxyPages.Dump(loop, stream).Configs : [];

    private static QuestionAnswer Made(ControlLoop loop, Question asked, IEnumerable<Any> resources, DateTimeOffset now)
    {
        string version = loop.Hub.Snapshot?.Revision ?? "", nonce = $"{version}/{now.UtcTicks:x}";
        // istioctl reads from the answer to syncz alone who it was.
        ServingInstance? own = asked.TypeUrl == Syncz ? new ServingInstance { Identifier = Identifier(loop.Instance) } : null;
        if (!asked.IsIncremental)
            return new(
                AdsResponse.Of(new DiscoveryResponse
                {
                    TypeUrl = asked.TypeUrl,
                    VersionInfo = version,
                    Nonce = nonce,
                    ControlPlane = own,
                    Resources = { resources },
                }), default, "");
        var named = resources.Select(
            (body, i) => new Resource { Name = asked.Names.Count == 1 ? asked.Names[0] : $"{i}", Version = version, Resource_ = body });
        return new(
            AdsResponse.Of(new DeltaDiscoveryResponse
            {
                TypeUrl = asked.TypeUrl,
                SystemVersionInfo = version,
                Nonce = nonce,
                ControlPlane = own,
                Resources = { named },
            }), default, "");
    }

    // istiod's form: which program, which instance, which build.
    private static string Identifier(string instance) => JsonSerializer.Serialize(new SortedDictionary<string, object>
    {
        ["Component"] = "istiod",
        ["ID"] = instance,
        ["Info"] = new SortedDictionary<string, string>
        {
            ["version"] = HttpDoors.Version,
            ["revision"] = "lateen",
            ["golang_version"] = "",
            ["status"] = "Clean",
            ["tag"] = HttpDoors.Version,
        },
    });
}
