using Lateen.Proxy.Net;

namespace Lateen.Proxy.Xds;

/// <summary>A file that is read whenever it is replaced (by a rename into its folder, as Envoy asks, or written anew), or whenever anything
/// moves in a folder that is named for it.</summary>
/// <param name="loop">Where it is read.</param>
/// <param name="path">The file.</param>
/// <param name="read">Reads it.</param>
/// <param name="folder">The folder whose changes count (watched_directory); empty for the file's own.</param>
internal sealed class FileSource(EventLoop loop, string path, Action read, string folder = "") : IDisposable
{
    private FileSystemWatcher? _watcher;

    /// <summary>Reads (unless that was done), and begins to watch.</summary>
    public void Start(bool readNow = true)
    {
        if (FolderOf() is { } watched && Directory.Exists(watched))
        {
            // The whole folder: a mounted ConfigMap changes by a symbolic link beside the file.
            _watcher = new FileSystemWatcher(watched) { NotifyFilter = NotifyFilters.FileName | NotifyFilters.LastWrite
                | NotifyFilters.DirectoryName };
            _watcher.Renamed += (_, e) => OnChange(e.FullPath);
            _watcher.Created += (_, e) => OnChange(e.FullPath);
            _watcher.Changed += (_, e) => OnChange(e.FullPath);
            _watcher.EnableRaisingEvents = true;
        }
        if (readNow)
            read();
    }

    // Null for what no file can be called.
    private string? FolderOf()
    {
        if (folder.Length > 0)
            return folder;
        return path.Length == 0 || path.Contains('\0', StringComparison.Ordinal)
            ? null : Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
    }

    // On a thread of the watcher.
    private void OnChange(string changed)
    {
        if (folder.Length > 0 || Path.GetFileName(changed) == Path.GetFileName(path)
            || changed.Contains("..data", StringComparison.Ordinal))
            loop.Post(new Changed(read));
    }

    /// <inheritdoc/>
    public void Dispose() => _watcher?.Dispose();

    private sealed class Changed(Action read) : Letter
    {
        protected internal override void Deliver() => read();
    }
}
