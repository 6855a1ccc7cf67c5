using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Api.Documents;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Operator;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Scope;

namespace Lateen.ControlPlane.Debug;

/// <summary>The pages about streams: who is connected, what they watch, how far they are.</summary>
internal static class ConnectionPages
{
    private static readonly JsonSerializerOptions Compact =
        new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions Indented = new(Compact) { WriteIndented = true };

    /// <summary>Text of a page's JSON.</summary>
    public static DebugPage Page(JsonNode node, bool pretty) => DebugPage.Json(node.ToJsonString(pretty ? Indented : Compact));

    public static DebugPage Connections(ControlLoop loop, QueryFields query, bool pretty) => Page(Clients(loop, _ => { }), pretty);

    public static DebugPage Adsz(ControlLoop loop, QueryFields query, bool pretty, DateTimeOffset now)
    {
        if (query["push"] is not null)
        {
            loop.PushAgain(now);
            return new(200, "text/plain; charset=utf-8", $"Pushed to {loop.Streams.Count} servers\n");
        }
        string? name = query["proxyID"];
        if (name is not null && ProxyPages.Named(loop, name) is null) return ProxyPages.NotHere;
        return Page(Clients(loop, pair => Detail(pair.Row, pair.Stream), stream => name is null || stream.Session.Node!.WorkloadId == name),
            pretty);
    }

    public static DebugPage Syncz(ControlLoop loop, QueryFields query, bool pretty)
    {
        var rows = new JsonArray();
        string? ns = query["namespace"];
        foreach (AdsStream stream in Introduced(loop).Where(stream => ns is null || stream.Session.Node!.Namespace == ns))
            rows.Add((JsonNode)SyncRow(stream));
        return Page(rows, pretty);
    }

    /// <summary>Streams whose proxy has said who it is, by their names.</summary>
    public static IEnumerable<AdsStream> Introduced(ControlLoop loop) =>
        loop.Streams.Open.Where(stream => stream.Session.Node is not null).OrderBy(stream => stream.ConnectionId, StringComparer.Ordinal);

    private static JsonObject Clients(ControlLoop loop, Action<(JsonObject Row, AdsStream Stream)> more,
        Func<AdsStream, bool>? wanted = null)
    {
        var rows = new JsonArray();
        foreach (AdsStream stream in Introduced(loop).Where(wanted ?? (_ => true)))
        {
            var row = new JsonObject
            {
                ["connectionId"] = stream.ConnectionId,
                ["connectedAt"] = stream.Session.ConnectedAt.ToString("O"),
                ["address"] = stream.Peer,
            };
            more((row, stream));
            rows.Add((JsonNode)row);
        }
        return new JsonObject { ["totalClients"] = rows.Count, ["clients"] = rows };
    }

    private static void Detail(JsonObject row, AdsStream stream)
    {
        ProxyNode node = stream.Session.Node!;
        row["labels"] = new JsonObject([.. Labels(stream).Select(label => KeyValuePair.Create(label.Key, (JsonNode?)label.Value))]);
        row["metadata"] = JsonNode.Parse(MessageWriter.ToJson(node.Metadata.Raw, indented: false));
        row["locality"] = Locality(stream.Session.Scope?.Locality ?? node.Locality);
        row["watches"] = new JsonObject(
            [.. stream.Types.Select(type =>
                KeyValuePair.Create(type.Key, (JsonNode?)new JsonArray([.. Names(stream, type.Key).Select(name => (JsonNode)name)])))]);
    }

    // Its own, and where it stands: rules may choose by both.
    private static SortedDictionary<string, string> Labels(AdsStream stream)
    {
        ProxyNode node = stream.Session.Node!;
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach ((string key, string value) in stream.Session.Scope?.Labels ?? node.Labels) labels[key] = value;
        Registry.Locality locality = stream.Session.Scope?.Locality ?? node.Locality;
        (string Key, string? Value)[] places =
        [
            ("kubernetes.io/hostname", node.Metadata.NodeName), ("topology.istio.io/cluster", node.ClusterId),
            ("topology.istio.io/network", stream.Session.Scope?.Network),
            ("topology.istio.io/subzone", locality.Subzone), ("topology.kubernetes.io/region", locality.Region),
            ("topology.kubernetes.io/zone", locality.Zone),
        ];
        foreach ((string key, string? value) in places.Where(place => !string.IsNullOrEmpty(place.Value))) labels.TryAdd(key, value!);
        return labels;
    }

    // Who asks for all there is watches what he got.
    private static IEnumerable<string> Names(AdsStream stream, string typeUrl) =>
        (stream.Session.Asked(typeUrl) ?? stream.Session.Held(typeUrl).Keys).Order(StringComparer.Ordinal);

    private static JsonObject Locality(Registry.Locality locality)
    {
        var fields = new JsonObject();
        if (!string.IsNullOrEmpty(locality.Region)) fields["region"] = locality.Region;
        if (!string.IsNullOrEmpty(locality.Zone)) fields["zone"] = locality.Zone;
        if (!string.IsNullOrEmpty(locality.Subzone)) fields["sub_zone"] = locality.Subzone;
        return fields;
    }

    private static JsonObject SyncRow(AdsStream stream)
    {
        ProxyNode node = stream.Session.Node!;
        var row = new JsonObject
        {
            ["cluster_id"] = node.ClusterId,
            ["proxy"] = node.WorkloadId,
            ["proxy_type"] = node.Type.ToString().ToLowerInvariant(),
            ["istio_version"] = node.Metadata.IstioVersion,
        };
        Track(row, stream, "cluster", TypeUrls.Cluster);
        Track(row, stream, "listener", TypeUrls.Listener);
        Track(row, stream, "route", TypeUrls.Route);
        Track(row, stream, "endpoint", TypeUrls.Endpoint);
        Track(row, stream, "extensionconfig", TypeUrls.ExtensionConfig);
        row["resources"] = new JsonObject([.. stream.Types.Select(type => KeyValuePair.Create(type.Key, (JsonNode?)Times(type.Value)))]);
        return row;
    }

    private static JsonObject Times(TypeTrack track)
    {
        var times = new JsonObject();
        if (track.SentNonce.Length > 0) times["sent"] = track.SentNonce;
        if (track.AckedNonce.Length > 0) times["acked"] = track.AckedNonce;
        if (track.Error is { } error) times["error"] = error;
        if (track.SentAt != default) times["sentTime"] = track.SentAt.ToString("O");
        return times;
    }

    private static void Track(JsonObject row, AdsStream stream, string name, string typeUrl)
    {
        if (!stream.Types.TryGetValue(typeUrl, out TypeTrack? track)) return;
        if (track.SentNonce.Length > 0) row[name + "_sent"] = track.SentNonce;
        if (track.AckedNonce.Length > 0) row[name + "_acked"] = track.AckedNonce;
    }
}
