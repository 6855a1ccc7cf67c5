using Lateen.Proxy.Net;

namespace Lateen.Proxy.Xds;

/// <summary>A file that is read now and whenever it is replaced (by a rename into its folder, as Envoy asks, or written anew).</summary>
internal sealed class FileSource(EventLoop loop, string path, Action read) : IDisposable
{
    private FileSystemWatcher? _watcher;

    /// <summary>Reads, and begins to watch.</summary>
    public void Start()
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
        if (Directory.Exists(folder))
        {
            // The whole folder: a mounted ConfigMap changes by a symbolic link beside the file.
            _watcher = new FileSystemWatcher(folder) { NotifyFilter = NotifyFilters.FileName | NotifyFilters.LastWrite | NotifyFilters.DirectoryName };
            _watcher.Renamed += (_, e) => OnChange(e.FullPath);
            _watcher.Created += (_, e) => OnChange(e.FullPath);
            _watcher.Changed += (_, e) => OnChange(e.FullPath);
            _watcher.EnableRaisingEvents = true;
        }
        read();
    }

    // On a thread of the watcher.
    private void OnChange(string changed)
    {
        if (Path.GetFileName(changed) == Path.GetFileName(path) || changed.Contains("..data", StringComparison.Ordinal))
            loop.Post(new Changed(read));
    }

    /// <inheritdoc/>
    public void Dispose() => _watcher?.Dispose();

    private sealed class Changed(Action read) : Letter
    {
        protected internal override void Deliver() => read();
    }
}
