using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.Nds.V1;
using Lateen.Agent.Bootstrap;
using Lateen.Agent.Capture;
using Lateen.Agent.Dns;
using Lateen.Pilot.Scope;

namespace Lateen.Test.Conformance.Runners.Tables.Rules;

/// <summary>What an agent reads about its workload and tells the control plane of it.</summary>
internal static class AgentTables
{
    public static string? ServiceClusterName(JsonElement row, JsonElement context)
    {
        var metadata = row.GetProperty("metadata").GetProperty("nodeMetadata");
        return Rows.Same(ServiceCluster.Of(row.Text("input"), metadata.Labels("labels"), metadata.Text("workloadName"),
            metadata.Text("namespace")), row.Text("expected"));
    }

    public static string? App(JsonElement row, JsonElement context)
    {
        var app = ServiceCluster.AppOf(row.Labels("labels"));
        return Rows.Same((app ?? "", app is not null), (row.Text("expectedValue"), row.Flag("expectedOk")));
    }

    // The recorded test writes the file as Kubernetes does and reads it again.
    public static string? Downward(JsonElement row, JsonElement context)
    {
        var entries = row.Labels("m");
        var text = string.Join('\n',
            entries.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}={Quoted(pair.Value)}"));
        return Rows.SameList(DownwardFile.Parse(text).Select(pair => pair.ToString()).Order(StringComparer.Ordinal),
            entries.Select(pair => pair.ToString()).Order(StringComparer.Ordinal));
    }

    private static string Quoted(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal).Replace("\t", "\\t", StringComparison.Ordinal)}\"";

    public static string? Interfaces(JsonElement row, JsonElement context) =>
        Rows.Same(CaptureChecks.InterfaceProblem(row.Text("interfaces")) is not null, row.Flag("wantErr"));

    public static string? Groups(JsonElement row, bool isValid) =>
        Rows.Same(CaptureChecks.OwnerGroupProblem(row.Text("include"), row.Text("exclude")) is null, isValid);

    public static string? Loopback(JsonElement row, bool isValid) =>
        Rows.Same(CaptureChecks.LoopbackProblem(row.Text("cidr")) is null, isValid);

    public static string? Flag(JsonElement row, JsonElement context)
    {
        var value = JsonDocument.Parse(row.Text("in")).RootElement;
        var read = NodeMetadata.FlagOf(value.ValueKind == JsonValueKind.String
            ? Value.ForString(value.GetString()) : Value.ForBool(value.GetBoolean()));
        return Rows.Same(read switch { true => "\"true\"", false => "\"false\"", _ => "" }, row.Text("expect"));
    }

    public static string? Ports(JsonElement row, JsonElement context)
    {
        var value = JsonDocument.Parse(row.Text("in")).RootElement;
        var read = value.ValueKind == JsonValueKind.String ? PodPort.ParseList(value.GetString()!) : null;
        if (row.Text("expUnmarshalErr").Length > 0) return Rows.Same(read is null, true);
        return read is null ? "can't be read"
            : Rows.SameList(read.Value.Select(Text), row.Items("expect").Select(item => Text(item.Deserialize<PodPort>()!)));
    }

    public static string Text(PodPort port) => $"{port.Name}:{port.ContainerPort}/{port.Protocol}";

    // The name table of the recorded test.
    private static readonly (string Host, string Registry, string Namespace, string ShortName)[] Table =
    [
        ("www.google.com", "External", "", ""),
        ("productpage.ns1.svc.cluster.local", "Kubernetes", "ns1", "productpage"),
        ("example.ns2.svc.cluster.local", "Kubernetes", "ns2", "example"),
        ("details.ns2.svc.cluster.remote", "Kubernetes", "ns2", "details"),
        ("*.wildcard", "External", "", ""),
        ("*.b.wildcard", "External", "", ""),
        ("example.localhost.", "External", "", ""),
    ];

    public static string? AlternateHosts(JsonElement row, JsonElement context)
    {
        foreach (var (host, registry, ns, shortName) in Table)
        {
            var names = DnsTable.NamesOf(host, new NameTable.Types.NameInfo { Registry = registry, Namespace = ns, Shortname = shortName },
                "ns1", "cluster.local").ToList();
            if (!names.Exists(name => name.StartsWith(row.Text("startsWith"), StringComparison.Ordinal))) continue;
            // A name is found with and without its last dot.
            var all = names.SelectMany(name => name.EndsWith('.') ? new[] { name } : [name, name + "."]).Distinct().ToList();
            // The service's name alone is one that applications write with the search domain behind it.
            if (shortName.Length > 0) all.RemoveAll(name => !name.EndsWith('.') && name != host);
            return Rows.SameList(all.Order(StringComparer.Ordinal), row.Texts("expected").Order(StringComparer.Ordinal));
        }
        return "no such name";
    }
}
