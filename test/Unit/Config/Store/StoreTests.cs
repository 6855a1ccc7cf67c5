using Lateen.Api.Texts;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Xunit;

namespace Lateen.Test.Unit.Config.Store;

public sealed class StoreTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lateen-journal-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static IReadOnlyList<Resource> Decode(string yaml)
    {
        var bag = new DiagnosticBag();
        var resources = new ResourceDecoder().Decode(yaml, "x.yaml", bag);
        Assert.False(bag.HasErrors, string.Join('\n', bag));
        return resources;
    }

    private static string Service(string name, string host, int port = 80) => $$"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: {{name}}, namespace: shop}
        spec: {hosts: [{{host}}], ports: [{number: {{port}}, name: http}]}   # written by hand
        """;

    /// <summary>Refuses every object with the host "bad".</summary>
    private static IReadOnlyList<Diagnostic> Check(Resource resource) =>
        resource is Resource<Istio.Networking.V1Alpha3.ServiceEntry> { Spec.Hosts: ["bad"] }
            ? [new Diagnostic
            {
                Code = new DiagnosticCode("LTN0000", DiagnosticLevel.Error, "", ""),
                Level = DiagnosticLevel.Error,
                Text = "bad",
            }]
            : [];

    private ResourceStore Store(out Journal journal)
    {
        journal = Journal.Open(_folder, [])!;
        return new ResourceStore(Check, TimeProvider.System, journal);
    }

    private static ChangeSet Put(params string[] yaml) => new() { Put = yaml.SelectMany(Decode).ToArray(), Author = "alice" };

    [Fact]
    public void Of_a_pod_is_kept_what_a_mesh_reads_and_where_it_stands()
    {
        var store = Store(out _);
        store.Apply(new ChangeSet
        {
            IsObserved = true,
            Put = Decode("""

                apiVersion: v1
                kind: Pod
                metadata: {name: web-0, namespace: shop, labels: {app: web}}
                spec:
                  nodeName: n1
                  volumes: [{name: data}]
                  containers: [{name: app, image: web:1, env: [{name: A, value: b}], ports: [{name: http, containerPort: 8080}]}]
                status: {podIP: 10.0.0.1, phase: Running, conditions: [{type: Initialized, status: "True"}, {type: Ready, status: "True"}]}
                """),
        });
        var pod = store.Current.Find(Kinds.Pod, "shop", "web-0")!;
        Assert.Equal(("x.yaml", 2), (pod.Origin.File, pod.Origin.Line));
        Assert.Equal("", pod.Origin.Text);
        Assert.Equal("Ready", Assert.Single(pod.Spec.Status.Conditions).Type);
        var container = Assert.Single(pod.Spec.Spec.Containers);
        Assert.Equal(("app", "web:1", 8080, 0), (container.Name, container.Image, container.Ports[0].ContainerPort_, container.Env.Count));
        Assert.DoesNotContain("volumes", pod.ToText(), StringComparison.Ordinal);
        Assert.Contains("podIP: 10.0.0.1", pod.ToText(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_change_with_one_bad_object_is_refused_whole()
    {
        var store = Store(out var journal);
        var result = store.Apply(Put(Service("a", "a.com"), Service("b", "bad")));
        Assert.False(result.Accepted);
        Assert.Equal(0, store.Current.Count);
        Assert.Equal(0, journal.LastNumber);
    }

    [Fact]
    public void What_a_source_says_is_taken_but_for_bad_forms()
    {
        var store = Store(out _);
        var changes = new List<StoreChange>();
        store.Changed += changes.Add;
        store.Apply(Put(Service("a", "a.com"), Service("b", "b.com")));
        var result = store.Apply(Put(Service("a", "bad"), Service("b", "b2.com")) with { IsObserved = true });
        Assert.True(result.Accepted);
        var view = store.Current;
        Assert.Equal("a.com", view.Find(Kinds.ServiceEntry, "shop", "a")!.Spec.Hosts[0]);
        Assert.Equal("b2.com", view.Find(Kinds.ServiceEntry, "shop", "b")!.Spec.Hosts[0]);
        Assert.Equal("a", Assert.Single(view.Held).Key.Name);
        Assert.Equal(["b"], changes[1].Keys.Select(k => k.Name));
        Assert.Equal(["a"], changes[1].HeldKeys.Select(k => k.Name));
        store.Apply(Put(Service("a", "a3.com")) with { IsObserved = true });
        Assert.Empty(store.Current.Held);
    }

    [Fact]
    public void One_change_is_one_generation_and_no_change_is_none()
    {
        var store = Store(out var journal);
        store.Apply(Put(Service("a", "a.com"), Service("b", "b.com")));
        Assert.Equal(1, store.Current.Generation);
        store.Apply(Put(Service("a", "a.com")));
        Assert.Equal((1, 1), (store.Current.Generation, journal.LastNumber));
        var old = store.Current;
        store.Apply(new ChangeSet { Delete = [old.Find(Kinds.ServiceEntry, "shop", "a")!.Key] });
        Assert.Equal((2, 1), (old.Count, store.Current.Count));
    }

    [Fact]
    public void Age_and_generation_continue()
    {
        var store = Store(out _);
        store.Apply(Put(Service("a", "a.com")));
        var first = store.Current.Find(Kinds.ServiceEntry, "shop", "a")!.Metadata;
        store.Apply(Put(Service("a", "a2.com")));
        var second = store.Current.Find(Kinds.ServiceEntry, "shop", "a")!.Metadata;
        Assert.Equal((first.CreationTime, 1, 2), (second.CreationTime, first.Generation, second.Generation));
    }

    [Fact]
    public void History_diff_and_rollback()
    {
        var store = Store(out var journal);
        store.Apply(Put(Service("a", "a.com")) with { Reason = "start" });
        store.Apply(Put(Service("a", "a.com", 8080), Service("b", "b.com")));
        store.Apply(new ChangeSet { Delete = [new ResourceKey(Kinds.ServiceEntry, "shop", "a")], Author = "bob" });
        Assert.Equal([(3L, "bob", 1), (2L, "alice", 2), (1L, "alice", 1)],
            journal.History([]).Select(r => (r.Number, r.Author, r.Entries.Count)));
        var diff = journal.Diff(1, 2, []);
        Assert.Equal(["changed", "created"], diff.Select(d => d.Action));
        Assert.Contains("# written by hand", diff[0].After!, StringComparison.Ordinal);
        Assert.Contains(LineDiff.Hunks(diff[0].Before ?? "", diff[0].After ?? ""),
            l => l.StartsWith('+') && l.Contains("8080", StringComparison.Ordinal));

        var result = store.Rollback(1, "carol");
        Assert.True(result.Accepted);
        Assert.Equal(4, result.Revision);
        Assert.Equal("a", Assert.Single(store.Current.Everything()).Name);
        Assert.Equal("LTN2103", Assert.Single(store.Rollback(9, "carol").Diagnostics).Code.Id);
    }

    [Fact]
    public void A_restart_finds_what_was_written()
    {
        Store(out _).Apply(Put(Service("a", "a.com"), Service("b", "b.com")));
        File.WriteAllText(Path.Combine(_folder, "0000000002.yaml.tmp"), "half");
        var again = Store(out var journal);
        Assert.True(again.Restore().Accepted);
        Assert.Equal((2, 1), (again.Current.Count, journal.LastNumber));
        Assert.Empty(Directory.GetFiles(_folder, "*.tmp"));
    }

    [Fact]
    public void A_death_at_any_byte_of_a_revision_leaves_the_one_before_and_the_next_is_written()
    {
        Store(out _).Apply(Put(Service("a", "a.com")));
        string second = Path.Combine(_folder, "0000000002.yaml");
        Store(out _).Apply(Put(Service("b", "b.com")));
        byte[] whole = File.ReadAllBytes(second);
        for (int written = 0; written <= whole.Length; written += 5)
        {
            File.Delete(second);
            File.WriteAllBytes(second + ".tmp", whole[..written]);
            ResourceStore again = Store(out Journal journal);
            Assert.True(again.Restore().Accepted);
            Assert.Equal(("a", 1), (Assert.Single(again.Current.Everything()).Name, journal.LastNumber));
            Assert.True(again.Apply(Put(Service("c", "c.com"))).Accepted);
            ResourceStore last = Store(out _);
            Assert.True(last.Restore().Accepted);
            Assert.Equal(["a", "c"], last.Current.Everything().Select(resource => resource.Name).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public void A_journal_that_cannot_be_written_refuses_the_change_and_loses_nothing()
    {
        var store = Store(out var journal);
        store.Apply(Put(Service("a", "a.com")));
        Directory.CreateDirectory(Path.Combine(_folder, "0000000002.yaml.tmp"));
        var result = store.Apply(Put(Service("b", "b.com")));
        Assert.False(result.Accepted);
        Assert.Equal("LTN2101", Assert.Single(result.Diagnostics).Code.Id);
        Assert.Equal((1, 1), (store.Current.Count, journal.LastNumber));
        Directory.Delete(Path.Combine(_folder, "0000000002.yaml.tmp"));
        Assert.True(store.Apply(Put(Service("b", "b.com"))).Accepted);
    }

    [Fact]
    public void Threads_that_apply_at_once_lose_no_change()
    {
        var store = new ResourceStore(Check, TimeProvider.System);
        var seen = new List<long>();
        store.Changed += c => seen.Add(c.After.Generation);
        Parallel.For(0, 100, i => store.Apply(Put(Service($"s{i}", $"s{i}.com"))));
        Assert.Equal(100, store.Current.All(Kinds.ServiceEntry).Count);
        Assert.Equal(Enumerable.Range(1, 100).Select(i => (long)i), seen);
    }
}
