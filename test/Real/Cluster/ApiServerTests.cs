using System.Text.Json.Nodes;
using Google.Protobuf;
using Lateen.Test.Rigs;
using Xunit;

namespace Lateen.Test.Real.Cluster;

/// <summary>A control plane that follows a real API server.</summary>
public sealed class ApiServerTests(ApiServer server) : IClassFixture<ApiServer>
{
    private const string Reviews = "outbound|9080||reviews.default.svc.cluster.local";
    private static readonly string[] Exported = ["/api/v1/namespaces", "/api/v1/nodes", "/api/v1/services", "/api/v1/pods",
        "/apis/discovery.k8s.io/v1beta1/endpointslices", "/apis/networking.istio.io/v1/virtualservices",
        "/apis/networking.istio.io/v1/gateways", "/apis/networking.istio.io/v1/destinationrules"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private Task<ControlPlaneProcess> PlaneAsync(string name = "one", params string[] more) =>
        ControlPlaneProcess.StartAsync(name, ["--kubeconfig", server.KubeConfig, .. more]);

    [Fact]
    public async Task A_cluster_with_bookinfo_in_it_is_told_as_the_same_objects_in_a_folder_are()
    {
        Assert.SkipWhen(server.Obstacle is not null, server.Obstacle ?? "");
        // The server is shared: what another test has left is not exported.
        Assert.True(await Stands.Lateen.UntilAsync(DeleteEntriesAsync, 120), "they do not go");
        await BookinfoAsync();
        await using ControlPlaneProcess cluster = await PlaneAsync();
        string folder = await ExportAsync();
        await using ControlPlaneProcess files = await ControlPlaneProcess.StartAsync("files", "--config-dir", folder);
        SortedDictionary<string, ByteString> told = await Discovered.AllAsync(cluster.Grpc, "default"),
            expected = await Discovered.AllAsync(files.Grpc, "default");
        Assert.Equal(3, told.Endpoints(Reviews).Split(' ').Length);
        Assert.Equal(expected.Keys, told.Keys);
        Assert.All(expected, pair => Assert.True(told[pair.Key].Equals(pair.Value), pair.Key));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Away_and_back_with_a_gap()
    {
        Assert.SkipWhen(server.Obstacle is not null, server.Obstacle ?? "");
        await using ControlPlaneProcess plane = await PlaneAsync();
        await server.CreateAsync(Entry("before.example.com", "before"));
        await UntilToldAsync(plane, "outbound|80||before.example.com");
        await server.StopAsync();
        await plane.UntilSaidAsync("does not answer");
        Assert.Contains("Cluster outbound|80||before.example.com", (await Discovered.AllAsync(plane.Grpc, "default")).Keys);
        await server.StartAsync();
        await server.AskAsync(HttpMethod.Delete, "/apis/networking.istio.io/v1/namespaces/default/serviceentries/before");
        await server.CreateAsync(Entry("after.example.com", "after"));
        await UntilToldAsync(plane, "outbound|80||after.example.com");
        Assert.DoesNotContain("Cluster outbound|80||before.example.com", (await Discovered.AllAsync(plane.Grpc, "default")).Keys);
        await plane.UntilSaidAsync("answers again");
    }

    [Fact]
    public async Task A_killed_control_plane_tells_the_same_when_it_is_back()
    {
        Assert.SkipWhen(server.Obstacle is not null, server.Obstacle ?? "");
        await server.CreateAsync(Entry("kept.example.com", "kept"));
        ControlPlaneProcess first = await PlaneAsync();
        SortedDictionary<string, ByteString> before = await Discovered.AllAsync(first.Grpc, "default");
        await first.KillAsync();
        await first.DisposeAsync();
        await using ControlPlaneProcess second = await PlaneAsync();
        SortedDictionary<string, ByteString> after = await Discovered.AllAsync(second.Grpc, "default");
        Assert.Equal(before.Keys, after.Keys);
        Assert.All(before, pair => Assert.True(after[pair.Key].Equals(pair.Value), pair.Key));
    }

    [Fact]
    public async Task Two_replicas_one_writes_status_and_the_other_goes_on_when_it_is_killed()
    {
        Assert.SkipWhen(server.Obstacle is not null, server.Obstacle ?? "");
        ControlPlaneProcess first = await PlaneAsync("first");
        await first.UntilSaidAsync("first leads", 60);
        await using ControlPlaneProcess second = await PlaneAsync("second");
        await server.CreateAsync("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: wrong}\nspec: {hosts: [a]}\n");
        await UntilStatusAsync("wrong", status => status?["validationMessages"] is JsonArray { Count: > 0 });
        await first.KillAsync();
        await first.DisposeAsync();
        await second.UntilSaidAsync("second leads", 60);
        await server.AskAsync(HttpMethod.Patch, "/apis/networking.istio.io/v1/namespaces/default/virtualservices/wrong",
            """{"spec": {"http": [{"route": [{"destination": {"host": "a"}}]}]}}""", "application/merge-patch+json");
        await UntilStatusAsync("wrong", status => status?["validationMessages"] is JsonArray { Count: 0 });
        await server.AskAsync(HttpMethod.Delete, "/apis/networking.istio.io/v1/namespaces/default/virtualservices/wrong");
    }

    [Fact]
    public async Task Two_revisions_beside_each_other()
    {
        Assert.SkipWhen(server.Obstacle is not null, server.Obstacle ?? "");
        await TagAsync("stable");
        foreach ((string name, string? revision) in new[] { ("rev-all", null), ("rev-stable", "stable"), ("rev-canary", "canary"),
            ("rev-prod", "prod") })
            await server.CreateAsync(Entry(name + ".example.com", name, revision));
        await using ControlPlaneProcess stable = await PlaneAsync("stable-0", "--revision", "stable"),
            canary = await PlaneAsync("canary-0", "--revision", "canary");
        Assert.Equal(("all prod stable", "all canary"), (await RevisionEntriesAsync(stable), await RevisionEntriesAsync(canary)));
        // Each revision has a leader of its own.
        await stable.UntilSaidAsync("stable-0 leads istio-gateway-status-leader-stable", 60);
        await canary.UntilSaidAsync("canary-0 leads istio-gateway-status-leader-canary", 60);
        await TagAsync("canary");
        Assert.True(
            await Stands.Lateen.UntilAsync(
                async () => (await RevisionEntriesAsync(stable), await RevisionEntriesAsync(canary)) == ("all stable", "all canary prod"),
                40), stable.Said);
        foreach (string name in new[] { "rev-all", "rev-stable", "rev-canary", "rev-prod" })
            await server.AskAsync(HttpMethod.Delete, "/apis/networking.istio.io/v1/namespaces/default/serviceentries/" + name);
        await server.AskAsync(HttpMethod.Delete, TagPath + "/istio-revision-tag-prod");
    }

    private const string TagPath = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

    // A tag is a webhook with two labels; one without rules is asked nothing.
    private Task TagAsync(string revision)
    {
        string labels = $$$"""
            {"metadata": {"name": "istio-revision-tag-prod", "labels": {"istio.io/rev": "{{{revision}}}", "istio.io/tag": "prod"} } }
            """;
        return revision == "stable"
            ? server.AskAsync(HttpMethod.Post, TagPath, labels)
            : server.AskAsync(HttpMethod.Patch, TagPath + "/istio-revision-tag-prod", labels, "application/merge-patch+json");
    }

    private static async Task<string> RevisionEntriesAsync(ControlPlaneProcess plane) => string.Join(' ',
        (await Discovered.AllAsync(plane.Grpc, "default")).Keys
            .Where(name => name.StartsWith("Cluster outbound|80||rev-", StringComparison.Ordinal))
            .Select(name => name["Cluster outbound|80||rev-".Length..^".example.com".Length]).Order(StringComparer.Ordinal));

    [Fact]
    public async Task The_webhook_is_registered_and_refuses_through_the_server()
    {
        Assert.SkipWhen(server.Obstacle is not null, server.Obstacle ?? "");
        await using ControlPlaneProcess plane = await PlaneAsync();
        string port = plane.Https[(plane.Https.LastIndexOf(':') + 1)..];
        await server.CreateAsync(
            "apiVersion: v1\nkind: Service\nmetadata: {name: istiod, namespace: istio-system}\nspec: {type: ExternalName, externalName: "
            + "localhost}\n");
        await server.CreateAsync($$"""
            apiVersion: admissionregistration.k8s.io/v1
            kind: ValidatingWebhookConfiguration
            metadata: {name: istio-validator, labels: {istio.io/rev: default} }
            webhooks:
            - name: rev.validation.istio.io
              clientConfig: {service: {name: istiod, namespace: istio-system, path: /validate, port: {{port}} } }
              rules: [{operations: [CREATE, UPDATE], apiGroups: [networking.istio.io, security.istio.io], apiVersions: ["*"], resources: ["*"]}]
              failurePolicy: Ignore
              sideEffects: None
              admissionReviewVersions: [v1]
            """);
        await plane.UntilSaidAsync("refuses what it cannot ask about", 90);
        HttpRequestException refused =
            await Assert.ThrowsAsync<HttpRequestException>(
                () => server.CreateAsync(
                    "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: refused}\nspec: {hosts: [a]}\n"));
        Assert.Contains("configuration is invalid: ", refused.Message, StringComparison.Ordinal);
        Assert.Contains("http, tcp or tls must be provided", refused.Message, StringComparison.Ordinal);
        await server.CreateAsync(Entry("good.example.com", "good"));
        Assert.Equal("Fail",
            (string?)(await server.GetAsync(
                "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/istio-validator"))["webhooks"]![0]!["failurePolicy"]);
        await server.AskAsync(HttpMethod.Delete, "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/istio-validator");
    }

    [Fact]
    public async Task Five_thousand_objects_at_once()
    {
        Assert.SkipWhen(server.Obstacle is not null, server.Obstacle ?? "");
        await using ControlPlaneProcess plane = await PlaneAsync();
        await Parallel.ForAsync(0, 5000, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = Cancel },
            async (i, _) => await server.CreateAsync(Entry($"many-{i}.example.com", $"many-{i}"), "default"));
        Assert.True(
            await Stands.Lateen.UntilAsync(
                async () => (await Discovered.AllAsync(plane.Grpc, "default")).Keys.Count(
                    name => name.StartsWith("Cluster outbound|80||many-", StringComparison.Ordinal)) == 5000, 30), plane.Said);
        // So many at once take longer than the server's patience with one request.
        Assert.True(await Stands.Lateen.UntilAsync(DeleteEntriesAsync, 120), "they do not go");
        Assert.True(
            await Stands.Lateen.UntilAsync(
                async () => !(await Discovered.AllAsync(plane.Grpc, "default")).Keys.Any(
                    name => name.Contains("many-", StringComparison.Ordinal)), 60), plane.Said);
    }

    private async Task<bool> DeleteEntriesAsync()
    {
        try
        {
            await server.AskAsync(HttpMethod.Delete, "/apis/networking.istio.io/v1/namespaces/default/serviceentries");
        }
        catch (HttpRequestException late) when (late.StatusCode == System.Net.HttpStatusCode.GatewayTimeout)
        {
            return false;
        }
        return true;
    }

    private static string Entry(string host, string name, string? revision = null) => $$"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: {{name}}{{(revision is null ? "" : $", labels: {{istio.io/rev: {revision}}}")}} }
        spec: {hosts: [{{host}}], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}

        """;

    private static async Task UntilToldAsync(ControlPlaneProcess plane, string cluster) =>
        Assert.True(
            await Stands.Lateen.UntilAsync(async () => (await Discovered.AllAsync(plane.Grpc, "default")).ContainsKey("Cluster " + cluster),
                40), $"{cluster} is not told\n{plane.Said}");

    private async Task UntilStatusAsync(string name, Func<JsonNode?, bool> condition) =>
        Assert.True(
            await Stands.Lateen.UntilAsync(
                async () =>
                    condition((await server.GetAsync("/apis/networking.istio.io/v1/namespaces/default/virtualservices/" + name))["status"]),
                    60),
                    $"the status of {name} "
                    + $"is {(await server.GetAsync("/apis/networking.istio.io/v1/namespaces/default/virtualservices/" + name))["status"]}");

    // Deployments make pods, a test gives them addresses, and the cluster's own controllers make the slices.
    private async Task BookinfoAsync()
    {
        await server.CreateAsync(
            await File.ReadAllTextAsync(Path.Combine(Repository.Root, "samples", "bookinfo", "bookinfo.yaml"), Cancel));
        await server.CreateAsync(await File.ReadAllTextAsync(Path.Combine(Repository.Root, "samples", "bookinfo", "gateway.yaml"), Cancel));
        await server.CreateAsync("""
            apiVersion: v1
            kind: Node
            metadata: {name: n1, labels: {topology.kubernetes.io/region: r1, topology.kubernetes.io/zone: z1}}
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: reviews}
            spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
            """);
        JsonArray pods = [];
        Assert.True(
            await Stands.Lateen.UntilAsync(
                async () => (pods = (await server.GetAsync("/api/v1/namespaces/default/pods"))["items"]!.AsArray()).Count >= 6, 60),
                $"{pods.Count} pods");
        foreach ((int i, JsonNode? pod) in pods.Index())
        {
            string path = $"/api/v1/namespaces/default/pods/{(string)pod!["metadata"]!["name"]!}";
            await server.AskAsync(HttpMethod.Post, path + "/binding",
                $$$"""{"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "{{{(string)pod["metadata"]!["name"]!}}}"}, "target": {"apiVersion": "v1", "kind": "Node", "name": "n1"} }""");
            string status =
                $$$"""{"status": {"phase": "Running", "podIP": "10.1.0.{{{i + 1}}}", "podIPs": [{"ip": "10.1.0.{{{i + 1}}}"}], "conditions": [{"type": "Ready", "status": "True"}] } }""";
            await server.AskAsync(HttpMethod.Patch, path + "/status", status, "application/strategic-merge-patch+json");
        }
        Assert.True(
            await Stands.Lateen.UntilAsync(
                async () => (await server.GetAsync("/apis/discovery.k8s.io/v1beta1/namespaces/default/endpointslices"))["items"]!.AsArray()
                    .Sum(slice => (slice!["endpoints"] as JsonArray)?.Count ?? 0) >= 6, 60), "the slices are not there");
    }

    // The objects as the server gives them, one file a kind; items of a list say neither kind nor version.
    private async Task<string> ExportAsync()
    {
        string folder = Directory.CreateTempSubdirectory("lateen-export-").FullName;
        foreach (string path in Exported)
        {
            JsonObject list = await server.GetAsync(path);
            foreach (JsonObject item in list["items"]!.AsArray().OfType<JsonObject>())
            {
                item["apiVersion"] = (string)list["apiVersion"]!;
                item["kind"] = ((string)list["kind"]!)[..^"List".Length];
                item["metadata"]!.AsObject().Remove("managedFields");
            }
            await File.WriteAllTextAsync(Path.Combine(folder, path[(path.LastIndexOf('/') + 1)..] + ".json"), list.ToJsonString(), Cancel);
        }
        return folder;
    }
}
