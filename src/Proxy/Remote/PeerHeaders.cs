using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.Proxy.Filters.Istio;

namespace Lateen.Proxy.Remote;

/// <summary>Peers as Istio's proxies write them: base64 of a Struct with the workload's names and labels.</summary>
public sealed class PeerHeaders : PeerCodec
{
    private static readonly string[] Told = ["NAME", "NAMESPACE", "OWNER", "WORKLOAD_NAME", "CLUSTER_ID"];
    private static readonly string[] ToldLabels = ["app", "version", "service.istio.io/canonical-name",
        "service.istio.io/canonical-revision"];

    private readonly byte[] _id, _text;

    /// <summary>From the node's id and metadata.</summary>
    public PeerHeaders(string nodeId, Struct? metadata)
    {
        _id = System.Text.Encoding.Latin1.GetBytes(nodeId);
        var told = new Struct();
        // Sorted, so that the same workload always sends the same bytes.
        foreach (string key in Told.Order(StringComparer.Ordinal))
        {
            if (metadata?.Fields.TryGetValue(key, out Value? value) == true)
                told.Fields[key] = value;
        }
        var labels = new Struct();
        Struct own = metadata?.Fields.GetValueOrDefault("LABELS")?.StructValue ?? new Struct();
        foreach (string label in ToldLabels)
        {
            if (own.Fields.TryGetValue(label, out Value? value))
                labels.Fields[label] = value;
        }
        told.Fields["LABELS"] = Value.ForStruct(labels);
        _text = System.Text.Encoding.ASCII.GetBytes(Convert.ToBase64String(told.ToByteArray()));
        Own = Peer(told);
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> OwnId => _id;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> OwnText => _text;

    /// <inheritdoc/>
    public override WorkloadPeer Own { get; }

    /// <inheritdoc/>
    protected override WorkloadPeer? Decode(ReadOnlySpan<byte> text)
    {
        if (text.Length > 16 * 1024)
            return null;
        try
        {
            return Peer(Struct.Parser.ParseFrom(Convert.FromBase64String(System.Text.Encoding.Latin1.GetString(text))));
        }
        catch (Exception e) when (e is FormatException || BrokenBytes.Shown(e))
        {
            return null;
        }
    }

    private static WorkloadPeer Peer(Struct fields)
    {
        Struct labels = fields.Fields.GetValueOrDefault("LABELS")?.StructValue ?? new Struct();
        string workload = Text(fields, "WORKLOAD_NAME", "unknown"), app = Text(labels, "app", "unknown");
        return new WorkloadPeer
        {
            Workload = workload,
            Namespace = Text(fields, "NAMESPACE", "unknown"),
            App = app,
            Version = Text(labels, "version", "unknown"),
            CanonicalService = Text(labels, "service.istio.io/canonical-name", app != "unknown" ? app : workload),
            CanonicalRevision = Text(labels, "service.istio.io/canonical-revision", Text(labels, "version", "latest")),
            Cluster = Text(fields, "CLUSTER_ID", "unknown"),
            Identity = Text(fields, "IDENTITY", "unknown"),
        };
    }

    private static string Text(Struct fields, string key, string absent) =>
        fields.Fields.TryGetValue(key, out Value? value) && value.KindCase == Value.KindOneofCase.StringValue
            && value.StringValue.Length > 0 ? value.StringValue : absent;
}
