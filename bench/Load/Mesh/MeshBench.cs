using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Lateen.Bench.Load.Mesh;

/// <summary>The steps of a mesh's life, each with the CPU it costs the control plane and the time until the last proxy has it.</summary>
internal sealed class MeshBench(string program, MeshWorld world, MeshSource source, int proxies, bool areOurs, string[] options)
{
    private const int Rest = 7;
    private const int ChangesASecond = 100;
    private readonly List<string> _rows = [];
    private readonly Awaited _awaited = new(proxies);
    private MeshClient[] _clients = [];
    private MeshServer _server = null!;
    private int _changes;

    /// <summary>Rows of a table.</summary>
    public const string Head =
        "| world | step | CPU s | target | istiod CPU s | last proxy after, ms | MB sent | messages | peak MB "
        + "|\n|---|---|---|---|---|---|---|---|---|";

    /// <summary>Words of the steps that are run; all of them when empty. What comes before the first of them, and that all connect, is
    /// always done.</summary>
    public IReadOnlyCollection<string> Steps { get; init; } = [];

    /// <summary>A program that is run with the process id and a word for the moment, at rest: after the start, with all proxies, and at the
    /// end; empty for none.</summary>
    public string Inspector { get; init; } = "";

    /// <summary>Runs all steps once.</summary>
    public async Task<IReadOnlyList<string>> RunAsync(int churnSeconds)
    {
        _server = await MeshServer.StartAsync(program, world, source, options);
        using MeshServer server = _server;
        await QuietAsync();
        Note("started and compiled", _server.CpuSeconds(), double.NaN, -1, 0, 0);
        await RestAsync("start", "after the start");
        _clients = [.. Enumerable.Range(0, proxies).Select(i => new MeshClient(i, world, _awaited, areOurs))];
        await StepAsync(0, "connect", "all proxies connect at once", ConnectAsync);
        await RestAsync("connected", "with all proxies");
        await StepAsync(1, "endpoint", "one endpoint changes", () => EndpointAsync(1));
        await StepAsync(1, "endpoint", "one endpoint changes, again", () => EndpointAsync(2));
        await StepAsync(-1, "singles", "twenty endpoints, one after another", () => SinglesAsync(20));
        await StepAsync(2, "rule", "one VirtualService changes", () => ChangeAsync(world.VirtualService(10, 5), RuleOf(world, 10)));
        await StepAsync(2, "rule", "one VirtualService changes, again", () => ChangeAsync(world.VirtualService(20, 5), RuleOf(world, 20)));
        await StepAsync(3, "destination", "one DestinationRule changes",
            () => ChangeAsync(world.DestinationRule(30, 77), (MeshClient.Clusters, world.ClusterOf(30), ""),
                (MeshClient.Endpoints, world.ClusterOf(30), "")));
        await StepAsync(4, "service", "one service is added", AddServiceAsync);
        await StepAsync(5, "churn", $"{ChangesASecond} endpoint changes a second for {churnSeconds} s", () => ChurnAsync(churnSeconds));
        await StepAsync(6, "reconnect", "all proxies reconnect", ReconnectAsync);
        await RestAsync("end", "at the end");
        Note("peak resident MB", _server.PeakMegabytes, MeshFigures.Of(world, proxies, Rest).Target, Rest, 0, 0);
        foreach (MeshClient client in _clients)
            client.Disconnect();
        Check();
        return _rows;
    }

    // What the process holds when nothing happens: pages of its own, and pages of files that it has touched.
    private async Task RestAsync(string word, string moment)
    {
        Note($"resident MB {moment}, {_server.FilePagesMegabytes} of them pages of the program", _server.ResidentMegabytes, double.NaN, -1,
            0, 0);
        if (Inspector.Length == 0)
            return;
        using Process inspector = Process.Start(Inspector, [_server.Id.ToString(CultureInfo.InvariantCulture), word]);
        await inspector.WaitForExitAsync();
    }

    private async Task StepAsync(int step, string word, string name, Func<Task> act)
    {
        if (step != 0 && Steps.Count > 0 && !Steps.Contains(word))
            return;
        _awaited.Clear();
        await QuietAsync();
        (double cpu, long bytes, long messages) = (_server.CpuSeconds(), _clients.Sum(c => c.Bytes), _clients.Sum(c => c.Messages));
        _server.BeginPeak();
        var watch = Stopwatch.StartNew();
        await act();
        double wall = watch.Elapsed.TotalMilliseconds;
        await QuietAsync();
        Note(name, _server.CpuSeconds() - cpu, step < 0 ? double.NaN : MeshFigures.Of(world, proxies, step).Target, step, wall,
            _clients.Sum(c => c.Bytes) - bytes, _clients.Sum(c => c.Messages) - messages, _server.StepPeakMegabytes);
        if (_clients.FirstOrDefault(c => c.Trouble is not null) is { } troubled)
            throw new InvalidOperationException(troubled.Trouble);
    }

    private async Task ConnectAsync()
    {
        await Task.WhenAll(_clients.Select(c => c.ConnectAsync(_server.Xds)));
        await Task.WhenAll(_clients.Select(c => c.Complete)).WaitAsync(TimeSpan.FromMinutes(5));
    }

    private async Task ReconnectAsync()
    {
        foreach (MeshClient client in _clients)
            client.Disconnect();
        await Task.WhenAll(_clients.Select(c => c.ConnectAsync(_server.Xds)));
        await Task.WhenAll(_clients.Select(c => c.Complete)).WaitAsync(TimeSpan.FromMinutes(5));
    }

    private Task EndpointAsync(int service)
    {
        string address = MeshWorld.Address(200, ++_changes);
        return ChangeAsync(world.Places(service, address), (MeshClient.Endpoints, world.ClusterOf(service), address));
    }

    private async Task ChangeAsync(JsonObject changed, params (string Type, string Name, string Inside)[] seen)
    {
        Task all = Task.WhenAll(seen.Select(s => _awaited.Add(s.Type, s.Name, s.Inside)));
        await source.ApplyAsync(changed);
        await all.WaitAsync(TimeSpan.FromMinutes(2));
    }

    private async Task AddServiceAsync()
    {
        MeshWorld larger = world with { Services = world.Services + 1 };
        int added = world.Services;
        // Its tail of numbers is nobody else's, whatever the addresses of the others.
        Task all = Task.WhenAll(_awaited.Add(MeshClient.Endpoints, larger.ClusterOf(added)), Awaited(RuleOf(larger, added)));
        await source.ApplyAsync([.. larger.Served(added)]);
        await all.WaitAsync(TimeSpan.FromMinutes(2));
    }

    // Where the rules of a service are seen: in its own virtual host, or in the table of all.
    private (string Type, string Name, string Inside) RuleOf(MeshWorld of, int service) =>
        areOurs ? (MeshClient.VirtualHosts, $"8080/{of.HostOf(service)}:8080", "") : (MeshClient.Routes, "8080", of.HostOf(service));

    private Task Awaited((string Type, string Name, string Inside) seen) => _awaited.Add(seen.Type, seen.Name, seen.Inside);

    // One endpoint after another, each seen by all before the next.
    private async Task SinglesAsync(int count)
    {
        for (int i = 0; i < count; i++)
            await EndpointAsync(3 + i);
        double[] late = [.. _awaited.Milliseconds.Order()];
        _rows.Add(string.Create(CultureInfo.InvariantCulture,
            $"| {Name} | {count} single endpoints | | | | until all have it, debounce included: median {At(late, 0.5):F0}, "
            + $"p99 {At(late, 0.99):F0}, worst {At(late, 1):F0} | | | |"));
    }

    private async Task RuleAmidChurnAsync()
    {
        var watch = Stopwatch.StartNew();
        Task seen = Awaited(RuleOf(world, 40));
        await source.ApplyAsync(world.VirtualService(40, 7));
        await seen;
        _rows.Add(string.Create(CultureInfo.InvariantCulture,
            $"| {Name} | one VirtualService amid churn | | | | {watch.ElapsedMilliseconds} | | | |"));
    }

    private async Task ChurnAsync(int seconds)
    {
        var random = new Random(7);
        Task amid = Task.CompletedTask;
        var pending = new Dictionary<int, Task>();
        var watch = Stopwatch.StartNew();
        for (int i = 0; i < seconds * ChangesASecond; i++)
        {
            int service = random.Next(world.Services);
            string address = MeshWorld.Address(200, ++_changes);
            // A service that changes again before all have seen it is waited for in its newest form.
            _ = _awaited.Add(MeshClient.Endpoints, world.ClusterOf(service), address);
            // Nobody waits for the answer before the next, but two changes of one service keep their order.
            pending[service] = AfterAsync(pending.GetValueOrDefault(service, Task.CompletedTask), world.Places(service, address));
            if (i == seconds * ChangesASecond / 2)
                amid = RuleAmidChurnAsync();
            TimeSpan ahead = TimeSpan.FromSeconds((i + 1.0) / ChangesASecond) - watch.Elapsed;
            if (ahead > TimeSpan.Zero)
                await Task.Delay(ahead);
        }
        await Task.WhenAll(pending.Values);
        await amid;
        double took = watch.Elapsed.TotalSeconds;
        while (_awaited.Open > 0 && watch.Elapsed < TimeSpan.FromMinutes(2))
            await Task.Delay(20);
        double[] late = [.. _awaited.Milliseconds.Order()];
        _rows.Add(string.Create(CultureInfo.InvariantCulture,
            $"| {Name} | churn: {seconds * ChangesASecond} changes in {took:F1} s | | | | until all have it: "
            + $"median {At(late, 0.5):F0}, p99 {At(late, 0.99):F0}, worst {At(late, 1):F0} | | | |"));
    }

    private async Task AfterAsync(Task before, JsonObject change)
    {
        await before;
        await source.ApplyAsync(change);
    }

    private static double At(double[] sorted, double share) =>
        sorted.Length == 0 ? double.NaN : sorted[Math.Min(sorted.Length - 1, (int)(share * sorted.Length))];

    // Nothing has come for a while, and the control plane does nothing: answers are in, collections are done.
    private async Task QuietAsync()
    {
        (long seen, double cpu) = (-1, 0);
        for (int calm = 0; calm < 4;)
        {
            (long now, double used) = (_clients.Sum(c => c.Messages), _server.CpuSeconds());
            calm = now == seen && used - cpu < 0.005 ? calm + 1 : 0;
            (seen, cpu) = (now, used);
            await Task.Delay(100);
        }
    }

    private string Name => $"{world.Services}×{world.Endpoints}, {proxies} proxies"
        + (world.Namespaces > 1 ? $", {world.Namespaces} namespaces" : "") + (areOurs ? " of ours" : "")
        + (world.AreEntries ? ", entries" : "") + (source.Name.Length > 0 ? $", {source.Name}" : "");

    private void Note(string step, double used, double target, int number, double wall, long bytes, long messages = 0, long peak = 0)
    {
        _rows.Add(string.Create(CultureInfo.InvariantCulture,
            $"| {Name} | {step} | {used:0.###} | {(double.IsNaN(target) ? "" : target.ToString(CultureInfo.InvariantCulture))} "
            + $"| {(number < 0 ? "" : MeshFigures.Of(world, proxies, number).Istiod)} "
                + $"| {(wall > 0 ? wall.ToString("F0", CultureInfo.InvariantCulture) : "")} | {bytes / 1e6:0.#} | {messages} "
                    + $"| {(peak > 0 ? peak : "")} |"));
        // Who waits sees how far it is; the table comes at the end.
        Console.Error.WriteLine(_rows[^1]);
    }

    // All proxies of one namespace and one kind end with the same shared resources.
    private void Check()
    {
        foreach (IGrouping<string, MeshClient> alike in _clients.GroupBy(
            c => world.NamespaceOf(Array.IndexOf(_clients, c) % world.Services)))
        {
            Dictionary<string, string> first = alike.First().Held[MeshClient.Endpoints];
            if (alike.Any(c => c.Held[MeshClient.Endpoints].Count != first.Count
                || c.Held[MeshClient.Endpoints].Any(pair => first[pair.Key] != pair.Value)))
                throw new InvalidOperationException($"proxies of {alike.Key} ended with different endpoints");
        }
    }
}
