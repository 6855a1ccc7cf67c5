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
    private static readonly JsonSerializerOptions Compact = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
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
        return Page(Clients(loop, pair => Detail(pair.Row, pair.Stream)), pretty);
    }

    public static DebugPage Syncz(ControlLoop loop, QueryFields query, bool pretty)
    {
        var rows = new JsonArray();
        foreach (AdsStream stream in Introduced(loop)) rows.Add((JsonNode)SyncRow(stream));
        return Page(rows, pretty);
    }

    /// <summary>Streams whose proxy has said who it is, by their names.</summary>
    public static IEnumerable<AdsStream> Introduced(ControlLoop loop) =>
        loop.Streams.Open.Where(stream => stream.Session.Node is not null).OrderBy(stream => stream.ConnectionId, StringComparer.Ordinal);

    private static JsonObject Clients(ControlLoop loop, Action<(JsonObject Row, AdsStream Stream)> more)
    {
        var rows = new JsonArray();
        foreach (AdsStream stream in Introduced(loop))
        {
            var row = new JsonObject { ["connectionId"] = stream.ConnectionId, ["connectedAt"] = stream.Session.ConnectedAt.ToString("O"), ["address"] = stream.Peer };
            more((row, stream));
            rows.Add((JsonNode)row);
        }
        return new JsonObject { ["totalClients"] = rows.Count, ["clients"] = rows };
    }

    private static void Detail(JsonObject row, AdsStream stream)
    {
        ProxyNode node = stream.Session.Node!;
        row["labels"] = new JsonObject([.. node.Labels.OrderBy(label => label.Key, StringComparer.Ordinal).Select(label => KeyValuePair.Create(label.Key, (JsonNode?)label.Value))]);
        row["metadata"] = JsonNode.Parse(MessageWriter.ToJson(node.Metadata.Raw, indented: false));
        row["locality"] = Locality(node.Locality);
        row["watches"] = new JsonObject([.. stream.Types.Select(type => KeyValuePair.Create(type.Key, (JsonNode?)new JsonArray([.. (stream.Session.Asked(type.Key) ?? Everything).Select(name => (JsonNode)name)])))]);
    }

    // A type of which all is asked for names nothing.
    private static readonly IReadOnlySet<string> Everything = new HashSet<string>();

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
        row["resources"] = new JsonObject([.. stream.Types.Select(type => KeyValuePair.Create(type.Key, (JsonNode?)new JsonObject { ["sent"] = type.Value.SentNonce, ["acked"] = type.Value.AckedNonce }))]);
        return row;
    }

    private static void Track(JsonObject row, AdsStream stream, string name, string typeUrl)
    {
        if (!stream.Types.TryGetValue(typeUrl, out TypeTrack? track)) return;
        if (track.SentNonce.Length > 0) row[name + "_sent"] = track.SentNonce;
        if (track.AckedNonce.Length > 0) row[name + "_acked"] = track.AckedNonce;
    }
}
