using System.Diagnostics;
using System.Text.RegularExpressions;
using Xunit;

namespace Lateen.Test.Real.Stands;

/// <summary>The mesh without privileges, and the users' verbs in it.</summary>
public sealed class LoopbackStand : IAsyncLifetime
{
    private RunningMesh _mesh = null!;

    public async ValueTask InitializeAsync() => _mesh = await RunningMesh.StartAsync(SmallMesh.Yaml, capture: "loopback");

    public async ValueTask DisposeAsync() => await _mesh.DisposeAsync();

    [Fact]
    public async Task It_says_so_in_its_first_lines_and_serves()
    {
        Assert.Contains("capture  loopback", _mesh.Said, StringComparison.Ordinal);
        using HttpResponseMessage answer = await _mesh.Client.GetAsync(_mesh.Page("/ratings/0"), TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)answer.StatusCode);
    }

    [Fact]
    public async Task A_program_joins_calls_by_name_keeps_its_exit_code_and_leaves()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/curl"), "it needs curl");
        CommandEnd end = await _mesh.VerbAsync("run", "--name", "caller", "--labels", "version=v1", "--", "/bin/sh", "-c",
            "curl -s -o /dev/null -w '%{http_code} %header{x-envoy-upstream-service-time}' http://ratings:9080/ratings/0; exit 7");
        Assert.True(end.Code == 7, end.ToString());
        // The answer came through a sidecar: only a proxy tells how long its upstream took.
        Assert.Matches(@"200 \d+", end.Out);
        Assert.True(await Lateen.UntilAsync(async () => !(await _mesh.ProcessesAsync()).ContainsKey("caller")), "it did not leave");
    }

    [Fact]
    public async Task A_server_that_joins_is_called_by_its_name_and_its_rules()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/curl"), "it needs curl");
        using Process server = Process.Start(
            Lateen.Start(_mesh.Folder, "run", "--name", "web", "--labels", "version=v1", "--port", "9080", "--", "bookinfo", "details"))!;
        try
        {
            Assert.True(await Lateen.UntilAsync(async () => (await _mesh.ProcessesAsync()).ContainsKey("web")), "it did not join");
            await _mesh.ApplyAsync("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: web\nspec:\n  hosts: "
                + "[web]\n  http:\n  - headers:\n      response:\n        set:\n          x-rule: \"yes\"\n    route:\n    - "
                    + "destination:\n        host: web\n");
            CommandEnd end = new(1, "", "");
            await Lateen.UntilAsync(
                async () => (end = await _mesh.VerbAsync("run", "--name", "caller", "--", "curl", "-s", "-i",
                    "http://web:9080/details/0")).Out.Contains("200 OK", StringComparison.Ordinal), 20);
            Assert.Contains("x-rule: yes", end.Out, StringComparison.Ordinal);
        }
        finally
        {
            Lateen.Signal(server.Id, 15);
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            await server.WaitForExitAsync(patience.Token);
        }
    }

    [Fact]
    public async Task A_program_that_is_not_there_ends_as_in_a_shell()
    {
        CommandEnd end = await _mesh.VerbAsync("run", "--name", "nobody", "--", "no-such-program");
        Assert.Equal(127, end.Code);
        Assert.Contains("no-such-program cannot be started: there is no such program", end.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_edit_is_applied_and_one_with_a_mistake_comes_back_with_it()
    {
        await _mesh.ApplyAsync(SmallMesh.Subsets);
        ProcessStartInfo start = Lateen.Start(_mesh.Folder, "edit", "dr", "ratings");
        start.Environment.Remove("VISUAL");
        start.Environment["EDITOR"] = "sed -i 's/version: v2/version: v3/'";
        CommandEnd edited = await Lateen.RunAsync(start);
        Assert.True(edited.Code == 0, edited.ToString());
        Assert.Contains("destinationrule.networking.istio.io/ratings configured", edited.Out, StringComparison.Ordinal);
        Assert.Contains("version: v3", (await _mesh.VerbAsync("get", "dr", "ratings", "-o", "yaml")).Out, StringComparison.Ordinal);

        // Spoilt at the first opening; at the second the mistake stands above the text, and saving it unchanged gives up.
        string seen = Path.Combine(_mesh.Folder, "seen");
        start.Environment["EDITOR"] =
            $"/bin/sh -c 'if grep -q LTN \"$0\"; then cp \"$0\" {seen}; else sed -i \"s/host:/hots:/\" \"$0\"; fi'";
        CommandEnd spoilt = await Lateen.RunAsync(start);
        Assert.Equal(1, spoilt.Code);
        Assert.Matches(new Regex("did you mean \"host\""), await File.ReadAllTextAsync(seen, TestContext.Current.CancellationToken));
        Assert.Contains("host: ratings", (await _mesh.VerbAsync("get", "dr", "ratings", "-o", "yaml")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_explanation_names_the_files_and_lines_that_asked_for_it()
    {
        string file = Path.Combine(_mesh.Folder, "rules.yaml");
        await File.WriteAllTextAsync(file,
            SmallMesh.Subsets + "---\n"
                + SmallMesh.Route(("v2", 100)).Replace("  - match:", "  - name: all-of-it\n    match:", StringComparison.Ordinal),
                TestContext.Current.CancellationToken);
        CommandEnd applied = await _mesh.VerbAsync("apply", "-f", "rules.yaml", "--wait");
        Assert.True(applied.Code == 0, applied.ToString());
        int line = Array.FindIndex(await File.ReadAllLinesAsync(file, TestContext.Current.CancellationToken),
            text => text.Contains("all-of-it", StringComparison.Ordinal)) + 1;
        await ExplainedAsync(line);
        // A control plane that starts again knows it still.
        int first = (await _mesh.ProcessesAsync())["controlplane"].Program;
        Lateen.Signal(first, 9);
        Assert.True(await Lateen.UntilAsync(
            async () => (await _mesh.VerbAsync("proxy-status")).Out.Contains("ingressgateway", StringComparison.Ordinal)));
        await ExplainedAsync(line);
    }

    [Fact]
    public async Task An_explanation_tells_how_a_connection_is_secured_and_what_is_not_HTTP()
    {
        CommandEnd http = await _mesh.VerbAsync("explain", "--from", "details", "GET", "http://ratings:9080/ratings/0");
        Assert.Matches(
            @"Connect +mutual TLS, the peer must be exact ""spiffe://cluster\.local/ns/default/sa/\S+"" \(by what the endpoint takes\)",
            http.Out);
        await _mesh.ApplyAsync("apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: db\nspec:\n  hosts: "
            + "[db.test]\n  addresses: [240.1.1.1]\n  ports:\n  - number: 27017\n    name: tcp\n    protocol: TCP\n  resolution: "
                + "STATIC\n  endpoints:\n  - address: 127.0.0.9\n");
        CommandEnd tcp = await _mesh.VerbAsync("explain", "--from", "details", "tcp://db.test:27017");
        Assert.Contains("opaque TCP", tcp.Out, StringComparison.Ordinal);
        Assert.Matches(@"cluster outbound\|27017\|\|db\.test.*127\.0\.0\.9:27017", tcp.Out);
        Assert.Matches(@"Connect +plain text", tcp.Out);
    }

    private async Task ExplainedAsync(int line)
    {
        CommandEnd end = await _mesh.VerbAsync("explain", "--from", "istio-ingressgateway", "GET",
            $"http://any.test:{_mesh.Port}/ratings/0");
        Assert.True(end.Code == 0, end.ToString());
        Assert.Contains($"VirtualService default/edge rules.yaml:{line}", end.Out, StringComparison.Ordinal);
        Assert.Contains("DestinationRule default/ratings rules.yaml:1", end.Out, StringComparison.Ordinal);
    }
}
