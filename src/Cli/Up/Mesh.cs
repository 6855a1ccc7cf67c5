using System.Text.Json.Nodes;
using Lateen.Cli.Network;
using Lateen.Cli.Processes;
using Lateen.Cli.Remote;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Up;

/// <summary>A mesh that runs: its control plane, its gateway, its workloads, and what the cluster says of them. One change at a
/// time.</summary>
internal sealed class Mesh(MeshState state, Spawner spawner, ICapture capture, IReadOnlyList<int> controlPlanePorts, Progress progress)
    : IAsyncDisposable
{
    private readonly SemaphoreSlim _changing = new(1);
    private readonly List<Workload> _workloads = [];
    private readonly List<JsonObject> _services = [];
    private readonly JsonObject _memory = state.Memory();
    private readonly WorkloadTokens _tokens = WorkloadTokens.Open(state.Authority);
    private int _next;

    public ControlPlaneProcess ControlPlane { get; } = new(spawner, state, controlPlanePorts, progress.Event);

    public MeshState State => state;

    public ICapture Capture => capture;

    public IReadOnlyList<Workload> Workloads => _workloads;

    /// <summary>Gives a workload its place in the mesh, and tells the control plane of it; nothing runs in it yet.</summary>
    /// <exception cref="IOException">The machine refuses.</exception>
    public async Task<Workload> AddAsync(WorkloadPlan plan)
    {
        await _changing.WaitAsync().ConfigureAwait(false);
        try
        {
            Workload workload = await PlaceAsync(plan).ConfigureAwait(false);
            WriteCluster();
            return workload;
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Gives every workload of a manifest its place, and writes down the cluster once.</summary>
    public async Task AddAsync(Manifest manifest, IEnumerable<JsonObject> ownServices, IEnumerable<WorkloadPlan> plans)
    {
        await _changing.WaitAsync().ConfigureAwait(false);
        try
        {
            var addresses = new ServiceAddresses(capture.Subnet, _memory);
            _services.AddRange(manifest.Services.Concat(ownServices).Select(service => ClusterObjects.WithAddress(service, addresses.Of)));
            state.Remember(_memory);
            foreach (WorkloadPlan plan in plans) await PlaceAsync(plan).ConfigureAwait(false);
            WriteCluster();
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Adds a Service unless there is one of that name.</summary>
    public async Task AddServiceAsync(JsonObject service)
    {
        await _changing.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_services.Any(s => Key(s) == Key(service))) return;
            _services.Add(ClusterObjects.WithAddress(service, new ServiceAddresses(capture.Subnet, _memory).Of));
            state.Remember(_memory);
            WriteCluster();
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Ends a workload and forgets it.</summary>
    public async Task RemoveAsync(Workload workload)
    {
        await _changing.WaitAsync().ConfigureAwait(false);
        try
        {
            if (!_workloads.Remove(workload)) return;
            _tokens.Remove(workload);
            WriteCluster();
            await workload.StopAsync().ConfigureAwait(false);
            capture.Remove(workload.Number);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Hands the control plane what a folder configures, as far as it was not handed over before: what users changed since stays
    /// as they changed it.</summary>
    /// <exception cref="CommandException">The control plane refuses.</exception>
    public async Task ConfigureAsync(Manifest manifest, ControlPlaneAddress address, CancellationToken cancel)
    {
        var handedOver = _memory["files"] as JsonObject ?? [];
        SourceText[] fresh = [.. manifest.Others.Where(text => handedOver[Print(text)] is null)];
        if (fresh.Length == 0) return;
        using var client = new OperatorClient(address);
        ChangeAnswer answer = await client.ApplyAsync(new ApplyRequest(fresh, "default", DryRun: false, Author: "lateen up"), cancel)
            .ConfigureAwait(false);
        if (!answer.Accepted)
        {
            Finding? first = answer.Findings.FirstOrDefault(f => f.Level == "error");
            throw new CommandException(first is null
                ? "the control plane refused the folder's configuration" : $"{first.Place ?? first.Object}: {first.Text}", first?.Remedy);
        }
        foreach (SourceText text in fresh) handedOver[Print(text)] = true;
        _memory["files"] = handedOver.Parent is null ? handedOver : handedOver.DeepClone();
        state.Remember(_memory);
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_workloads.Select(workload => workload.StopAsync())).ConfigureAwait(false);
        await ControlPlane.Process.StopAsync(TimeSpan.FromSeconds(3)).ConfigureAwait(false);
        capture.Dispose();
        _tokens.Dispose();
        _changing.Dispose();
    }

    private async Task<Workload> PlaceAsync(WorkloadPlan plan)
    {
        int number = _next++;
        Placement placement = plan.IsGateway
            ? capture.Gateway
            : await capture.PlaceAsync(number, plan.Ports).ConfigureAwait(false);
        var workload = new Workload(number, plan, placement, spawner, state, progress.Event);
        _workloads.Add(workload);
        _tokens.Add(workload);
        return workload;
    }

    private void WriteCluster()
    {
        string[] namespaces = [.. _workloads.Select(w => w.Plan.Namespace)
            .Concat(_services.Select(s => s["metadata"]!["namespace"]!.ToString())).Append("istio-system").Distinct()];
        (string Account, string Namespace)[] accounts = [.. _workloads.Select(w => (w.Plan.ServiceAccount, w.Plan.Namespace)).Distinct()];
        (WorkloadPlan, string, bool)[] placed = [.. _workloads.Select(w => (w.Plan, w.Address, true))];
        state.WriteCluster("base",
            [.. namespaces.Select(ClusterObjects.Namespace), ClusterObjects.Node(capture.Subnet.Machine.ToString()),
                ClusterObjects.MeshSettings(), .. accounts.Select(a => ClusterObjects.ServiceAccount(a.Account, a.Namespace))]);
        state.WriteCluster("services", _services);
        state.WriteCluster("workloads",
            [.. placed.Select(p => ClusterObjects.Pod(p.Item1, p.Item2, p.Item3)),
                .. _services.Select(s => ClusterObjects.EndpointSlice(s, placed)).OfType<JsonObject>()]);
    }

    private static string Key(JsonObject resource) => $"{resource["metadata"]?["namespace"] ?? "default"}/{resource["metadata"]?["name"]}";

    private static string Print(SourceText text) =>
        $"{Path.GetFileName(text.Name)} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text.Text)).AsSpan(0, 8))}";
}
