using System.Diagnostics;
using Xunit;

namespace Lateen.Test.Real.Stands;

/// <summary>Traffic while configuration changes, and while parts die.</summary>
public sealed class ChangeStand(ITestOutputHelper output) : IAsyncLifetime
{
    private RunningMesh _mesh = null!;

    public async ValueTask InitializeAsync() => _mesh = await RunningMesh.StartAsync(SmallMesh.Yaml);

    public async ValueTask DisposeAsync() => await _mesh.DisposeAsync();

    [Fact]
    public async Task No_request_fails_while_routes_subsets_and_gateways_come_and_go()
    {
        (int requests, int rate, int changes) = Lateen.IsLong ? (20_000, 500, 60) : (2_000, 250, 12);
        var traffic = new SteadyTraffic(_mesh.Client, _mesh.Page("/ratings/0"), rate, requests);
        Task running = traffic.RunAsync(TestContext.Current.CancellationToken);
        int made = 0;
        for (; made < changes || !traffic.IsOver; made++) await ChangeAsync(made % 6);
        await running;
        output.WriteLine($"{traffic.Sent} requests, {made} changes; {traffic.Failures}");
        Assert.True(made >= changes);
        Assert.True(traffic.Good == requests, $"{traffic.Failures}\n{await FailedAsync()}");
    }

    // What the gateway wrote down of requests that it did not serve; logs are written within a second.
    private async Task<string> FailedAsync()
    {
        string[] lines = [];
        await Lateen.UntilAsync(
            () =>
                (lines = [.. Directory.GetFiles(Path.Combine(_mesh.State, "logs"), "istio-ingressgateway*").SelectMany(File.ReadLines)
                    .Where(line => line.Contains("HTTP/1.1\" 5", StringComparison.Ordinal))]).Length > 0, 3);
        return string.Join('\n', lines.Take(10));
    }

    // None of them waits for the proxies: changes overtake each other as they do when people are in a hurry.
    private async Task ChangeAsync(int turn)
    {
        switch (turn)
        {
            case 0: await _mesh.ApplyAsync(SmallMesh.Subsets + "---\n" + SmallMesh.Route(("v1", 70), ("v2", 30)), wait: false); break;
            case 1: await _mesh.ApplyAsync(SmallMesh.Route(("v2", 100)), wait: false); break;
            case 2:
                await _mesh.ApplyAsync(SmallMesh.Route() + "---\n"
                    + SmallMesh.Gateway.Replace("name: edge", "name: other", StringComparison.Ordinal)
                        .Replace("number: 80", "number: 443", StringComparison.Ordinal), wait: false); break;
            case 3: await DeleteAsync("destinationrule", "ratings"); break;
            case 4: await DeleteAsync("gateway", "other"); break;
            default:
                await _mesh.ApplyAsync(SmallMesh.Route().Replace("name: edge\n", "name: more\n", StringComparison.Ordinal)
                    .Replace("\"*\"", "more.test", StringComparison.Ordinal), wait: false); break;
        }
    }

    private async Task DeleteAsync(string kind, string name)
    {
        CommandEnd end = await _mesh.VerbAsync("delete", kind, name);
        Assert.True(end.Code == 0, end.ToString());
    }

    [Fact]
    public async Task A_change_is_in_effect_in_every_proxy_within_a_tenth_of_a_second()
    {
        await _mesh.ApplyAsync(SmallMesh.Subsets + "---\n" + SmallMesh.Route(("v1", 100)));
        var took = new List<double>();
        for (int i = 0; i < 9; i++)
        {
            string header = $"turn-{i}";
            await _mesh.ApplyAsync(SmallMesh.Route(("v2", 100))
                + $"    headers:\n      response:\n        set:\n          x-turn: {header}\n", wait: false);
            long since = Stopwatch.GetTimestamp();
            bool seen = await Lateen.UntilAsync(async () =>
            {
                using HttpResponseMessage answer =
                    await _mesh.Client.GetAsync(_mesh.Page("/ratings/0"), TestContext.Current.CancellationToken);
                return answer.Headers.TryGetValues("x-turn", out IEnumerable<string>? turns) && turns.Contains(header);
            });
            Assert.True(seen, $"change {i} did not take effect");
            took.Add(Stopwatch.GetElapsedTime(since).TotalMilliseconds);
        }
        output.WriteLine($"ms from the end of `lateen apply` to effect: {string.Join(", ", took.Select(ms => $"{ms:0}"))}");
        // The median, because this machine may be busy with other things.
        Assert.True(took.Order().ElementAt(took.Count / 2) <= 100, string.Join(", ", took));
    }

    [Fact]
    public async Task Apply_wait_counts_proxies()
    {
        CommandEnd end = await Lateen.RunAsync(Lateen.Start(_mesh.Folder, "apply", "-f", "-", "--wait"), SmallMesh.Subsets);
        Assert.Contains("runs on 4 proxies", end.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Traffic_goes_on_without_the_control_plane_and_changes_apply_when_it_is_back()
    {
        int first = (await _mesh.ProcessesAsync())["controlplane"].Program;
        var traffic = new SteadyTraffic(_mesh.Client, _mesh.Page("/ratings/0"), 200, 600);
        Task running = traffic.RunAsync(TestContext.Current.CancellationToken);
        Lateen.Signal(first, 9);
        Assert.True(
            await Lateen.UntilAsync(async () => (await _mesh.ProcessesAsync())["controlplane"].Program is var now && now > 0
                && now != first), "it did not come back");
        Assert.True(
            await Lateen.UntilAsync(async () =>
                (await Lateen.RunAsync(Lateen.Start(_mesh.Folder, "apply", "-f", "-", "--wait"),
                    SmallMesh.Subsets + "---\n" + SmallMesh.Route(("v2", 100)))).Code == 0), "no apply was taken");
        await running;
        Assert.True(traffic.Good == traffic.Sent, traffic.Failures);
        Assert.True(
            await Lateen.UntilAsync(async () =>
                (await _mesh.VerbAsync("proxy-status")).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length == 5),
                (await _mesh.VerbAsync("proxy-status")).Out);
    }

    [Fact]
    public async Task A_sidecar_and_an_application_that_are_killed_come_back_and_nobody_else_notices()
    {
        await _mesh.ApplyAsync(SmallMesh.Subsets + "---\n" + SmallMesh.Route(("v1", 100)));
        Dictionary<string, (int Program, int Sidecar)> before = await _mesh.ProcessesAsync();
        var traffic = new SteadyTraffic(_mesh.Client, _mesh.Page("/ratings/0"), 200, 800);
        Task running = traffic.RunAsync(TestContext.Current.CancellationToken);
        Lateen.Signal(before["ratings-v2"].Sidecar, 9);
        Lateen.Signal(before["details-v1"].Program, 9);
        bool back = await Lateen.UntilAsync(async () => await _mesh.ProcessesAsync() is var now
            && now["ratings-v2"].Sidecar is > 0 and var sidecar && sidecar != before["ratings-v2"].Sidecar
            && now["details-v1"].Program is > 0 and var program && program != before["details-v1"].Program);
        Assert.True(back, (await _mesh.VerbAsync("ps")).ToString());
        await running;
        Assert.True(traffic.Good == traffic.Sent, traffic.Failures);
        Dictionary<string, (int Program, int Sidecar)> after = await _mesh.ProcessesAsync();
        Assert.Equal(before["ratings-v1"], after["ratings-v1"]);
        Assert.Equal(before["ratings-v2"].Program, after["ratings-v2"].Program);
        // What was killed serves again.
        await _mesh.ApplyAsync(SmallMesh.Route(("v2", 100)));
        Assert.True(await Lateen.UntilAsync(async () =>
        {
            using HttpResponseMessage answer = await _mesh.Client.GetAsync(_mesh.Page("/ratings/0"), TestContext.Current.CancellationToken);
            return (int)answer.StatusCode == 200;
        }));
    }

    [Fact]
    public async Task After_a_kill_of_up_nothing_is_left_and_the_next_up_has_all_configuration()
    {
        await _mesh.ApplyAsync(SmallMesh.Subsets + "---\n" + SmallMesh.Route(("v2", 100)));
        IReadOnlyList<int> started = _mesh.Descendants();
        Assert.True(started.Count >= 8, $"{started.Count} processes");
        await _mesh.StopAsync(signal: 9);
        Assert.True(await Lateen.UntilAsync(() => !started.Any(Lateen.Lives)),
            $"still there: {string.Join(", ", started.Where(Lateen.Lives))}");
        await _mesh.UpAsync();
        CommandEnd rules = await _mesh.VerbAsync("get", "destinationrule,virtualservice", "-o", "name");
        Assert.Contains("destinationrule.networking.istio.io/ratings", rules.Out, StringComparison.Ordinal);
        CommandEnd route = await _mesh.VerbAsync("get", "virtualservice", "edge", "-o", "yaml");
        Assert.Contains("subset: v2", route.Out, StringComparison.Ordinal);
        using HttpResponseMessage answer = await _mesh.Client.GetAsync(_mesh.Page("/ratings/0"), TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)answer.StatusCode);
    }
}
