using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Test.Real.Cluster;
using Xunit;

namespace Lateen.Test.Real.Proxyless;

/// <summary>Two versions of a service, the control plane over a folder, and a client that was told nothing but where it is.</summary>
internal sealed class ProxylessMesh(GrpcLibrary library) : IAsyncDisposable
{
    public const string Host = "echo.default.svc.cluster.local";
    private readonly string _folder = Directory.CreateTempSubdirectory("lateen-grpc-").FullName;
    private readonly List<Process> _started = [];
    private ControlPlaneProcess? _plane;

    public async ValueTask DisposeAsync()
    {
        foreach (Process process in _started)
        {
            process.StandardInput.Close();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            await process.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!process.HasExited) process.Kill();
            process.Dispose();
        }
        if (_plane is not null) await _plane.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Starts all of it.</summary>
    /// <returns>The client, which takes commands.</returns>
    public async Task<Process> StartAsync(string routes)
    {
        Process servers = Run(null, "serve", "v1", "v2");
        (string first, string second) = (await PortAsync(servers), await PortAsync(servers));
        await WriteAsync("echo.yaml", $$"""
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: echo}
            spec:
              hosts: [{{Host}}]
              ports: [{number: 7070, name: grpc, protocol: GRPC}]
              resolution: STATIC
              endpoints:
              - {address: 127.0.0.1, ports: {grpc: {{first}} }, labels: {version: v1} }
              - {address: 127.0.0.1, ports: {grpc: {{second}} }, labels: {version: v2} }
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: echo}
            spec: {host: {{Host}}, subsets: [{name: v1, labels: {version: v1} }, {name: v2, labels: {version: v2} }] }
            """);
        await WriteAsync("routes.yaml", routes);
        _plane = await ControlPlaneProcess.StartAsync("grpc", "--config-dir", Path.Combine(_folder, "mesh"));
        string bootstrap = Path.Combine(_folder, "bootstrap.json");
        await File.WriteAllTextAsync(bootstrap, $$"""
            {"xds_servers": [{"server_uri": "{{_plane.Grpc}}", "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}],
             "node": {"id": "sidecar~127.0.0.1~client.default~default.svc.cluster.local", "locality": {}, "metadata": {"GENERATOR": "grpc", "NAMESPACE": "default", "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": "1.30.0"} } }
            """);
        return Run(bootstrap, "call", $"xds:///{Host}:7070");
    }

    /// <summary>Writes a file of the mesh's folder.</summary>
    public async Task WriteAsync(string name, string text)
    {
        Directory.CreateDirectory(Path.Combine(_folder, "mesh"));
        await File.WriteAllTextAsync(Path.Combine(_folder, "mesh", name), text);
    }

    /// <summary>Lets a client call, and tells what came of it.</summary>
    public static async Task<JsonNode> CallAsync(Process client, string command)
    {
        await client.StandardInput.WriteLineAsync(command);
        await client.StandardInput.FlushAsync();
        return JsonNode.Parse(await LineAsync(client)) ?? throw new JsonException("null");
    }

    private Process Run(string? bootstrap, params string[] arguments)
    {
        Process process = library.Start(bootstrap, arguments);
        process.BeginErrorReadLine(); // nobody reads it, and a full pipe would hold the process
        _started.Add(process);
        return process;
    }

    private static async Task<string> PortAsync(Process servers) => (await LineAsync(servers)).Split(' ')[1];

    private static async Task<string> LineAsync(Process process) =>
        await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(60))
            ?? throw new IOException($"{process.StartInfo.FileName} has ended");
}
