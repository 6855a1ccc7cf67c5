// Sources bring what is written elsewhere into the store and say what they could not read. A source is on the edge: it may hold threads,
// watchers and sockets; inside it is one pure step (what is there now, what was there before → one change).
//
// A source never decides what is good: the store checks. It never deletes because something could not be read: a file that is broken for
// a moment (an editor writes, a disk fills up) keeps its objects as they were.
// Refused: one watcher per file (kernels limit them), and trusting file events alone (they get lost; a rescan follows).
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.Config.Store;

namespace Lateen.Config.Sources;

/// <summary>Reads a file, or a folder of YAML and JSON files with its subfolders, and follows it.</summary>
public sealed class FolderSource : IDisposable
{
    private sealed record ReadFile(DateTime Written, long Length, IReadOnlyList<Resource> Resources, IReadOnlyList<Diagnostic> Diagnostics);

    private static readonly string[] Extensions = [".yaml", ".yml", ".json"];
    private static readonly TimeSpan SettleTime = TimeSpan.FromMilliseconds(50);

    private readonly string _path;
    private readonly ResourceStore _store;
    private readonly TimeProvider _time;
    private readonly ResourceDecoder _decoder;
    private readonly Lock _scanning = new();
    private Dictionary<string, ReadFile>? _files;
    private bool _isAway;
    private FileSystemWatcher? _watcher;
    private ITimer? _timer;

    /// <param name="path">A file or a folder.</param>
    /// <param name="store">Where objects go.</param>
    /// <param name="time">Drives the wait for files to settle and the rescans.</param>
    /// <param name="defaultNamespace">For objects that name none.</param>
    public FolderSource(string path, ResourceStore store, TimeProvider time, string defaultNamespace = "default")
    {
        (_path, _store, _time) = (path, store, time);
        _decoder = new ResourceDecoder(new DecoderOptions { DefaultNamespace = defaultNamespace, Source = ResourceOrigin.FromFile });
    }

    /// <summary>Raised after a scan that read something, with everything that was found wrong in it.</summary>
    public event Action<ApplyResult>? Scanned;

    /// <summary>What is wrong in the files as they were last read.</summary>
    public IReadOnlyList<Diagnostic> Diagnostics { get; private set; } = [];

    /// <summary>Reads what changed since the last scan and applies it as one change. Thread-safe.</summary>
    public ApplyResult Scan()
    {
        lock (_scanning)
        {
            var (before, found) = (_files, new DiagnosticBag());
            var read = ReadFiles(before ?? [], found);
            _files = read;
            var wasAway = _isAway;
            _isAway = found.HasErrors;
            if (ReferenceEquals(before, read) && !wasAway && !_isAway) return new ApplyResult(true, _store.Current, 0, Diagnostics, []);
            Diagnostics = [.. found, .. _files.Values.SelectMany(f => f.Diagnostics), .. WrittenTwice(_files)];
            var change = Difference(before is null && !found.HasErrors ? KnownFromBefore() : Objects(before ?? []), Objects(_files));
            var result = _store.Apply(change);
            _files = _files.ToDictionary(f => f.Key,
                f => ReferenceEquals(before?.GetValueOrDefault(f.Key), f.Value) ? f.Value : Kept(f.Value, result.View));
            var all = result with { Diagnostics = [.. Diagnostics, .. result.Diagnostics] };
            if (!change.IsEmpty || !ReferenceEquals(before, read)) Scanned?.Invoke(all);
            return all;
        }
    }

    /// <summary>Scans, then scans again whenever something in the folder changes, and every <paramref name="rescan"/> besides.</summary>
    public ApplyResult Start(TimeSpan rescan)
    {
        var first = Scan();
        _timer = _time.CreateTimer(_ => Scan(), null, rescan, rescan);
        try
        {
            var isFolder = Directory.Exists(_path);
            _watcher = new FileSystemWatcher(isFolder
                ? _path : Path.GetDirectoryName(Path.GetFullPath(_path))!) { IncludeSubdirectories = isFolder };
            _watcher.Changed += (_, _) => Settle(rescan);
            _watcher.Created += (_, _) => Settle(rescan);
            _watcher.Deleted += (_, _) => Settle(rescan);
            _watcher.Renamed += (_, _) => Settle(rescan);
            _watcher.EnableRaisingEvents = true;
        }
        catch (Exception e) when (e is IOException or ArgumentException or UnauthorizedAccessException)
        {
            // No watches left in the kernel, or no folder yet: the rescans remain.
            _watcher?.Dispose();
            _watcher = null;
        }

        return first;
    }

    public void Dispose()
    {
        _watcher?.Dispose();
        _timer?.Dispose();
    }

    private void Settle(TimeSpan rescan) => _timer?.Change(SettleTime, rescan);

    private Dictionary<string, ReadFile> ReadFiles(Dictionary<string, ReadFile> before, DiagnosticBag found)
    {
        var files = new Dictionary<string, ReadFile>();
        foreach (var path in Paths(found))
        {
            var (written, length) = Stamp(path);
            files[path] = before.TryGetValue(path, out var known) && known.Written == written && known.Length == length
                ? known
                : Read(path, written, length, known);
        }

        // Nothing could be listed at all: the folder is away for a moment, which deletes nothing. And where every file is the one that it
        // was, so are its objects.
        var isSame = files.Count == before.Count && before.Count > 0
            && files.All(file => before.TryGetValue(file.Key, out var known) && ReferenceEquals(known, file.Value));
        return isSame || (found.HasErrors && files.Count == 0) ? before : files;
    }

    /// <summary>A file with the store's objects in place of those that were read, where they say the same: each is there once.</summary>
    private static ReadFile Kept(ReadFile read, ResourceView view) =>
        read with { Resources = [
            .. read.Resources.Select(
                r => view.Find(r.Key) is { } kept && kept.Origin.Position == r.Origin.Position && kept.SaysTheSameAs(r) ? kept : r)] };

    private IEnumerable<string> Paths(DiagnosticBag found)
    {
        if (File.Exists(_path)) return [_path];
        try
        {
            return Directory.EnumerateFiles(_path, "*",
                new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = false, MaxRecursionDepth = 32 })
                .Where(p => Extensions.Contains(Path.GetExtension(p).ToLowerInvariant()) && !Path.GetFileName(p).StartsWith('.'))
                .Order(StringComparer.Ordinal)
                .ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            found.Add(DocumentCodes.Unreadable, new SourcePosition(_path, 0, 0), "", e.Message);
            return [];
        }
    }

    private static (DateTime Written, long Length) Stamp(string path)
    {
        var info = new FileInfo(path);
        return info.Exists ? (info.LastWriteTimeUtc, info.Length) : (default, 0);
    }

    /// <summary>The objects of a file. While a part of it cannot be read, objects that were in it before and are not found now stay as they
    /// were.</summary>
    private ReadFile Read(string path, DateTime written, long length, ReadFile? known)
    {
        var bag = new DiagnosticBag();
        IReadOnlyList<Resource> resources;
        try
        {
            resources = _decoder.Decode(File.ReadAllText(path), path, bag);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            bag.Add(DocumentCodes.Unreadable, new SourcePosition(path, 0, 0), "", e.Message);
            resources = [];
        }

        if (bag.HasErrors && known is not null)
        {
            var present = resources.Select(r => r.Key).ToHashSet();
            resources = [.. resources, .. known.Resources.Where(r => !present.Contains(r.Key))];
        }

        return new ReadFile(written, length, resources, [.. bag]);
    }

    /// <summary>What the store still knows of this folder from before a restart: what is gone from the folder meanwhile has to go,
    /// too.</summary>
    private Dictionary<ResourceKey, Resource> KnownFromBefore() =>
        _store.Current.Everything().Where(r => r.Origin is { Source: ResourceOrigin.FromFile } origin && IsBelow(origin.File))
            .ToDictionary(r => r.Key);

    private bool IsBelow(string file)
    {
        var (own, other) = (Path.GetFullPath(_path).TrimEnd('/'), Path.GetFullPath(file.Length > 0 ? file : "/"));
        return other == own || other.StartsWith(own + "/", StringComparison.Ordinal);
    }

    /// <summary>One change from the objects as they were to the objects as they are.</summary>
    private ChangeSet Difference(Dictionary<ResourceKey, Resource> old, Dictionary<ResourceKey, Resource> now) =>
        new()
        {
            Put = now.Values.Where(r => !old.TryGetValue(r.Key, out var known) || !ReferenceEquals(known, r)).ToArray(),
            Delete = old.Keys.Where(k => !now.ContainsKey(k)).ToArray(),
            Author = $"files in {_path}",
            IsObserved = true,
        };

    /// <summary>Of an object written in two files the first file's counts.</summary>
    private static IEnumerable<Diagnostic> WrittenTwice(Dictionary<string, ReadFile> files) =>
        files.OrderBy(f => f.Key, StringComparer.Ordinal).SelectMany(f => f.Value.Resources).GroupBy(r => r.Key)
            .SelectMany(g => g.Skip(1).Select(later => new Diagnostic
            {
                Code = ResourceCodes.SameTwice, Level = DiagnosticLevel.Warning, Position = later.Origin.Position, Resource =
                    g.Key.ToString(),
                Text = $"{g.Key} is already written at {g.First().Origin.Position}; this one does not count", Remedy =
                    ResourceCodes.SameTwice.Remedy,
            }));

    private static Dictionary<ResourceKey, Resource> Objects(Dictionary<string, ReadFile> files)
    {
        var objects = new Dictionary<ResourceKey, Resource>();
        foreach (var (_, file) in files.OrderBy(f => f.Key, StringComparer.Ordinal))
        {
            foreach (var resource in file.Resources) objects.TryAdd(resource.Key, resource);
        }

        return objects;
    }
}
