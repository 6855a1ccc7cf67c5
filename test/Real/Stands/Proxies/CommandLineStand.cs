using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Lateen.Test.Real.Stands.Proxies;

/// <summary>What a user of the proxy is told who makes a mistake on its command line or in its bootstrap: one line that names it, and exit
/// code 1.</summary>
public sealed class CommandLineStand : IAsyncLifetime
{
    private const string Hello = """{"match":{"prefix":"/"},"direct_response":{"status":200,"body":{"inline_string":"hello"}}}""";

    private readonly OneProxy _proxy = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await _proxy.DisposeAsync();

    [Theory]
    [InlineData("at least one of --config-path (-c) and --config-yaml is needed")]
    [InlineData("-c needs a value", "-c")]
    [InlineData("unknown option --bogus", "--bogus")]
    [InlineData("missing.json: there is no such file", "-c", "missing.json")]
    [InlineData("is a folder", "-c", ".")]
    [InlineData("--log-level does not take \"noisy\"", "--config-yaml", "{}", "--log-level", "noisy")]
    [InlineData("--mode does not take \"nope\"", "--config-yaml", "{}", "--mode", "nope")]
    [InlineData("did you mean \"listeners\"", "--config-yaml", "static_resources: {listenerz: []}")]
    [InlineData("not YAML", "--config-yaml", "x: [")]
    public async Task A_mistake_is_named(string said, params string[] arguments)
    {
        CommandEnd end = await Lateen.RunAsync(Lateen.Start(_proxy.Folder, ["proxy", .. arguments]));
        Assert.Equal(1, end.Code);
        Assert.Contains(said, end.Error, StringComparison.Ordinal);
        Assert.All(end.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            static line => Assert.StartsWith("error: ", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_port_that_is_taken_is_named_and_ends_it()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        int port = ((System.Net.IPEndPoint)taken.LocalEndpoint).Port;
        foreach (int own in new[] { _proxy.Port, _proxy.Admin })
        {
            string file = Path.Combine(_proxy.Folder, $"{own}.json");
            await File.WriteAllTextAsync(file,
                _proxy.Bootstrap(Hello).Replace(own.ToString(CultureInfo.InvariantCulture), port.ToString(CultureInfo.InvariantCulture),
                    StringComparison.Ordinal), TestContext.Current.CancellationToken);
            CommandEnd end = await Lateen.RunAsync(
                Lateen.Start(_proxy.Folder, ["proxy", "-c", file, "--concurrency", "1", "--disable-hot-restart"]));
            Assert.Equal(1, end.Code);
            Assert.Contains($"cannot bind '127.0.0.1:{port}': Address already in use", end.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Signals_are_heard_and_an_order_to_end_ends_it_well()
    {
        Process process = await _proxy.StartAsync(_proxy.Bootstrap(Hello), null, "--disable-hot-restart");
        Assert.True(
            await Lateen.UntilAsync(() =>
                _proxy.Said.Contains("serving: 1 listeners, 1 workers, admin page http://127.0.0.1:", StringComparison.Ordinal)),
                _proxy.Said);
        const int hangUp = 1, user = 10, terminate = 15;
        Lateen.Signal(process.Id, hangUp);
        Lateen.Signal(process.Id, user);
        Assert.Contains("LIVE", await _proxy.AskAsync("/ready"), StringComparison.Ordinal);
        Lateen.Signal(process.Id, terminate);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await process.WaitForExitAsync(patience.Token);
        Assert.Equal(0, process.ExitCode);
    }
}
