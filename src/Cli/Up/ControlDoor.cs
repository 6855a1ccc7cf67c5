using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Cli.Network;

namespace Lateen.Cli.Up;

/// <summary>
/// The socket in the state folder on which `lateen up` answers `lateen run` and `lateen ps`: one line of JSON in, one out. A `run` keeps
/// its connection open for as long as it lives; when it closes, however that came about, its workload leaves the mesh.
/// </summary>
internal sealed class ControlDoor : IAsyncDisposable
{
    private readonly Mesh _mesh;
    private readonly Socket _listening;
    private readonly CancellationTokenSource _closing = new();

    private ControlDoor(Mesh mesh, Socket listening) => (_mesh, _listening) = (mesh, listening);

    public static ControlDoor Open(Mesh mesh)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(ControlLine.EndPoint(mesh.State.Folder));
        socket.Listen();
        var door = new ControlDoor(mesh, socket);
        _ = door.AcceptAsync();
        return door;
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync().ConfigureAwait(false);
        _listening.Dispose();
        _closing.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_closing.IsCancellationRequested)
        {
            try { _ = ServeAsync(await _listening.AcceptAsync(_closing.Token).ConfigureAwait(false)); }
            catch (Exception closed) when (closed is OperationCanceledException or ObjectDisposedException or SocketException) { return; }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        await using var line = new ControlLine(socket);
        Workload? joined = null;
        try
        {
            while (await line.ReadAsync(_closing.Token).ConfigureAwait(false) is { } request)
            {
                switch (request["do"]?.ToString())
                {
                    case "ps":
                        await line.WriteAsync(new JsonObject { ["rows"] = Rows() }).ConfigureAwait(false);
                        break;
                    case "join":
                        joined = await JoinAsync(request).ConfigureAwait(false);
                        await line.WriteAsync(Told(joined)).ConfigureAwait(false);
                        break;
                    default:
                        await line.WriteAsync(new JsonObject { ["error"] = "unknown request" }).ConfigureAwait(false);
                        break;
                }
            }
        }
        catch (Exception gone) when (gone is IOException or SocketException or OperationCanceledException or JsonException)
        {
            if (gone is IOException and not { InnerException: SocketException })
                await TryTellAsync(line, gone.Message).ConfigureAwait(false);
        }
        finally
        {
            if (joined is not null) await _mesh.RemoveAsync(joined).ConfigureAwait(false);
        }
    }

    private static async Task TryTellAsync(ControlLine line, string message)
    {
        try { await line.WriteAsync(new JsonObject { ["error"] = message }).ConfigureAwait(false); }
        catch (Exception gone) when (gone is IOException or SocketException) { }
    }

    private async Task<Workload> JoinAsync(JsonObject request)
    {
        string name = request["name"]!.ToString(), inNamespace = request["namespace"]!.ToString();
        Dictionary<string, string> labels = (request["labels"] as JsonObject
            ?? []).ToDictionary(pair => pair.Key, pair => pair.Value?.ToString() ?? "");
        labels.TryAdd("app", name);
        int[] ports = [.. (request["ports"] as JsonArray ?? []).Select(port => port!.GetValue<int>())];
        if (ports.Length > 0) await _mesh.AddServiceAsync(
            ClusterObjects.ServiceOf(name, inNamespace, labels["app"], request["protocol"]!.ToString(), ports)).ConfigureAwait(false);
        return await _mesh.AddAsync(WorkloadPlan.Joining(name, labels, ports, inNamespace, request["serviceAccount"]!.ToString()))
            .ConfigureAwait(false);
    }

    // The sidecar is a child of `run`, so that it ends with it; what it needs is told here.
    private static JsonObject Told(Workload workload)
    {
        Processes.ProcessSpec sidecar = workload.SidecarSpec();
        return new JsonObject
        {
            ["name"] = workload.Plan.Name,
            ["address"] = workload.Address,
            ["folder"] = workload.Folder,
            ["network"] = sidecar.Network is { } network ? Networks.PathOf(network) : null,
            ["users"] = UserNamespace.Path,
            ["group"] = sidecar.Group is { } group ? (long)group : null,
            ["log"] = workload.SidecarLog,
            ["sidecar"] = new JsonObject(sidecar.Environment!.Select(e => KeyValuePair.Create(e.Key, (JsonNode?)e.Value))),
            ["program"] = new JsonObject(workload.ProgramEnvironment().Select(e => KeyValuePair.Create(e.Key, (JsonNode?)e.Value))),
        };
    }

    private JsonArray Rows()
    {
        var rows = new JsonArray(
            Row("controlplane", "", "istio-system", "", _mesh.ControlPlane.Process, null, true, _mesh.ControlPlane.Log));
        foreach (Workload workload in _mesh.Workloads)
            rows.Add(Row(workload.Plan.Deployment, workload.Plan.Name, workload.Plan.Namespace, workload.Address, workload.Program,
                workload.Sidecar, workload.IsReady, workload.Log));
        return rows;
    }

    private static JsonObject Row(string name, string pod, string inNamespace, string address, Processes.Supervised? program,
        Processes.Supervised? sidecar, bool ready, string log) => new()
        {
            ["name"] = name,
            ["pod"] = pod,
            ["namespace"] = inNamespace,
            ["address"] = address,
            ["pid"] = program?.ProcessId,
            ["sidecar"] = sidecar?.ProcessId,
            ["restarts"] = (program?.Restarts ?? 0) + (sidecar?.Restarts ?? 0),
            ["ready"] = ready,
            ["log"] = log,
        };
}

/// <summary>One connection to the control socket, on either side.</summary>
internal sealed class ControlLine : IAsyncDisposable
{
    private const int LineBytesMax = 1 << 20;
    private readonly NetworkStream _stream;
    private readonly StreamReader _reader;

    public ControlLine(Socket socket)
    {
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reader = new StreamReader(_stream, Encoding.UTF8);
    }

    /// <summary>Connects to the `lateen up` of a state folder.</summary>
    /// <exception cref="CommandException">None runs.</exception>
    public static async Task<ControlLine> ConnectAsync(string folder, CancellationToken cancel)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(EndPoint(folder), cancel).ConfigureAwait(false);
            return new ControlLine(socket);
        }
        catch (SocketException)
        {
            socket.Dispose();
            throw new CommandException($"no mesh runs with the state folder {folder}",
                "Start one with `lateen up`, or name its folder with --state.", CommandException.Unreachable);
        }
    }

    /// <summary>The socket's address; relative where the absolute path is longer than a socket's may be.</summary>
    public static UnixDomainSocketEndPoint EndPoint(string folder)
    {
        string path = MeshState.ControlSocket(folder), relative = Path.GetRelativePath(Directory.GetCurrentDirectory(), path);
        return new UnixDomainSocketEndPoint(path.Length <= 107 ? path : relative);
    }

    public async Task<JsonObject?> ReadAsync(CancellationToken cancel)
    {
        string? line = await _reader.ReadLineAsync(cancel).ConfigureAwait(false);
        if (line is { Length: > LineBytesMax }) throw new JsonException("too long");
        return line is null ? null : JsonNode.Parse(line) as JsonObject;
    }

    public async Task WriteAsync(JsonObject message) =>
        await _stream.WriteAsync(Encoding.UTF8.GetBytes(message.ToJsonString() + "\n")).ConfigureAwait(false);

    public ValueTask DisposeAsync()
    {
        _reader.Dispose();
        return _stream.DisposeAsync();
    }
}
