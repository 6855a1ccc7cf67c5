using System.Globalization;
using System.Text.Json;
using Lateen.Proxy.Net;
using Lateen.Test.Conformance.Runners.Names;
using Lateen.Test.Rigs.Stage;

namespace Lateen.Test.Conformance.Runners.GatewayApi.Standard;

/// <summary>Sends the requests of a test and judges what came back, and what reached the backends.</summary>
internal sealed class Requests(Cluster cluster)
{
    private const string Service = "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho";
    private static readonly (string Field, string Method)[] Methods = [("echoRequest", "Echo"), ("echoTwoRequest", "EchoTwo"),
        ("echoThreeRequest", "EchoThree")];
    private static readonly Dictionary<string, string> Codes = new()
    {
        ["OK"] = "0",
        ["Unknown"] = "2",
        ["NotFound"] = "5",
        ["Unimplemented"] = "12",
        ["Unavailable"] = "14",
    };

    /// <summary>What is wrong when the request goes to a gateway.</summary>
    public string? AtGateway(JsonElement row, Pod gateway, int port, bool isTls = false)
    {
        string name = row.Text("serverName") is { Length: > 0 } told ? told : row.TryGetProperty("request", out JsonElement request)
            ? request.Text("host") : "";
        Call call = Send(row, cluster.Mesh.Outside, gateway.Host.Ip.WithPort(port), gateway, "",
            isTls ? new CallTls(name, Certificates.Client()) : null);
        return Mistake(row, call, port);
    }

    /// <summary>What is wrong when a pod of the mesh sends the request.</summary>
    public string? InMesh(JsonElement row, Pod client)
    {
        string host = row.GetProperty("request").Text("host") is { Length: > 0 } named ? named : "echo";
        Address.TryParse(cluster.AddressOf(host, client.Namespace), 80, out Address to);
        return Mistake(row, Send(row, client.Application!.Loop, to, client, host), 80);
    }

    private Call Send(JsonElement row, Lateen.Proxy.Net.Memory.MemoryLoop from, Address to, Pod through, string host, CallTls? tls = null)
    {
        CallRequest request = Grpc(row) ?? Http(row.GetProperty("request"), host.Length > 0 ? host : to.ToString());
        Call call = cluster.Mesh.Call(from, to, request with { Tls = tls }, through);
        cluster.Mesh.Await([call]);
        return call;
    }

    private static CallRequest? Grpc(JsonElement row)
    {
        if (Methods.FirstOrDefault(m => row.TryGetProperty(m.Field, out _)).Method is not { } method) return null;
        string authority = "";
        List<(string, string)> headers = [("content-type", "application/grpc"), ("te", "trailers")];
        if (row.TryGetProperty("requestMetadata", out JsonElement metadata))
        {
            authority = metadata.Text("authority");
            if (metadata.TryGetProperty("metadata", out JsonElement sent))
                headers.AddRange(sent.EnumerateObject().Select(h => (h.Name, h.Value.GetString()!)));
        }
        return new CallRequest("POST", $"/{Service}/{method}", authority.Length > 0 ? authority : Service, headers, Http2: true);
    }

    private static CallRequest Http(JsonElement request, string host)
    {
        string method = request.Text("method") is { Length: > 0 } verb ? verb : "GET", path = request.Text("path") is { Length: > 0 } told
            ? told : "/";
        var headers = Sent(request);
        string authority = headers.Find("Host") ?? (request.Text("host") is { Length: > 0 } named ? named : host);
        return new CallRequest(method, path, authority,
            [.. headers.Where(h => !h.Name.Equals("Host", StringComparison.OrdinalIgnoreCase))]);
    }

    private static List<(string Name, string Value)> Sent(JsonElement request) =>
        request.TryGetProperty("headers", out JsonElement headers)
            ? [.. headers.EnumerateObject()
                .Select(
                    h => (h.Name, h.Value.ValueKind == JsonValueKind.Array
                        ? string.Join(',', h.Value.EnumerateArray()) : h.Value.GetString()!))] : [];

    private string? Mistake(JsonElement row, Call call, int port)
    {
        string told = $"{(row.TryGetProperty("request", out JsonElement request) ? request.GetRawText() : "gRPC")}: ";
        JsonElement response = row.TryGetProperty("response", out JsonElement written) ? written : default;
        if (call.Broken is not null) return told + call;
        if (Grpc(row) is not null)
        {
            string code = response.ValueKind == JsonValueKind.Object && response.Text("code") is { Length: > 0 } named
                ? named : "OK", status = call.Head.Find("grpc-status") ?? "none";
            if (Codes.GetValueOrDefault(code) != status) return $"{told}expected the code {code}, found {status} ({call})";
        }
        else if (!Statuses(response).Contains(call.Status))
        {
            return $"{told}expected {string.Join(" or ", Statuses(response))}, the answer was {call}";
        }
        // gRPC backends answer with the metadata that they received.
        IReadOnlyList<(string, string)> head = Grpc(row) is null ? call.Head : SeenBy(call.App, call)?.Headers ?? [];
        if (response.ValueKind == JsonValueKind.Object && Headers(response, head) is { } header) return told + header;
        if (row.TryGetProperty("redirectRequest", out JsonElement redirect) && Redirected(redirect, call, port) is { } place)
            return told + place;
        string ns = row.Text("namespace");
        if (row.Text("backend") is { Length: > 0 } backend
            && (call.App.Split('/')[^1] != backend || (ns.Length > 0 && call.App.Split('/')[0] != ns)))
            return $"{told}expected {backend}, the answer was {call}";
        return Reached(row, call) is { } reached ? told + reached : null;
    }

    private SeenRequest? SeenBy(string app, Call call) =>
        cluster.Applications.Where(pod => pod.Application!.Name == app).SelectMany(pod => pod.Application!.Seen)
            .LastOrDefault(seen => seen.Headers.Find("x-call") == call.Id);

    // What the backend received, and who else received a copy.
    private string? Reached(JsonElement row, Call call)
    {
        if (row.TryGetProperty("mirroredTo", out JsonElement mirrors) && mirrors.ValueKind == JsonValueKind.Array)
        {
            // The copies go without anybody waiting for them.
            cluster.Mesh.Network.Advance(1_000_000);
            foreach (JsonElement mirror in mirrors.EnumerateArray().Where(m => !m.TryGetProperty("percent", out _)))
            {
                JsonElement to = mirror.GetProperty("backendRef");
                if (SeenBy($"{to.Text("namespace")}/{to.Text("name")}", call) is null) return $"{to.Text("name")} got no copy";
            }
        }
        if (call.App.Length == 0 || row.TryGetProperty("redirectRequest", out _) || SeenBy(call.App, call) is not { } seen) return null;
        JsonElement expected = row.TryGetProperty("expectedRequest", out JsonElement e) ? e : default;
        JsonElement wanted = expected.ValueKind == JsonValueKind.Object && expected.TryGetProperty("request", out JsonElement inner)
            ? inner : row.TryGetProperty("request", out JsonElement own) ? own : default;
        if (wanted.ValueKind != JsonValueKind.Object) return null;
        if (wanted.Text("path") is { Length: > 0 } path && path != seen.Path)
            return $"expected the path {path}, the backend received {seen.Path}";
        if (expected.ValueKind == JsonValueKind.Object && wanted.Text("host") is { Length: > 0 } host && host != seen.Authority)
            return $"expected the host {host}, the backend received {seen.Authority}";
        foreach ((string name, string value) in Sent(wanted).Where(h => !h.Name.Equals("Host", StringComparison.OrdinalIgnoreCase)))
        {
            if (seen.Headers.Find(name) != value)
                return $"expected {name}: {value}, the backend received {seen.Headers.Find(name) ?? "none"}";
        }
        return expected.ValueKind == JsonValueKind.Object
            ? expected.Texts("absentHeaders").Where(name => seen.Headers.Find(name) is not null)
                .Select(name => $"the backend received {name}").FirstOrDefault() : null;
    }

    private static string? Headers(JsonElement response, IReadOnlyList<(string Name, string Value)> head)
    {
        foreach ((string name, string value) in Sent(response))
        {
            if (head.Find(name) != value) return $"expected the header {name}: {value}, found {head.Find(name) ?? "none"}";
        }
        if (response.TryGetProperty("validHeaderValues", out JsonElement valid))
        {
            foreach (JsonProperty header in valid.EnumerateObject())
            {
                if (!header.Value.EnumerateArray().Any(v => v.GetString() == head.Find(header.Name)))
                    return $"the header {header.Name} is {head.Find(header.Name) ?? "not there"}";
            }
        }
        return response.Texts("absentHeaders").Where(name => head.Find(name) is not null)
            .Select(name => $"the answer has the header {name}").FirstOrDefault();
    }

    private static string? Redirected(JsonElement wanted, Call call, int port)
    {
        if (call.Head.Find("location") is not { } location) return "the answer has no location";
        var found = new Uri(new Uri(string.Create(CultureInfo.InvariantCulture, $"http://unnamed.invalid:{port}/")), location);
        string host = wanted.Text("host"), path = wanted.Text("path"), scheme = wanted.Text("scheme"), to = wanted.Text("port");
        bool fits = (host.Length == 0 || host == found.Host) && (path.Length == 0 || path == found.AbsolutePath)
            && (scheme.Length == 0 || scheme == found.Scheme)
            && (to.Length == 0 ? host.Length == 0 || found.IsDefaultPort : to == found.Port.ToString(CultureInfo.InvariantCulture));
        return fits ? null : $"expected a redirect to {wanted.GetRawText()}, the location is {location}";
    }

    private static int[] Statuses(JsonElement response)
    {
        if (response.ValueKind != JsonValueKind.Object) return [200];
        if (response.TryGetProperty("statusCodes", out JsonElement several) && several.ValueKind == JsonValueKind.Array)
            return [.. several.EnumerateArray().Select(s => s.GetInt32())];
        return [response.Number("statusCode") is > 0 and var one ? one : 200];
    }
}
