using Lateen.Cli;
using Lateen.Cli.Printing;
using Lateen.ControlPlane;
using Lateen.Test.Rigs.Discovery;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane;

/// <summary>The verbs against a control plane with real ports, in one process.</summary>
public sealed class OperatorTests : IAsyncLifetime
{
    private const string Reviews = """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata:
          name: reviews
        spec:
          hosts: [reviews]
          http:
          - route:
            - destination: {host: reviews, subset: v1}
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("lateen").FullName;
    private RunningControlPlane? _running;

    public async ValueTask InitializeAsync() => _running = await StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_running is not null) await _running.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Apply_tells_created_then_unchanged_then_configured()
    {
        string file = File(Reviews);
        Assert.Equal((0, "virtualservice.networking.istio.io/reviews created\n"), await DoneAsync("apply", "-f", file));
        Assert.Equal((0, "virtualservice.networking.istio.io/reviews unchanged\n"), await DoneAsync("apply", "-f", file));
        file = File(Reviews.Replace("v1}", "v2}", StringComparison.Ordinal));
        Assert.Equal((0, "virtualservice.networking.istio.io/reviews configured\n"), await DoneAsync("apply", "-f", file));
        (int code, string text, _) = await RunAsync("get", "vs", "reviews", "-o", "yaml");
        Assert.Equal(0, code);
        Assert.Contains("subset: v2", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_text_with_mistakes_lists_all_of_them_and_changes_nothing()
    {
        string file = File(Reviews + "\n---\n" + """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: reviews}
            spec:
              host: reviews
              subsetz: []
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualServise
            metadata: {name: other}
            """);
        (int code, string output, string errors) = await RunAsync("apply", "-f", file);
        Assert.Equal((1, ""), (code, output));
        Assert.Contains($"{file}:16:3: error LTN1010: spec.subsetz: ", errors, StringComparison.Ordinal);
        Assert.Contains($"{file}:19:7: error LTN2005: kind: ", errors, StringComparison.Ordinal);
        Assert.Contains("nothing was changed: 2 mistakes", errors, StringComparison.Ordinal);
        Assert.Equal(1, (await RunAsync("get", "vs", "reviews")).Code);
    }

    [Fact]
    public async Task Routes_of_the_Gateway_API_tell_what_became_of_them()
    {
        await RunAsync("apply", "-f", File("""
            apiVersion: v1
            kind: Service
            metadata: {name: reviews}
            spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: reviews}
            spec:
              parentRefs: [{group: "", kind: Service, name: reviews}]
              rules: [{backendRefs: [{name: nobody, port: 80}]}]
            """));
        // What is written is compiled a little later.
        string text = "";
        for (long end = Environment.TickCount64 + 10_000; !text.Contains("BackendNotFound", StringComparison.Ordinal)
            && Environment.TickCount64 < end;)
            (_, text, _) = await RunAsync("get", "httproute", "reviews", "-o", "yaml");
        Assert.Contains("reason: BackendNotFound", text, StringComparison.Ordinal);
        Assert.Contains("type: Accepted", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rollback_brings_the_former_text_back_and_the_history_tells_all_three()
    {
        await RunAsync("apply", "-f", File(Reviews));
        await RunAsync("apply", "-f", File(Reviews.Replace("v1}", "v2}", StringComparison.Ordinal)));
        (int code, string diff, _) = await RunAsync("diff");
        Assert.Equal(1, code);
        Assert.Contains("-    - destination: {host: reviews, subset: v1}", diff, StringComparison.Ordinal);
        Assert.Equal((0, "virtualservice.networking.istio.io/reviews configured\n"), await DoneAsync("rollback"));
        Assert.Contains("subset: v1", (await RunAsync("get", "vs/reviews", "-o", "yaml")).Output, StringComparison.Ordinal);
        string[] lines = (await RunAsync("history")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(4, lines.Length);
        Assert.Contains("rollback to revision 1", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Configuration_survives_a_control_plane_that_ends_without_a_word()
    {
        await RunAsync("apply", "-f", File(Reviews));
        // Nothing is written at the end, so the next control plane on the folder sees what one after a crash would see.
        await _running!.DisposeAsync();
        _running = await StartAsync();
        Assert.Equal((0, "virtualservice.networking.istio.io/reviews\n", ""), await RunAsync("get", "virtualservices", "-o", "name"));
    }

    [Fact]
    public async Task Two_control_planes_cannot_share_a_state_folder()
    {
        IOException refused = await Assert.ThrowsAsync<IOException>(StartAsync);
        Assert.Equal($"another control plane uses the state folder {_folder}; stop it, or name another folder with --state",
            refused.Message);
    }

    [Fact]
    public async Task Two_rules_for_one_host_are_told_on_both()
    {
        await RunAsync("apply", "-f", File(Reviews));
        (int code, _, string errors) =
            await RunAsync("apply", "-f", File(Reviews.Replace("name: reviews", "name: reviews-too", StringComparison.Ordinal)));
        Assert.Equal(0, code);
        Assert.Contains("warning LTN2203: spec.hosts[0]: host \"reviews\" is routed by VirtualService default/reviews", errors,
            StringComparison.Ordinal);
        Assert.Contains("is also claimed by VirtualService default/reviews-too",
            (await RunAsync("get", "vs", "reviews", "-o", "yaml")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_not_there_is_said_with_what_might_be_meant()
    {
        await RunAsync("apply", "-f", File(Reviews));
        Assert.Equal((1, "", "error: there is no VirtualService \"review\" in namespace default\n  Did you mean \"reviews\"?\n"),
            await RunAsync("get", "vs", "review"));
        Assert.Equal((1, "", "error: there is no VirtualService \"reviews\" in namespace shop\n  There is one in namespace default: add "
            + "-n default.\n"), await RunAsync("get", "vs", "reviews", "-n", "shop"));
        Assert.Equal((1, "", "error: the mesh knows no kind \"virtualservce\"\n  Did you mean \"virtualservice\"?\n"),
            await RunAsync("get", "virtualservce"));
    }

    [Fact]
    public async Task The_operators_api_wants_the_token_of_the_state_folder()
    {
        using var http = new HttpClient();
        using HttpResponseMessage answer =
            await http.GetAsync(new Uri($"http://{_running!.Address.Http}/lateen/v1/objects"), TestContext.Current.CancellationToken);
        Assert.Equal(System.Net.HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    private Task<RunningControlPlane> StartAsync() => Wiring.StartAsync(
        LocalControlPlane.OwnPorts(_folder), TimeProvider.System, TestContext.Current.CancellationToken);

    private string File(string text)
    {
        string file = Path.Combine(_folder, "given.yaml");
        System.IO.File.WriteAllText(file, text);
        return file;
    }

    // What is said about hosts that are not there does not matter here.
    private async Task<(int Code, string Output)> DoneAsync(params string[] arguments)
    {
        (int code, string output, _) = await RunAsync(arguments);
        return (code, output);
    }

    private async Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        var output = new StringWriter { NewLine = "\n" };
        var errors = new StringWriter { NewLine = "\n" };
        int code = await Commands.RunAsync([.. arguments, "--state", _folder], new Terminal(output, errors, TextReader.Null));
        return (code, output.ToString(), errors.ToString());
    }
}
