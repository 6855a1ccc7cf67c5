using System.Net.Sockets;
using System.Runtime.InteropServices;
using Lateen.Cli.Network;
using Lateen.Cli.Printing;
using Lateen.Cli.Processes;
using Lateen.ControlPlane;

namespace Lateen.Cli.Up;

/// <summary>One run of `lateen up`, from the first check to the last child's end.</summary>
internal sealed class UpRun(Terminal terminal, UpOptions options)
{
    private const int DiskFull = 28; // ENOSPC, which .NET hands on as it is
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(30);
    private readonly Progress _progress = new(terminal);
    private readonly Spawner _spawner = new();
    private string? _noNamespace;

    /// <summary>Starts everything, waits for Ctrl-C or a request to end, ends everything.</summary>
    public async Task<int> RunAsync(CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using PosixSignalRegistration interrupt = On(PosixSignal.SIGINT, stop), terminate = On(PosixSignal.SIGTERM, stop),
            hangup = On(PosixSignal.SIGHUP, stop);
        Manifest manifest = options.Folder is null ? new([], [], [], null) : Manifest.Read(options.Folder);
        if (!UserNamespace.IsInside) CheckPort();
        bool enters = await EntersNamespaceAsync().ConfigureAwait(false);
        using (MeshState state = MeshState.Take(options.State))
        {
            if (options.Folder is not null)
                await new ProgramBuild(_spawner, state, _progress).BuildAsync(options.Folder, stop.Token).ConfigureAwait(false);
            if (!enters) return await RunAsync(state, manifest, stop).ConfigureAwait(false);
        }
        return await UserNamespace.EnterAsync(_spawner, [options.Port, Https(options.Port)]).ConfigureAwait(false);
    }

    private async Task<int> RunAsync(MeshState state, Manifest manifest, CancellationTokenSource stop)
    {
        if (UserNamespace.IsInside) UserNamespace.EndWithParent();
        using PassedDoors doors = PassedDoors.Open();
        try
        {
            ICapture capture = await CaptureAsync(state).ConfigureAwait(false);
            await using var mesh = new Mesh(state, _spawner, capture, doors.ControlPlane is { Count: > 0 } ports ? ports : [0, 0, 0, 0],
                _progress);
            await using var door = ControlDoor.Open(mesh);
            try
            {
                await StartAsync(mesh, manifest, stop.Token).ConfigureAwait(false);
                await Task.Delay(Timeout.Infinite, stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                terminal.Remark("\nstopping");
            }
            catch (Exception failure) when (failure is IOException or SocketException or UnauthorizedAccessException)
            {
                throw new CommandException(failure.HResult == DiskFull
                    ? $"the disk that holds {options.State} is full" : failure.Message.TrimEnd('.'), $"Logs are in {state.Logs}.");
            }
        }
        catch (IOException failure)
        {
            throw new CommandException(failure.Message.TrimEnd('.'), "Try `lateen up --capture loopback`, which asks for no privileges.");
        }
        terminal.Remark($"all stopped; the state is kept in {options.State}");
        return 0;
    }

    private async Task StartAsync(Mesh mesh, Manifest manifest, CancellationToken cancel)
    {
        WorkloadPlan gateway = WorkloadPlan.Ingress() with { Ports = [options.Port, 15021] };
        await mesh.AddAsync(manifest, [ClusterObjects.IngressService(options.Port, Https(options.Port))], [gateway, .. manifest.Workloads])
            .ConfigureAwait(false);
        _progress.Done("network",
            $"{mesh.Workloads.Count - 1} workload{(mesh.Workloads.Count == 2 ? "" : "s")}, "
            + $"capture {(mesh.Capture.Subnet.Loopback ? "loopback" : "transparent")}");
        await mesh.ControlPlane.Process.StartAsync().ConfigureAwait(false);
        // Everything starts at once: sidecars ask until the control plane answers, programs until their sidecar does.
        foreach (Workload workload in mesh.Workloads) await StartAsync(workload).ConfigureAwait(false);
        ControlPlaneAddress address = await mesh.ControlPlane.ReadyAsync(StartPatience, cancel).ConfigureAwait(false);
        _progress.Done("control plane", $"pid {mesh.ControlPlane.Process.ProcessId}, {address.Http}");
        await mesh.ConfigureAsync(manifest, address, cancel).ConfigureAwait(false);
        foreach (Workload workload in mesh.Workloads) await ReadyAsync(workload, cancel).ConfigureAwait(false);
        string page = $"http://localhost:{options.Port}{manifest.Page ?? "/"}";
        if (manifest.Page is not null) await new PageCheck(page).AwaitAsync(StartPatience, cancel).ConfigureAwait(false);
        _progress.Done("ready");
        new Summary(terminal).Print(mesh, manifest.Page is null ? null : page);
    }

    private async Task StartAsync(Workload workload)
    {
        await workload.Sidecar.StartAsync().ConfigureAwait(false);
        if (workload.Program is null) return;
        try
        {
            await workload.Program.StartAsync().ConfigureAwait(false);
        }
        catch (PosixException failure)
        {
            throw new CommandException($"{workload.Plan.Deployment} cannot be started: {failure.Message}",
                "Correct the command of its Deployment, or install the program.");
        }
    }

    private async Task ReadyAsync(Workload workload, CancellationToken cancel)
    {
        for (DateTime until = DateTime.UtcNow + StartPatience; !workload.IsReady; await Task.Delay(10, cancel).ConfigureAwait(false))
        {
            if (DateTime.UtcNow > until)
                throw new CommandException(
                    $"{workload.Sidecar.Name} is not ready after {StartPatience.TotalSeconds:0} s: {LogTail.Of(workload.SidecarLog)}",
                    $"Its log is {workload.SidecarLog}.");
        }
        _progress.Done(workload.Plan.IsGateway ? "ingress gateway" : workload.Plan.Deployment,
            $"pid {workload.Program?.ProcessId ?? workload.Sidecar.ProcessId}, {workload.Address}");
    }

    // Without root the whole mesh may move into a user namespace, where it may do to networks what root may.
    private async Task<bool> EntersNamespaceAsync()
    {
        if (UserNamespace.IsInside || options.Capture == "loopback" || Posix.geteuid() == 0 || TransparentCapture.Obstacle() is not null)
            return false;
        _noNamespace = await UserNamespace.ObstacleAsync(_spawner).ConfigureAwait(false);
        return _noNamespace is null;
    }

    private async Task<ICapture> CaptureAsync(MeshState state)
    {
        string? obstacle = options.Capture == "loopback" ? "as asked" : TransparentCapture.Obstacle() ?? _noNamespace;
        if (UserNamespace.IsInside) Environment.SetEnvironmentVariable("XTABLES_LOCKFILE", Path.Combine(state.Folder, "xtables.lock"));
        if (options.Capture == "transparent" && obstacle is not null)
            throw new CommandException($"transparent capture is not possible here: {obstacle}",
                "Run as root on Linux with iproute2 and iptables installed, or use --capture loopback.");
        if (obstacle is null)
        {
            try
            {
                return Said(await TransparentCapture.CreateAsync(_spawner, state.Log("network")).ConfigureAwait(false), "");
            }
            catch (IOException refused) when (options.Capture == "auto")
            {
                obstacle = refused.Message;
            }
        }
        return Said(new LoopbackCapture(), $" because {obstacle}");
    }

    private ICapture Said(ICapture capture, string why)
    {
        _progress.Done("capture", capture.Description + (why is "" or " because as asked" ? "" : why));
        return capture;
    }

    private void CheckPort()
    {
        if (ProxyPorts.IsFree(options.Port, out SocketError reason)) return;
        throw new CommandException(reason == SocketError.AccessDenied
            ? $"this user may not listen on port {options.Port}"
            : $"port {options.Port} is in use by another program", "Choose another one with --port.");
    }

    private static int Https(int httpPort) => httpPort == 8080 ? 8443 : httpPort + 1;

    private static PosixSignalRegistration On(PosixSignal signal, CancellationTokenSource stop) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            stop.Cancel();
        });
}
