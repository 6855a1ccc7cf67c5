using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Sources;
using Lateen.Config.Sources.Discovery;
using Lateen.Config.Store;
using Lateen.Config.Validation.Mesh;

namespace Lateen.ControlPlane.Mcp;

/// <summary>The sources that MeshConfig.configSources names, and the one of the command line. They come beside the configuration in which
/// they are named, and are read once at the start, as istiod reads them.</summary>
public sealed class ConfigSources : IAsyncDisposable
{
    private readonly ResourceStore _store;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly List<ConfigStreamSource> _streams = [];
    private readonly List<FolderSource> _folders = [];

    private ConfigSources(ResourceStore store, TimeProvider time, Action<string> say) => (_store, _time, _say) = (store, time, say);

    /// <summary>Begins to follow all of them, and returns when each has told everything once.</summary>
    /// <param name="wanted">The sources.</param>
    /// <param name="followsCluster">A Kubernetes API server is followed already.</param>
    /// <param name="security">Secures connections.</param>
    /// <param name="store">Where objects go.</param>
    /// <param name="time">The clock of waits.</param>
    /// <param name="say">Takes a line for the log; called by any thread.</param>
    /// <param name="cancel">Ends the wait.</param>
    public static async Task<ConfigSources> OpenAsync(IEnumerable<ConfigSource> wanted, bool followsCluster, SourceSecurity security,
        ResourceStore store, TimeProvider time, Action<string> say, CancellationToken cancel)
    {
        var sources = new ConfigSources(store, time, say);
        try
        {
            foreach (ConfigSource source in wanted.DistinctBy(one => one.Address)) sources.Begin(source, followsCluster, security);
            foreach (ConfigStreamSource stream in sources._streams) await stream.Synced.WaitAsync(cancel);
            return sources;
        }
        catch
        {
            await sources.DisposeAsync();
            throw;
        }
    }

    /// <summary>The source of the command line, in clear text.</summary>
    public static IEnumerable<ConfigSource> OfCommandLine(string? address) =>
        address is null ? [] : [new ConfigSource { Address = "xds://" + address }];

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        _folders.ForEach(folder => folder.Dispose());
        foreach (ConfigStreamSource stream in _streams) await stream.DisposeAsync();
    }

    private void Begin(ConfigSource source, bool followsCluster, SourceSecurity security)
    {
        string? problem = ConfigSourceRules.Problem(source);
        if (problem is null && source.Address.StartsWith("k8s:", StringComparison.Ordinal) && !followsCluster)
            problem = "no cluster is followed: start the control plane with --kubeconfig";
        if (problem is not null)
        {
            _say($"error\txds\tthe source {source.Address} is not followed: {problem}");
            return;
        }

        var address = new Uri(source.Address);
        if (address.Scheme == "xds")
        {
            if (source.TlsSettings is { InsecureSkipVerify: true, Mode: not ClientTLSSettings.Types.TLSmode.Disable })
                _say($"warn\txds\twho serves {source.Address} is not verified (insecureSkipVerify)");
            _streams.Add(new ConfigStreamSource(address.Authority, _store, _time, Random.Shared, _say,
                security.For(source.TlsSettings, address.IdnHost)));
        }
        else if (address.Scheme == "fs")
        {
            var folder = new FolderSource(address.AbsolutePath, _store, _time);
            folder.Start(rescan: TimeSpan.FromSeconds(5));
            _folders.Add(folder);
        }
    }
}
