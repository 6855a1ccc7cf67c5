using System.Text.Json.Nodes;
using Lateen.Test.Real.Cluster;
using Lateen.Test.Real.Stands;
using Xunit;

namespace Lateen.Test.Real.Planes;

/// <summary>Clients that refuse everything, read nothing or come and go: those who ask are told which, what of, since when and why, and the
/// others are served meanwhile.</summary>
public sealed class StubbornStand : IAsyncLifetime
{
    private const string Rule = """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: NAME}
        spec: {hosts: [NAME.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
        """;

    private readonly List<StubbornClient> _clients = [];
    private ControlPlaneProcess _plane = null!;

    public async ValueTask InitializeAsync()
    {
        _plane = await ControlPlaneProcess.StartAsync("stubborn", "--debounce", "5");
        Assert.Equal(0, (await ApplyAsync("first")).Code);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (StubbornClient client in _clients) await client.DisposeAsync();
        await _plane.DisposeAsync();
    }

    [Fact]
    public async Task A_proxy_that_refuses_is_named_with_type_version_reason_and_age()
    {
        await ConnectAsync("sound", Manner.Takes);
        await ConnectAsync("refuser", Manner.Refuses);
        await UntilAsync("refuser", type => (string?)type["state"] == "ERROR");
        await UntilAsync("sound", type => (string?)type["state"] == "SYNCED");
        JsonObject list = await StatusAsync();
        JsonObject refuser = RowOf(list, "refuser"), sound = RowOf(list, "sound");
        Assert.Equal((1, 0), ((int)sound["revision"]!, (int)refuser["revision"]!));
        foreach (string type in new[] { "CDS", "LDS" })
        {
            JsonObject state = refuser["types"]![type]!.AsObject();
            Assert.Equal(("ERROR", StubbornClient.Reason), ((string?)state["state"], (string?)state["error"]));
            Assert.True((string?)state["sent"] is { Length: > 0 } && state["acked"] is null && (double)state["sinceSeconds"]! < 60,
                state.ToJsonString());
        }
        CommandEnd text = await VerbAsync("proxy-status");
        Assert.Equal(0, text.Code);
        Assert.Matches("refuser.default refused CDS \\d+s ago and has taken none yet: " + StubbornClient.Reason, text.Error);
        Assert.Matches("(?m)^refuser.default +Kubernetes +ERROR \\(\\d+s\\) +ERROR \\(\\d+s\\) +IGNORED +IGNORED +none ", text.Out);
        Assert.Matches("(?m)^sound.default +Kubernetes +SYNCED \\(\\d+s\\) +SYNCED \\(\\d+s\\) +IGNORED +IGNORED +1 ", text.Out);

        CommandEnd applied = await ApplyAsync("second", "--wait", "--timeout", "20s");
        Assert.Equal(1, applied.Code);
        Assert.Contains("serviceentry.networking.istio.io/second created", applied.Out, StringComparison.Ordinal);
        Assert.Matches("refuser.default \\(has taken none yet\\): refused CDS (just now|\\d+s ago): " + StubbornClient.Reason,
            applied.Error);
        Assert.Contains("revision 2 runs on 1 of 2 proxies: 1 refused it", applied.Error, StringComparison.Ordinal);
        Assert.Contains("lateen rollback", applied.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("sound.default", applied.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proxy_that_reads_nothing_holds_nobody_back_and_a_wait_for_it_ends_in_time()
    {
        await ConnectAsync("sound", Manner.Takes);
        await ConnectAsync("silent", Manner.Stalls);
        await UntilAsync("silent", type => (string?)type["state"] == "STALE");
        await UntilAsync("sound", type => (string?)type["state"] == "SYNCED");
        CommandEnd applied = await ApplyAsync("second", "--wait", "--timeout", "1500ms", "-o", "json");
        Assert.Equal(1, applied.Code);
        Assert.Matches("silent.default \\(has taken none yet\\): has not answered CDS(, LDS)? for \\d+s", applied.Error);
        Assert.Contains("revision 2 runs on 1 of 2 proxies: 1 did not take it within 1500ms", applied.Error, StringComparison.Ordinal);
        JsonObject report = JsonNode.Parse(applied.Out)!.AsObject();
        Assert.Equal((true, false, 2), ((bool)report["accepted"]!, (bool)report["wait"]!["converged"]!, (int)report["wait"]!["proxies"]!));
        JsonObject behind = Assert.Single(report["wait"]!["behind"]!.AsArray())!.AsObject();
        Assert.Equal(("silent.default", false), ((string?)behind["proxy"], (bool?)behind["hasRefused"] ?? false));
        await UntilAsync("sound", type => (string?)type["state"] == "SYNCED");
        Assert.Equal(2, (int)RowOf(await StatusAsync(), "sound")["revision"]!);
        JsonObject silent = RowOf(await StatusAsync(), "silent")["types"]!["CDS"]!.AsObject();
        Assert.True((double)silent["sinceSeconds"]! >= 1, silent.ToJsonString());
    }

    [Fact]
    public async Task A_proxy_that_comes_and_goes_is_told_as_such()
    {
        await ConnectAsync("sound", Manner.Takes);
        StubbornClient restless = await ConnectAsync("restless", Manner.Flaps);
        Assert.True(await Stands.Lateen.UntilAsync(() => restless.Comings >= 6, 30), _plane.Said);
        JsonObject? left = null;
        Assert.True(await Stands.Lateen.UntilAsync(async () => (left = (await StatusAsync())["left"]?.AsArray()
            .OfType<JsonObject>().FirstOrDefault(row => (string?)row["proxy"] == "restless.default")) is not null
            && (int)left["times"]! >= 4, 30), left?.ToJsonString() ?? "none");
        CommandEnd text = await VerbAsync("proxy-status");
        Assert.Matches("restless.default comes and goes: its stream ended \\d+ times in the last ten minutes, the last time \\d+s ago",
            text.Error);
        Assert.DoesNotContain("sound.default comes", text.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("\tfault\t", _plane.Said, StringComparison.Ordinal);
    }

    private async Task<StubbornClient> ConnectAsync(string name, Manner manner)
    {
        var client = new StubbornClient(_plane.Grpc, name, manner);
        _clients.Add(client);
        if (manner != Manner.Flaps) await UntilAsync(name, _ => true);
        return client;
    }

    // Both of its types.
    private async Task UntilAsync(string name, Func<JsonObject, bool> condition) => Assert.True(
        await Stands.Lateen.UntilAsync(async () => (await StatusAsync())["items"]!.AsArray().OfType<JsonObject>()
            .FirstOrDefault(row => (string?)row["name"] == name + ".default")?["types"] is JsonObject types
            && types["CDS"] is JsonObject clusters && types["LDS"] is JsonObject listeners
            && (condition(clusters) || condition(listeners)) && (condition(clusters) == condition(listeners) || name == "silent"), 30),
        _plane.Said);

    private static JsonObject RowOf(JsonObject list, string name) => list["items"]!.AsArray().OfType<JsonObject>()
        .Single(row => (string?)row["name"] == name + ".default");

    private async Task<JsonObject> StatusAsync()
    {
        using HttpClient operators = _plane.Operator();
        return JsonNode.Parse(await operators.GetStringAsync(new Uri("proxies", UriKind.Relative), TestContext.Current.CancellationToken))!
            .AsObject();
    }

    private Task<CommandEnd> ApplyAsync(string name, params string[] more) => Stands.Lateen.RunAsync(
        Stands.Lateen.Start(null, ["apply", "-f", "-", "--state", _plane.State, .. more]),
        Rule.Replace("NAME", name, StringComparison.Ordinal));

    private Task<CommandEnd> VerbAsync(params string[] words) =>
        Stands.Lateen.RunAsync(Stands.Lateen.Start(null, [.. words, "--state", _plane.State]));
}
