using System.Globalization;
using System.Text.Json;
using Lateen.ControlPlane.Keys;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Names;
using Lateen.Test.Rigs.Stage;
using Lateen.Test.Rigs.Text;

namespace Lateen.Test.Conformance.Runners.Traffic;

/// <summary>
/// Plays <c>policy-traffic</c>: real requests through a whole mesh in this process: control plane, client's and server's sidecar, mutual
/// TLS between them. One mesh for each configuration; the verdict is what the client sees and what the server received.
/// </summary>
public sealed class PolicyTrafficRunner : FolderRunner
{
    private static readonly PortManifest[] Ports = [new(80, 18080, "http"), new(85, 18085, "http2"), new(7070, 17070, "grpc"),
        new(9090, 19090, "tcp")];

    /// <inheritdoc/>
    public override string Folder => "policy-traffic";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        foreach (string file in Directory.EnumerateFiles(path, "*.json").Order(StringComparer.Ordinal))
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllText(file));
            string table = Path.GetFileNameWithoutExtension(file);
            var rows = document.RootElement.GetProperty("cases").EnumerateArray()
                .Select((row, at) => (Row: row,
                    Name: string.Create(CultureInfo.InvariantCulture, $"{table}/{at + 1} {row.Text("name").Trim()}")));
            foreach (var group in rows.GroupBy(entry => entry.Row.Text("config") + entry.Row.Text("normalization")))
            {
                foreach (CaseResult result in Play(document.RootElement, group.Key, [.. group]))
                    yield return result;
            }
        }
    }

    private static IEnumerable<CaseResult> Play(JsonElement table, string key, IReadOnlyList<(JsonElement Row, string Name)> rows)
    {
        Mesh mesh;
        try
        {
            mesh = table.TryGetProperty("context", out JsonElement context) && context.TryGetProperty("configs", out JsonElement configs)
                ? Stage(configs.GetProperty(key).GetString()!, "",
                    context.TryGetProperty("jwks", out JsonElement keys) ? keys.GetRawText() : null)
                : Stage("", $"pathNormalization:\n  normalization: {key}\n", null);
        }
        catch (ScenarioException broken)
        {
            return [.. rows.Select(row => CaseResult.Fail(row.Name, broken.Message))];
        }
        return [.. rows.Select(row => Verdict(mesh, row.Row) is { } mistake
            ? CaseResult.Fail(row.Name, mistake) : CaseResult.Pass(row.Name))];
    }

    private static Mesh Stage(string config, string settings, string? keys)
    {
        var mesh = new Mesh(1);
        mesh.ControlPlane.KeyServer = wanted => KeyServer(wanted, keys);
        mesh.MeshConfig(settings);
        foreach (string ns in (string[])["echo1", "echo2"])
        {
            mesh.ApplyOrFail(ns, $"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {ns}\n");
            foreach (string name in (string[])["a", "b"])
            {
                mesh.AddService(name, ns, Ports);
                mesh.AddPod(name, "v1", ns, name);
            }
        }
        // As the recording's "apply in this namespace" does: objects that name one of their own keep it.
        foreach (string document in config.Split("\n---\n", StringSplitOptions.RemoveEmptyEntries))
            mesh.ApplyOrFail("config", document, document.Contains("\n  namespace: ", StringComparison.Ordinal) ? null : "echo1");
        mesh.Settle();
        return mesh;
    }

    // The recording's server of keys, which can be asked to take its time.
    private static string? KeyServer(KeySetRequest wanted, string? keys)
    {
        if (!wanted.Name.Address.StartsWith("http://jwt-server.istio-system.svc:8000/jwks", StringComparison.Ordinal)) return null;
        const string Delay = "?delay=";
        int at = wanted.Name.Address.IndexOf(Delay, StringComparison.Ordinal);
        bool isLate = at >= 0
            && int.Parse(wanted.Name.Address[(at + Delay.Length)..].Replace("ms", "", StringComparison.Ordinal),
                CultureInfo.InvariantCulture) > wanted.Timeout.TotalMilliseconds;
        return isLate ? null : keys;
    }

    private static string? Verdict(Mesh mesh, JsonElement row)
    {
        if (row.TextOrNull("path") is { } path)
            return Normalized(mesh, path, row.GetProperty("expect"));
        (Pod from, Pod to) = (PodOf(mesh, row.GetProperty("from")), PodOf(mesh, row.GetProperty("to")));
        foreach (string port in row.Texts("ports"))
        {
            (Call call, int before) = Ask(mesh, from, to, Ports.First(p => p.Protocol == port), row.GetProperty("request"));
            string? mistake = row.TryGetProperty("expect", out JsonElement expect)
                ? Answered(call, to, before, expect) : Allowed(call, port, row.Truth("allow"));
            if (mistake is not null) return $"{port}: {mistake}; the proxies said {string.Join("; ", from.Said.Concat(to.Said).Take(3))}";
        }
        return null;
    }

    private static string? Normalized(Mesh mesh, string path, JsonElement expect)
    {
        Pod from = mesh.Pods.First(pod => pod is { Account: "a", Namespace: "echo1" }),
            to = mesh.Pods.First(pod => pod is { Account: "b", Namespace: "echo1" });
        Call call = mesh.Call(from.Application!.Loop, mesh.Resolve("b.echo1", 80), new CallRequest("GET", path, "b.echo1", []), from);
        int before = to.Application!.Seen.Count;
        mesh.Await([call]);
        if (expect.TryGetProperty("status", out JsonElement status))
            return call.Status == status.GetInt32() ? null : $"expected {status}, the answer was {call}";
        if (call.Status != 200) return $"the answer was {call}";
        string received = to.Application.Seen.Skip(before).LastOrDefault()?.Path ?? "nothing";
        return received == expect.Text("path") ? null : $"expected {expect.Text("path")}, the server received {received}";
    }

    private static (Call Call, int SeenBefore) Ask(Mesh mesh, Pod from, Pod to, PortManifest port, JsonElement request)
    {
        string host = $"{to.Account}.{to.Namespace}.svc.cluster.local";
        string path = request.Text("path") is { Length: > 0 } told ? told.StartsWith('/') ? told : "/" + told : "/";
        List<(string, string)> headers = request.TryGetProperty("headers", out JsonElement written)
            ? [.. written.EnumerateObject().Select(h => (h.Name, h.Value.GetString()!))] : [];
        string method = request.Text("method") is { Length: > 0 } verb ? verb : "GET";
        CallRequest ask = port.Protocol switch
        {
            "grpc" => new CallRequest("POST", "/proto.EchoTestService/Echo", host,
                [("content-type", "application/grpc"), ("te", "trailers"), .. headers], Http2: true),
            "tcp" => new CallRequest("", "", "", [], Raw: "hello"),
            _ => new CallRequest(method, path, $"{host}:{port.Port}", headers, Http2: port.Protocol == "http2"),
        };
        int before = to.Application!.Seen.Count;
        Call call = mesh.Call(from.Application!.Loop, mesh.Resolve($"{to.Account}.{to.Namespace}", port.Port), ask, from);
        mesh.Await([call]);
        return (call, before);
    }

    private static string? Allowed(Call call, string port, bool allow)
    {
        const string permissionDenied = "7";
        bool passed = port switch
        {
            "tcp" => call is { Broken: null, Status: 200 },
            "grpc" => call is { Broken: null, Status: 200 } && (call.Head.Find("grpc-status") ?? "0") == "0",
            _ => call.Status == 200,
        };
        bool denied = port switch
        {
            "tcp" => call.Broken is not null,
            "grpc" => call.Head.Find("grpc-status") == permissionDenied,
            _ => call.Status == 403,
        };
        return (allow ? passed : denied)
            ? null
            : $"expected {(allow ? "a pass" : "a refusal")}, the answer "
                + $"was {call}{(call.Head.Find("grpc-status") is { } status ? $" (gRPC {status})" : "")}";
    }

    private static string? Answered(Call call, Pod to, int before, JsonElement expect)
    {
        int status = expect.TryGetProperty("status", out JsonElement written)
            ? written.ValueKind == JsonValueKind.Number ? written.GetInt32() : written.GetString() == "StatusUnauthorized" ? 401 : 0 : 200;
        if (call.Status != status) return $"expected {status}, the answer was {call}";
        if (!expect.TryGetProperty("requestHeaders", out JsonElement headers)) return null;
        SeenRequest? seen = to.Application!.Seen.Skip(before).LastOrDefault();
        if (seen is null) return "the server saw no request";
        foreach (JsonProperty header in headers.EnumerateObject())
        {
            string found = seen.Headers.Find(header.Name) ?? "";
            if (found != header.Value.GetString())
                return $"header {header.Name}: expected \"{header.Value}\", the server received \"{found}\"";
        }
        return null;
    }

    private static Pod PodOf(Mesh mesh, JsonElement workload) =>
        mesh.Pods.First(pod => pod.Account == workload.Text("service") && pod.Namespace == workload.Text("namespace"));
}
