using System.Security.Cryptography;
using Lateen.Api.Diagnostics;
using Lateen.Config.Sources;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.ControlPlane.Hosting;
using Lateen.ControlPlane.Operator;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Names;
using Lateen.Pilot.Generation.Routes;

namespace Lateen.ControlPlane;

/// <summary>The control-plane process, put together by plain constructor calls, read top to bottom.</summary>
public static class Wiring
{
    /// <summary>Runs a control plane until <paramref name="stop"/>.</summary>
    /// <param name="options">What it is told from outside.</param>
    /// <param name="log">Where it writes its lines.</param>
    /// <param name="stop">Ends it.</param>
    /// <returns>The exit code of the process.</returns>
    public static async Task<int> RunAsync(ControlPlaneOptions options, TextWriter log, CancellationToken stop)
    {
        try
        {
            await using RunningControlPlane running = await StartAsync(options, TimeProvider.System, stop);
            ControlPlaneAddress at = running.Address;
            await log.WriteLineAsync($"control plane ready: xDS on {at.Grpc}, operator's API and debug pages on http://{at.Http}, metrics on http://{at.Monitoring}/metrics, state in {options.StateFolder}");
            await running.Completion.WaitAsync(stop);
        }
        catch (IOException refused)
        {
            await log.WriteLineAsync("error: " + refused.Message);
            return 1;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop: what was accepted is in the journal.
        }
        return 0;
    }

    /// <summary>Starts a control plane with real ports.</summary>
    /// <exception cref="IOException">A port or the state folder cannot be used; the message says which and what to do.</exception>
    public static async Task<RunningControlPlane> StartAsync(ControlPlaneOptions options, TimeProvider time, CancellationToken cancel)
    {
        string token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        ResourceStore store = OpenStore(options, time);
        FolderSource? folder = options.ConfigFolder is { } path ? new FolderSource(path, store, time) : null;
        folder?.Start(rescan: TimeSpan.FromSeconds(5));
        var loop = new ControlLoop(options, store, Generators(), time.GetUtcNow(), time);
        var host = new ProcessHost(loop, time);
        store.Changed += _ => host.Writer.Poke();
        var operators = new OperatorDoor(host.Writer, token);
        var http = new HttpDoors(host.Writer, operators, time);
        try
        {
            ControlPlaneAddress address = await host.OpenAsync(options, http.AnswerHttpAsync, http.AnswerMonitoringAsync, token, cancel);
            address.Write(options.StateFolder);
            return new RunningControlPlane(address, host, operators, folder);
        }
        catch
        {
            folder?.Dispose();
            await host.DisposeAsync();
            operators.Dispose();
            throw;
        }
    }

    /// <summary>One generator for each xDS type that is served.</summary>
    public static IReadOnlyList<IResourceGenerator> Generators() => [new ClusterGenerator(), new EndpointGenerator(), new ListenerGenerator(), new RouteGenerator(), new ExtensionConfigGenerator(), new NameTableGenerator()];

    /// <summary>The store with what its journal remembers.</summary>
    /// <exception cref="IOException">The state folder cannot be used.</exception>
    public static ResourceStore OpenStore(ControlPlaneOptions options, TimeProvider time)
    {
        var found = new DiagnosticBag();
        Journal journal = Journal.Open(Path.Combine(options.StateFolder, "revisions"), found)
            ?? throw new IOException($"the state folder {options.StateFolder} cannot be used: {found[0].Text}; name another with --state");
        var store = new ResourceStore(Validator.Check, time, journal);
        store.Restore();
        return store;
    }
}
