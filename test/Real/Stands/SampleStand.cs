using System.Diagnostics;
using Lateen.Test.Rigs;
using Xunit;

namespace Lateen.Test.Real.Stands;

/// <summary>Bookinfo and each folder of samples/ with real traffic: what its README promises is what a caller sees.</summary>
public sealed class SampleStand(ITestOutputHelper output) : IAsyncLifetime
{
    private RunningMesh _mesh = null!;

    public async ValueTask InitializeAsync() =>
        _mesh = await RunningMesh.OfFolderAsync(Path.Combine(Repository.Root, "samples", "bookinfo"));

    public async ValueTask DisposeAsync() => await _mesh.DisposeAsync();

    [Fact]
    public async Task Every_sample_does_what_it_says()
    {
        await SampleAsync("canary", async () =>
        {
            string[] stars = await PagesAsync(60);
            Assert.True(stars.Contains("none") && stars.Contains("red") && !stars.Contains("black"), string.Join(", ", stars.Distinct()));
            Assert.True(stars.Count(colour => colour == "red") is > 0 and < 30, $"{stars.Count(colour => colour == "red")} of 60");
        });
        await SampleAsync("ab-by-user", async () =>
        {
            Assert.All(await PagesAsync(6), stars => Assert.Equal("none", stars));
            Assert.All(await PagesAsync(6, user: "jason"), stars => Assert.Equal("black", stars));
        });
        await SampleAsync("reviews-by-path", async () =>
        {
            Assert.All(await PagesAsync(6), stars => Assert.Equal("none", stars));
            Assert.Contains("black", (await InsideAsync("http://reviews:9080/v2/reviews/0")).Out, StringComparison.Ordinal);
        });
        await SampleAsync("mirroring", async () =>
        {
            int before = LogLines("reviews-v3");
            Assert.All(await PagesAsync(10), stars => Assert.Equal("none", stars));
            Assert.True(await Lateen.UntilAsync(() => LogLines("reviews-v3") >= before + 10), "v3 saw no copies");
        });
        await SampleAsync("timeouts", async () =>
        {
            string body = await BodyAsync("/productpage");
            Assert.True(body.Contains("unavailable", StringComparison.OrdinalIgnoreCase), body);
        });
        await SampleAsync("deadline", async () => await WithinAsync(2.5));
        await SampleAsync("retries", async () =>
        {
            int ratings = (await _mesh.ProcessesAsync())["ratings-v1"].Program;
            var traffic = new SteadyTraffic(_mesh.Client, _mesh.Page("/productpage"), 20, 100);
            Task running = traffic.RunAsync(TestContext.Current.CancellationToken);
            Lateen.Signal(ratings, 9);
            await running;
            Assert.True(traffic.Good == traffic.Sent, traffic.Failures);
        });
        foreach (string sample in new[] { "retry-budget", "circuit-breaking", "mongo", "load-balancing/ratings-least-request.yaml",
            "load-balancing/ratings-round-robin.yaml", "load-balancing/reviews-by-user.yaml" })
            await SampleAsync(sample, async () => Assert.Equal(10, (await PagesAsync(10)).Length));
        await SampleAsync("bulkhead", async () =>
        {
            HttpResponseMessage[] answers = await Task.WhenAll(Enumerable.Range(0, 20)
                .Select(_ => _mesh.Client.GetAsync(_mesh.Page("/productpage"), TestContext.Current.CancellationToken)));
            Assert.All(answers, answer => Assert.Equal(200, (int)answer.StatusCode));
        });
    }

    [Fact]
    public async Task The_pages_of_bookinfo_are_those_that_users_know()
    {
        Assert.Contains("\"id\":0", await BodyAsync("/api/v1/products/0"), StringComparison.Ordinal);
        Assert.Contains("\"podname\":\"reviews-v", await BodyAsync("/api/v1/products/0/reviews"), StringComparison.Ordinal);
        foreach (string address in new[] { "details:9080/details/0", "reviews:9080/reviews/0", "ratings:9080/ratings/0",
            "ratings:9080/health", "reviews:9080/health", "details:9080/health" })
            Assert.Contains("200", (await InsideAsync("http://" + address, "-o", "/dev/null", "-w", "%{http_code}")).Out,
                StringComparison.Ordinal);
        // Every version comes up where no rule says otherwise.
        string[] stars = await PagesAsync(60);
        Assert.Equal(["black", "none", "red"], stars.Distinct().Order());
    }

    // A service far inside takes five seconds; the page has one in all.
    private async Task WithinAsync(double seconds)
    {
        await _mesh.ApplyAsync("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: slow\nspec:\n  hosts: "
            + "[details]\n  http:\n  - fault:\n      delay: {fixedDelay: 5s, percentage: {value: 100}}\n    route:\n    - destination: "
                + "{host: details}\n");
        long since = Stopwatch.GetTimestamp();
        using HttpResponseMessage answer = await _mesh.Client.GetAsync(_mesh.Page("/productpage"), TestContext.Current.CancellationToken);
        double took = Stopwatch.GetElapsedTime(since).TotalSeconds;
        await _mesh.VerbAsync("delete", "vs", "slow");
        Assert.True(took < seconds, $"{took:0.00} s");
    }

    private async Task SampleAsync(string name, Func<Task> check)
    {
        string folder = Path.Combine(Repository.Root, "samples", name);
        string before = (await _mesh.VerbAsync("history")).Out.Split('\n')[1].Split(' ')[0];
        CommandEnd applied = await _mesh.VerbAsync("apply", "-f", folder, "--wait");
        Assert.True(applied.Code == 0, $"{name}: {applied}");
        try
        {
            await check();
            output.WriteLine($"{name}: as it says");
        }
        catch (Exception failed)
        {
            throw new InvalidOperationException($"samples/{name}: {failed.Message}", failed);
        }
        finally
        {
            CommandEnd back = await _mesh.VerbAsync("rollback", before, "--wait");
            if (back.Code != 0) output.WriteLine(back.ToString());
        }
    }

    private async Task<string> BodyAsync(string path) =>
        await _mesh.Client.GetStringAsync(_mesh.Page(path), TestContext.Current.CancellationToken);

    // none, black or red, of each page.
    private async Task<string[]> PagesAsync(int count, string? user = null)
    {
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false, CookieContainer = new(), AllowAutoRedirect = false });
        if (user is not null)
        {
            using var form = new FormUrlEncodedContent(new Dictionary<string, string> { ["username"] = user, ["passwd"] = "any" });
            using HttpResponseMessage login = await client.PostAsync(_mesh.Page("/login"), form, TestContext.Current.CancellationToken);
        }
        var stars = new List<string>();
        for (int i = 0; i < count; i++)
        {
            string body = await client.GetStringAsync(_mesh.Page("/productpage"), TestContext.Current.CancellationToken);
            stars.Add(Colours(body));
        }
        return [.. stars];
    }

    private static string Colours(string page) => page.Contains("stars black", StringComparison.Ordinal)
        ? "black" : page.Contains("stars red", StringComparison.Ordinal) ? "red" : "none";

    private Task<CommandEnd> InsideAsync(string address, params string[] more) =>
        _mesh.VerbAsync(["run", "--name", "shell", "--", "curl", "-s", .. more, address]);

    private int LogLines(string workload) => File.ReadLines(Path.Combine(_mesh.State, "logs", workload + ".log"))
        .Count(line => line.Contains("/reviews", StringComparison.Ordinal));
}
