using Xunit;

namespace Lateen.Test.Real.Stands;

/// <summary>Transparent capture for a user without any right: the mesh lives in a user namespace.</summary>
public sealed class NobodyStand
{
    [Fact]
    public async Task Nftables_do_where_iptables_is_missing()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess && (File.Exists("/usr/sbin/nft") || File.Exists("/sbin/nft")),
            "it needs root and nft");
        await using RunningMesh mesh = await RunningMesh.StartAsync(SmallMesh.Yaml, firewall: "nft");
        Assert.Contains("redirected by nftables", mesh.Said, StringComparison.Ordinal);
        using (HttpResponseMessage answer = await mesh.Client.GetAsync(mesh.Page("/ratings/0"), TestContext.Current.CancellationToken))
            Assert.Equal(200, (int)answer.StatusCode);
        CommandEnd called = await mesh.VerbAsync("run", "--name", "caller", "--", "curl", "-s", "-i", "http://ratings:9080/ratings/0");
        Assert.Contains("x-envoy-upstream-service-time", called.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_user_without_rights_gets_transparent_capture_where_user_namespaces_are_allowed()
    {
        string? obstacle = await Lateen.NobodysObstacleAsync();
        Assert.SkipWhen(obstacle is not null, obstacle ?? "");
        await using RunningMesh mesh = await RunningMesh.StartAsync(SmallMesh.Yaml, asNobody: true);
        Assert.Contains("transparent (user namespaces", mesh.Said, StringComparison.Ordinal);
        // In from outside, through the gateway's passed door; the verbs through the control plane's.
        using (HttpResponseMessage answer = await mesh.Client.GetAsync(mesh.Page("/ratings/0"), TestContext.Current.CancellationToken))
            Assert.Equal(200, (int)answer.StatusCode);
        CommandEnd applied = await mesh.VerbAsync("get", "vs");
        Assert.True(applied.Code == 0, applied.ToString());
        // From inside, by name, captured without a word in the program's environment.
        CommandEnd called = await mesh.VerbAsync("run", "--name", "caller", "--", "/bin/sh", "-c",
            "test -z \"$HTTP_PROXY$http_proxy\" && curl -s -i http://ratings:9080/ratings/0; exit 7");
        Assert.True(called.Code == 7, called.ToString());
        Assert.Contains("x-envoy-upstream-service-time", called.Out, StringComparison.Ordinal);
        // kill -9: the kernel takes all of it away.
        IReadOnlyList<int> started = mesh.Descendants();
        Assert.True(started.Count >= 9, $"{started.Count} processes");
        await mesh.StopAsync(signal: 9);
        Assert.True(await Lateen.UntilAsync(() => !started.Any(Lateen.Lives)),
            $"still there: {string.Join(", ", started.Where(Lateen.Lives))}");
    }
}
