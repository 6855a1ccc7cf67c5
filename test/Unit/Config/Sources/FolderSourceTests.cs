using Lateen.Config.Resources;
using Lateen.Config.Sources;
using Lateen.Config.Store;
using Xunit;

namespace Lateen.Test.Unit.Config.Sources;

public sealed class FolderSourceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lateen-folder-").FullName;
    private readonly ResourceStore _store = new(_ => [], TimeProvider.System);
    private int _writes;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Entry(string name, string host) =>
        $"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec: {{hosts: [{host}]}}\n";

    private void Write(string file, string text)
    {
        var path = Path.Combine(_folder, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        File.SetLastWriteTimeUtc(path, DateTime.UnixEpoch.AddSeconds(++_writes));
    }

    private IEnumerable<string> Hosts =>
        _store.Current.All(Kinds.ServiceEntry).OrderBy(r => r.Name, StringComparer.Ordinal).Select(r => r.Spec.Hosts[0]);

    [Fact]
    public void Files_come_and_go()
    {
        using var source = new FolderSource(_folder, _store, TimeProvider.System);
        Write("a.yaml", Entry("a", "a.com") + "---\n" + Entry("b", "b.com"));
        Write("deep/er/c.yml", Entry("c", "c.com"));
        Write("notes.txt", "nothing");
        source.Scan();
        Assert.Equal(["a.com", "b.com", "c.com"], Hosts);
        Assert.Equal(1, _store.Current.Generation);
        source.Scan();
        Assert.Equal(1, _store.Current.Generation);
        Write("a.yaml", Entry("b", "b2.com"));
        File.Delete(Path.Combine(_folder, "deep/er/c.yml"));
        source.Scan();
        Assert.Equal(["b2.com"], Hosts);
    }

    [Fact]
    public void A_bad_file_harms_no_other_and_keeps_its_last_good_objects()
    {
        using var source = new FolderSource(_folder, _store, TimeProvider.System);
        Write("a.yaml", Entry("a", "a.com") + "---\n" + Entry("b", "b.com"));
        source.Scan();
        Write("a.yaml", Entry("a", "a2.com") + "---\nkind: [\n");
        Write("c.yaml", Entry("c", "c.com"));
        source.Scan();
        Assert.Equal(["a2.com", "b.com", "c.com"], Hosts);
        var mistake = Assert.Single(source.Diagnostics);
        Assert.Equal(("LTN1001", Path.Combine(_folder, "a.yaml")), (mistake.Code.Id, mistake.Position.File));
        Write("a.yaml", Entry("a", "a3.com"));
        source.Scan();
        Assert.Equal(["a3.com", "c.com"], Hosts);
        Assert.Empty(source.Diagnostics);
    }

    [Fact]
    public void An_object_written_twice_counts_once_and_is_told()
    {
        using var source = new FolderSource(_folder, _store, TimeProvider.System);
        Write("a.yaml", Entry("a", "a.com"));
        Write("b.yaml", Entry("a", "b.com"));
        source.Scan();
        Assert.Equal(["a.com"], Hosts);
        Assert.Equal("LTN2011", Assert.Single(source.Diagnostics).Code.Id);
    }

    [Fact]
    public void What_left_the_folder_while_nobody_watched_leaves_the_store()
    {
        var revisions = Directory.CreateTempSubdirectory("lateen-revisions-").FullName;
        try
        {
            Write("a.yaml", Entry("a", "a.com"));
            Write("b.yaml", Entry("b", "b.com"));
            var first = new ResourceStore(_ => [], TimeProvider.System, Journal.Open(revisions, []));
            new FolderSource(_folder, first, TimeProvider.System).Scan();
            first.Apply(
                new ChangeSet { Put = new ResourceDecoder(new DecoderOptions { Source = "api" }).Decode(Entry("c", "c.com"), "", []) });

            File.Delete(Path.Combine(_folder, "b.yaml"));
            var journal = Journal.Open(revisions, [])!;
            var second = new ResourceStore(_ => [], TimeProvider.System, journal);
            second.Restore();
            new FolderSource(_folder, second, TimeProvider.System).Scan();
            Assert.Equal(["a", "c"], second.Current.All(Kinds.ServiceEntry).Select(r => r.Name).Order());
            Assert.Equal("deleted", Assert.Single(journal.Read(journal.LastNumber, [])!.Entries).Action);
        }
        finally
        {
            Directory.Delete(revisions, recursive: true);
        }
    }

    [Fact]
    public void Lines_above_an_object_move_it_without_a_change()
    {
        using var source = new FolderSource(_folder, _store, TimeProvider.System);
        Write("a.yaml", Entry("a", "a.com"));
        source.Scan();
        Write("a.yaml", "# one\n# two\n---\n" + Entry("a", "a.com"));
        source.Scan();
        Assert.Equal(1, _store.Current.Generation);
        Assert.Equal(7, _store.Current.All(Kinds.ServiceEntry)[0].PositionOf("spec.hosts").Line);
    }

    [Fact]
    public async Task A_change_in_the_folder_is_noticed()
    {
        using var source = new FolderSource(_folder, _store, TimeProvider.System);
        source.Start(TimeSpan.FromMinutes(10));
        var changed = new TaskCompletionSource();
        _store.Changed += _ => changed.TrySetResult();
        Write("a.yaml", Entry("a", "a.com"));
        await changed.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.Equal(["a.com"], Hosts);
    }
}
