using System.Globalization;
using System.Text;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;

namespace Lateen.Config.Store;

/// <summary>
/// The revisions of what people write, one small file each: <c>0000000042.yaml</c>. A file is written beside its place, synced and renamed,
/// so that a crash leaves either the whole revision or none. Files are never changed afterwards. One store writes into a folder.
/// </summary>
public sealed class Journal
{
    private const string Extension = ".yaml";
    private readonly string _folder;
    private readonly SortedSet<long> _numbers;

    private Journal(string folder, SortedSet<long> numbers) => (_folder, _numbers) = (folder, numbers);

    /// <summary>The newest revision; 0 when there is none.</summary>
    public long LastNumber => _numbers.Count == 0 ? 0 : _numbers.Max;

    /// <summary>Opens the folder, making it when it does not exist; null with a diagnostic when that is not possible.</summary>
    public static Journal? Open(string folder, DiagnosticBag diagnostics)
    {
        try
        {
            Directory.CreateDirectory(folder);
            foreach (var leftover in Directory.EnumerateFiles(folder, "*.tmp")) File.Delete(leftover);
            return new Journal(folder, [.. Directory.EnumerateFiles(folder, "*" + Extension).Select(NumberOf).Where(n => n > 0)]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            diagnostics.Add(StoreCodes.JournalUnwritable, new SourcePosition(folder, 0, 0), "", e.Message);
            return null;
        }
    }

    public bool Has(long number) => _numbers.Contains(number);

    /// <summary>All revisions that can be read, the newest first.</summary>
    public IEnumerable<Revision> History(DiagnosticBag diagnostics) =>
        _numbers.Reverse().Select(n => Read(n, diagnostics)).OfType<Revision>();

    /// <summary>One revision, or null with a diagnostic.</summary>
    public Revision? Read(long number, DiagnosticBag diagnostics)
    {
        if (!Has(number))
        {
            diagnostics.Add(StoreCodes.UnknownRevision, SourcePosition.None, "", $"there is no revision {number}");
            return null;
        }

        var path = PathOf(number);
        try
        {
            return RevisionText.Read(File.ReadAllText(path), path, diagnostics);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            diagnostics.Add(StoreCodes.JournalUnreadable, new SourcePosition(path, 0, 0), "", e.Message);
            return null;
        }
    }

    /// <summary>What configuration was right after the revision.</summary>
    public Dictionary<ResourceKey, Resource> StateAt(long number, DiagnosticBag diagnostics)
    {
        var texts = new Dictionary<ResourceKey, (RevisionEntry Entry, DateTimeOffset Created)>();
        foreach (var entryOf in _numbers.TakeWhile(n => n <= number).Select(n => Read(n, diagnostics)).OfType<Revision>())
        {
            foreach (var entry in entryOf.Entries)
            {
                if (entry.After is null) texts.Remove(entry.Key);
                else
                {
                    var created = texts.TryGetValue(entry.Key, out var present) ? present.Created : entryOf.Time;
                    texts[entry.Key] = (entry, created);
                }
            }
        }

        var state = new Dictionary<ResourceKey, Resource>();
        foreach (var (key, (entry, created)) in texts)
        {
            var source = entry.IsWatched ? ResourceOrigin.FromFile : ResourceOrigin.FromJournal;
            var options = new DecoderOptions { Source = source, DefaultNamespace = key.Namespace.Length > 0 ? key.Namespace : "default" };
            var decoded = new ResourceDecoder(options).Decode(new string('\n', entry.Line - 1) + entry.After, entry.File, diagnostics);
            if (decoded.FirstOrDefault(r => r.Key == key) is { } resource)
                state[key] = resource.With(resource.Metadata with { CreationTime = resource.Metadata.CreationTime ?? created });
        }

        return state;
    }

    /// <summary>The objects that differ between two revisions, with their texts.</summary>
    public IReadOnlyList<RevisionEntry> Diff(long from, long to, DiagnosticBag diagnostics)
    {
        var (old, now) = (StateAt(from, diagnostics), StateAt(to, diagnostics));
        return old.Keys.Union(now.Keys)
            .Select(k => new RevisionEntry(k, old.GetValueOrDefault(k)?.ToText(), now.GetValueOrDefault(k)?.ToText()))
            .Where(e => e.Before != e.After)
            .OrderBy(e => e.Key.ToString(), StringComparer.Ordinal)
            .ToArray();
    }

    /// <summary>Writes the next revision. Nothing is left behind when it cannot be written.</summary>
    internal (long Number, Diagnostic? Failure) Append(DateTimeOffset time, string author, string reason, ResourceView before,
        IReadOnlyDictionary<ResourceKey, Resource?> changes)
    {
        var entries = changes.Select(c => Entry(c.Key, before.Find(c.Key), c.Value))
            .OrderBy(e => e.Key.ToString(), StringComparer.Ordinal)
            .ToArray();
        var number = LastNumber + 1;
        var path = PathOf(number);
        try
        {
            WriteDurably(path, RevisionText.Write(new Revision(number, time, author, reason, entries)));
            _numbers.Add(number);
            return (number, null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            TryDelete(path + ".tmp");
            return (0, new Diagnostic
            {
                Code = StoreCodes.JournalUnwritable, Level = DiagnosticLevel.Error, Position = new SourcePosition(path, 0, 0),
                Text = $"revision {number} cannot be written: {e.Message}", Remedy = StoreCodes.JournalUnwritable.Remedy,
            });
        }
    }

    private static RevisionEntry Entry(ResourceKey key, Resource? before, Resource? after)
    {
        // Lines are those of the text as it was written; an object that is kept in another form has none of its own.
        var line = after is { Origin: { Text.Length: > 0, TextPath.Length: 0 } origin } ? origin.TextLine : after?.Origin.Line ?? 1;
        return new RevisionEntry(key, before?.ToText(), after?.ToText(), after?.Origin.File ?? "", Math.Max(1, line),
            after?.Origin.Source == ResourceOrigin.FromFile);
    }

    private static void WriteDurably(string path, string text)
    {
        var temporary = path + ".tmp";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            file.Write(Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: false);
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next start removes it.
        }
    }

    private static long NumberOf(string path) =>
        long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private string PathOf(long number) => Path.Combine(_folder, number.ToString("D10", CultureInfo.InvariantCulture) + Extension);
}
