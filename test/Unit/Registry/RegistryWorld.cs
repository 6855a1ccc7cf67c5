using System.Globalization;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Registry;
using Xunit;

namespace Lateen.Test.Unit.Registry;

/// <summary>Two clusters in which anything may be written, changed and deleted: few names and addresses, so that everything meets.</summary>
internal sealed class RegistryWorld(int seed)
{
    private static readonly string[] Clusters = ["east", "west"], Namespaces = ["a", "b"], Apps = ["red", "green", "blue"];
    private static readonly string[] Kinds = ["Service", "Service", "Pod", "Pod", "Pod", "EndpointSlice", "EndpointSlice", "EndpointSlice",
        "ServiceEntry", "ServiceEntry", "ServiceEntry", "WorkloadEntry", "WorkloadEntry", "Namespace", "Node"];

    private static readonly string[] Hosts = ["outside.example", "two.example", "\"*.wild.example\"", "s1.a.svc.cluster.local",
        "s2.b.svc.cluster.local"];

    private readonly Random _random = new(seed);
    private readonly Dictionary<string, Dictionary<ResourceKey, Resource>> _written = Clusters.ToDictionary(name => name,
        _ => new Dictionary<ResourceKey, Resource>());

    private readonly Dictionary<string, ClusterResources> _lists = Clusters.ToDictionary(name => name,
        name => new ClusterResources { ClusterId = name });

    /// <summary>What there is now. Lists of kinds that did not change are the same objects.</summary>
    public IReadOnlyList<ClusterResources> Resources => [.. Clusters.Select(name => _lists[name])];

    /// <summary>One to three objects are written or deleted.</summary>
    public void Step()
    {
        for (var left = _random.Next(1, 4); left > 0; left--)
        {
            var cluster = Pick(Clusters);
            var (written, kind) = (_written[cluster], Pick(Kinds));
            if (_random.Next(3) == 0 && written.Count > 0) written.Remove(written.Keys.ElementAt(_random.Next(written.Count)));
            else
            {
                var found = new DiagnosticBag();
                foreach (var resource in new ResourceDecoder().Decode(Object(kind), "world.yaml", found)) written[resource.Key] = resource;
                Assert.Empty(found);
            }
            _lists[cluster] = Kept(_lists[cluster], ClusterResources.Of(cluster, [.. written.Values]));
        }
    }

    private static ClusterResources Kept(ClusterResources before, ClusterResources now)
    {
        static IReadOnlyList<T> Same<T>(IReadOnlyList<T> before, IReadOnlyList<T> now) where T : class =>
            before.SequenceEqual(now, ReferenceEqualityComparer.Instance) ? before : now;
        return now with
        {
            Services = Same(before.Services, now.Services),
            EndpointSlices = Same(before.EndpointSlices, now.EndpointSlices),
            Pods = Same(before.Pods, now.Pods),
            Nodes = Same(before.Nodes, now.Nodes),
            Namespaces = Same(before.Namespaces, now.Namespaces),
            ServiceEntries = Same(before.ServiceEntries, now.ServiceEntries),
            WorkloadEntries = Same(before.WorkloadEntries, now.WorkloadEntries),
        };
    }

    private string Object(string kind) => kind switch
    {
        "Service" => Head("v1", kind, Some("s", 4), Pick(Namespaces), Rarely(12, "topology.istio.io/network: far")) + Service(),
        "Pod" => Head("v1", kind, Some("p", 6), Pick(Namespaces), $"app: {Pick(Apps)}") + $$"""
            spec: { nodeName: {{Some("n", 2)}}, serviceAccountName: {{Pick(Apps)}}, hostNetwork: {{(_random.Next(4) == 0 ? "true" : "false")}} }
            status: { podIP: {{Address()}}, phase: {{(_random.Next(6) == 0 ? "Succeeded" : "Running")}} }
            """,
        "EndpointSlice" => Slice(),
        "ServiceEntry" => Entry(),
        "WorkloadEntry" => Head("networking.istio.io/v1", kind, Some("w", 4), Pick(Namespaces), $"app: {Pick(Apps)}") + $$"""
            spec:
              address: {{Address()}}
              labels: { app: {{Pick(Apps)}} }
              ports: { {{Rarely(3, "http: 8181")}} }
              serviceAccount: {{Pick(Apps)}}
            status: { conditions: [{ type: Healthy, status: "{{Pick(["True", "False"])}}" }] }
            """,
        "Namespace" => Head("v1", kind, Pick(["a", "b", "istio-system"]), "", Rarely(2, "topology.istio.io/network: near"))
            .Replace("namespace: \"\"", "annotations: { " + Rarely(2, "networking.istio.io/traffic-distribution: PreferClose") + " }",
                StringComparison.Ordinal),
        _ => Head("v1", kind, Some("n", 2), "", $"topology.kubernetes.io/region: {Pick(Apps)}")
            .Replace("  namespace: \"\"\n", "", StringComparison.Ordinal),
    };

    private string Service() => _random.Next(8) == 0
        ? $"spec: {{ type: ExternalName, externalName: {Some("s", 4)}.{Pick(Namespaces)}.svc.cluster.local, ports: [{{ port: 80, name: http }}] }}"
        : $$"""
            spec:
              clusterIP: {{Pick(["None", "10.9.0.1", "10.9.0.2"])}}
              selector: { app: {{Pick(Apps)}} }
              publishNotReadyAddresses: {{(_random.Next(4) == 0 ? "true" : "false")}}
              ports: [{ port: {{Pick(["80", "81"])}}, name: http }{{Rarely(3, ", { port: 90, name: tcp }")}}]
            """;

    // Mostly only who serves it is another, as in a mesh's life.
    private string Entry()
    {
        var (stays, name) = (_random.Next(3) > 0, Some("e", 4));
        string Else(int one, string text) => stays ? "" : Rarely(one, text);
        var head = Head("networking.istio.io/v1", "ServiceEntry", name, Pick(Namespaces), Else(4, "istio.io/persistent-session: a"),
            stays ? 1 : 0);
        var annotations = $"annotations: {{ note: {Some("n", 9)}, {Else(3, "ambient.istio.io/connect-strategy: FIRST_HEALTHY_RACE")} }}";
        var selector = $"workloadSelector: {{ labels: {{ app: {(stays ? "red" : Pick(Apps))} }} }}";
        return head.Replace("  labels:", $"  {annotations}\n  labels:", StringComparison.Ordinal) + $$"""
            spec:
              hosts: [{{(stays ? Hosts[name[1] - '0'] : Pick(Hosts))}}{{Else(3, ", " + Pick(Hosts))}}]
              addresses: [{{Else(3, "10.8.0.1/32")}}]
              exportTo: [{{Else(3, ".")}}]
              location: {{(stays ? "MESH_INTERNAL" : Pick(["MESH_INTERNAL", "MESH_EXTERNAL"]))}}
              ports: [{ number: 80, name: http, protocol: HTTP }{{Else(3, ", { number: 90, name: tcp, protocol: TCP, targetPort: 9090 }")}}]
              resolution: {{(stays ? "STATIC" : Pick(["STATIC", "STATIC", "DNS", "NONE"]))}}
              {{(name is "e0" or "e1" ? selector : $"endpoints: [{Written()}{Rarely(2, ", " + Written())}]")}}
            status: { addresses: [{{Else(4, "{ value: 240.240.0.9, host: two.example }")}}] }
            """;
    }

    private string Written() => $"{{ address: {Address()}, weight: {_random.Next(1, 3)}, locality: r/z{_random.Next(2)}, "
        + $"labels: {{ app: {Pick(Apps)} }}" + Rarely(3, $", serviceAccount: {Pick(Apps)}") + Rarely(3, ", ports: { http: 8282 }")
        + Rarely(4, ", network: far") + " }";

    private string Slice()
    {
        var ns = Pick(Namespaces);
        var pod = $"targetRef: {{ kind: Pod, name: {Some("p", 6)}, namespace: {ns} }}, ";
        return Head("discovery.k8s.io/v1", "EndpointSlice", Some("l", 5), ns, $"kubernetes.io/service-name: {Some("s", 4)}") + $$"""
            addressType: IPv4
            ports: [{ name: http, port: 8080 }{{Rarely(3, ", { name: tcp, port: 9090 }")}}]
            endpoints:
            - { addresses: [{{Address()}}], {{Rarely(2, pod)}}conditions: { ready: {{(_random.Next(4) == 0 ? "false" : "true")}} } }
            - { addresses: [{{Address()}}{{Rarely(3, ", " + Address())}}], conditions: { ready: true } }
            """;
    }

    private string Head(string version, string kind, string name, string ns, string label, int day = 0) => $$"""
        apiVersion: {{version}}
        kind: {{kind}}
        metadata:
          name: {{name}}
          namespace: "{{ns}}"
          creationTimestamp: "2026-01-0{{(day > 0 ? day : _random.Next(1, 4))}}T00:00:00Z"
          labels: { {{label}} }

        """;

    private string Some(string letter, int count) => letter + _random.Next(count).ToString(CultureInfo.InvariantCulture);

    private string Address() => "10.1.0." + _random.Next(1, 9).ToString(CultureInfo.InvariantCulture);

    private string Rarely(int one, string text) => _random.Next(one) == 0 ? text : "";

    private string Pick(string[] among) => among[_random.Next(among.Length)];
}
