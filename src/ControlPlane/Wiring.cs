using System.Security.Cryptography;
using System.Threading.Channels;
using Lateen.Api.Diagnostics;
using Lateen.Citadel.Authorities;
using Lateen.Citadel.Callers;
using Lateen.Citadel.Service;
using Lateen.Citadel.Tokens;
using Lateen.Config.Sources;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.ControlPlane.Admission;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Certificates;
using Lateen.ControlPlane.Cluster;
using Lateen.ControlPlane.Compile;
using Lateen.ControlPlane.Debug;
using Lateen.ControlPlane.Hosting;
using Lateen.ControlPlane.Keys;
using Lateen.ControlPlane.Mcp;
using Lateen.ControlPlane.Metrics;
using Lateen.ControlPlane.Operator;
using Lateen.ControlPlane.Settings;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Names;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Secrets;
using Lateen.Pilot.Generation.Workloads;
using Lateen.Pilot.Meaning;

namespace Lateen.ControlPlane;

/// <summary>The control-plane process, put together by plain constructor calls, read top to bottom.</summary>
public static class Wiring
{
    /// <summary>Runs a control plane until <paramref name="stop"/>.</summary>
    /// <param name="options">What it is told from outside.</param>
    /// <param name="log">Where it writes its lines.</param>
    /// <param name="stop">Ends it.</param>
    /// <param name="beforeOpening">Done when all configuration was read and compiled, and nobody is served yet.</param>
    /// <returns>The exit code of the process.</returns>
    public static async Task<int> RunAsync(ControlPlaneOptions options, TextWriter log, CancellationToken stop,
        Action? beforeOpening = null)
    {
        try
        {
            await using RunningControlPlane running = await StartAsync(options, TimeProvider.System, stop, Lines(log), beforeOpening);
            ControlPlaneAddress at = running.Address;
            await log.WriteLineAsync(
                $"control plane ready: xDS on {at.Grpc}, xDS and certificates over TLS on {at.SecureGrpc}, operator's API and debug "
                + $"pages on http://{at.Http}, metrics on http://{at.Monitoring}/metrics, state in {options.StateFolder}");
            await running.Completion.WaitAsync(stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (running.Completion.IsFaulted) await running.Completion;
            await running.DrainAsync(options.ShutdownDuration, TimeProvider.System);
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

    // istiod's shape of a line: time, level, scope and text, with tabs between. Watches of a cluster write from their own threads.
    private static Action<string> Lines(TextWriter log)
    {
        var one = new Lock();
        return line =>
        {
            lock (one)
            {
                log.WriteLine($"{TimeProvider.System.GetUtcNow():yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}\t{line}");
                log.Flush();
            }
        };
    }

    /// <summary>Starts a control plane with real ports.</summary>
    /// <exception cref="IOException">A port or the state folder cannot be used; the message says which and what to do.</exception>
    public static async Task<RunningControlPlane> StartAsync(ControlPlaneOptions options, TimeProvider time, CancellationToken cancel,
        Action<string>? say = null, Action? beforeOpening = null)
    {
        foreach (string line in SettingFindings.Of(options.Environment)) say?.Invoke("warn\tsettings\t" + line);
        var features = new Features(options.Environment);
        string token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        FileStream mine = Claim(options.StateFolder);
        ResourceStore store = options.Kubernetes is null ? OpenStore(options, time) : new ResourceStore(Validator.Check, time);
        FolderSource? folder = options.ConfigFolder is { } path ? new FolderSource(path, store, time) : null;
        folder?.Start(rescan: TimeSpan.FromSeconds(5));
        // Ports open when all is known: a proxy that asked before would be told to forget what it has.
        ClusterConnection? cluster = options.Kubernetes is { } access
            ? await ClusterConnection.OpenAsync(access, options, store, time, say ?? (_ => { }), cancel) : null;
        var writer = new TaskCompletionSource<WriterLoop>();
        void Said(string line) => _ = OnLoopAsync(writer.Task, () => say?.Invoke(line));
        MeshSettings settings = new ViewCompiler(options, features).SettingsOf(store.Current);
        (string ownKeys, AuthorityOptions bounds) =
            (Path.Combine(options.StateFolder, AuthorityFolder), AuthorityOptions.From(options.Environment));
        if (cluster is not null) await cluster.ShareKeysAsync(ownKeys, settings.TrustDomain, bounds, cancel);
        AuthorityKeys keys = AuthorityKeys.Open(cluster?.SharesKeys == true ? ownKeys : options.AuthorityFolder, ownKeys,
            settings.TrustDomain, bounds, time, Said);
        ConfigSources sources = await ConfigSources.OpenAsync(
            [.. ConfigSources.OfCommandLine(options.ConfigStream), .. settings.Mesh.ConfigSources], options.Kubernetes is not null,
            new SourceSecurity(keys.Authority, settings.TrustDomain, options.RootNamespace, time), store, time, say ?? (_ => { }),
            cancel);
        var fetcher = new KeyFetcher(KeyFetcher.Networks(options.Environment.GetValueOrDefault("BLOCKED_CIDRS_IN_JWKS_URIS") ?? ""));
        var loop = new ControlLoop(options, store, Generators(), time.GetUtcNow(), time, say,
            wanted => _ = FetchAsync(fetcher, wanted, writer.Task));
        // From a cluster nothing is taken that would be answered.
        if (cluster is null) loop.Configuration.Prepare();
        var host = new ProcessHost(loop, time);
        writer.SetResult(host.Writer);
        store.Changed += _ => host.Writer.Poke();
        host.Writer.Poke();
        if (cluster is not null) await cluster.WriteAsync(host.Writer, store, keys.Authority, cancel);
        var operators = new OperatorDoor(host.Writer, token);
        var callers = new CallerAuthentication(
            Tokens(options, cluster, () => loop.Hub.Snapshot?.Settings.TrustDomain ?? settings.TrustDomain),
            Setting(options, "TRUSTED_GATEWAY_CIDR"));
        var impersonation = new Impersonation(Setting(options, "CA_TRUSTED_NODE_ACCOUNTS").ToHashSet(),
            (own, other) => NodeNeighbours.AreNeighbours(loop.Hub.Snapshot, own, other));
        var certificates = new CertificateService(keys.Authority, callers, impersonation);
        var serving = new ServingCertificates(keys.Authority, ServingCertificates.HostsOf(options.RootNamespace, options.Revision), time);
        var ads = new AdsDoor(host.Writer, options.RequestBytesMax,
            new ConfigStreams(store, options.RootNamespace, options.RequestBytesMax), features);
        var calls = new CallMetrics();
        var secure = new SecureDoor(ads, certificates, callers, time, Said, calls, features);
        Webhooks? webhooks = cluster is null
            ? null : new(new AdmissionDoor(host.Writer, time).AnswerAsync, new SecureConnections(serving, time, ofWorkloads: false));
        var http = new HttpDoors(host.Writer, operators, new DebugAccess(host.Writer, callers, time, features),
            new CitadelMetrics(keys.Authority, certificates.Counts, time), calls, time);
        try
        {
            if (cluster is not null) await cluster.JoinOthersAsync(host.Writer, store, cancel);
            beforeOpening?.Invoke();
            ControlPlaneAddress address =
                await host.OpenAsync(options,
                    new(http.AnswerHttpAsync, ads.AnswerAsync, secure.AnswerAsync, http.AnswerMonitoringAsync, webhooks),
                    new SecureConnections(serving, time), token, cancel);
            address.Write(options.StateFolder);
            cluster?.Register(() => keys.Authority.Bundle.RootsPem);
            return new RunningControlPlane(address, host, operators, keys, folder, sources, cluster, fetcher, mine);
        }
        catch
        {
            folder?.Dispose();
            keys.Dispose();
            await sources.DisposeAsync();
            if (cluster is not null) await cluster.DisposeAsync();
            await host.DisposeAsync();
            operators.Dispose();
            fetcher.Dispose();
            await mine.DisposeAsync();
            throw;
        }
    }

    private static async Task OnLoopAsync(Task<WriterLoop> writer, Action work) => await (await writer).PostAsync((_, _) => work());

    // A loop that has ended takes no more answers, and needs none.
    private static async Task FetchAsync(KeyFetcher fetcher, KeySetRequest wanted, Task<WriterLoop> writer)
    {
        (string? text, string error) = await fetcher.FetchAsync(wanted);
        try
        {
            await (await writer).PostAsync((loop, now) => loop.KeysArrived(wanted.Name, text, error, now));
        }
        catch (ChannelClosedException)
        {
        }
    }

    /// <summary>One generator for each xDS type that is served.</summary>
    public static IReadOnlyList<IResourceGenerator> Generators()
    {
        var routes = new RouteGenerator();
        return
        [
            new ClusterGenerator(), new EndpointGenerator(), new ListenerGenerator(), routes, new VirtualHostGenerator(routes),
            new ExtensionConfigGenerator(), new NameTableGenerator(),
            new AddressGenerator(), new WorkloadGenerator(), new AuthorizationGenerator(), new SecretGenerator(),
        ];
    }

    // Where the authority keeps keys of its own.
    private const string AuthorityFolder = "ca";

    // Those of this machine's `lateen up`, whose keys are written before this process is started, and those of the cluster.
    private static List<TokenVerifier> Tokens(ControlPlaneOptions options, ClusterConnection? cluster, Func<string> trustDomain)
    {
        var verifiers = new List<TokenVerifier>();
        if (options.TokenKeysFile is { } path)
        {
            KeySet keys = KeySet.Read(File.ReadAllText(path)) ?? throw new IOException($"{path} is no set of keys");
            verifiers.Add(new IssuedTokens(new TokenRule(TokenIssuer.Issuer, [TokenIssuer.Audience], trustDomain), () => keys));
        }
        if (cluster is not null) verifiers.Add(new TokenReviews(cluster.Client, trustDomain));
        return verifiers;
    }

    private static string[] Setting(ControlPlaneOptions options, string name) =>
        options.Environment.GetValueOrDefault(name, "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    // One journal, one writer. The lock goes with the process, however that ends.
    private static FileStream Claim(string stateFolder)
    {
        try
        {
            Directory.CreateDirectory(stateFolder);
            return new FileStream(Path.Combine(stateFolder, "controlplane.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite,
                FileShare.None);
        }
        catch (UnauthorizedAccessException refused)
        {
            throw new IOException($"the state folder {stateFolder} cannot be used: {refused.Message}; name another with --state", refused);
        }
        catch (IOException taken) when (Directory.Exists(stateFolder))
        {
            throw new IOException(
                $"another control plane uses the state folder {stateFolder}; stop it, or name another folder with --state", taken);
        }
    }

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
