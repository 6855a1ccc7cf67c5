using System.Collections.Frozen;
using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.Nds.V1;
using Istio.Networking.V1Alpha3;
using Kubernetes.Core.V1;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Names;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Lateen.Registry.Entries;
using Lateen.Registry.Kubernetes;
using Node = Envoy.Config.Core.V3.Node;
using Service = Lateen.Registry.Service;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Services, workloads, nodes.</summary>
internal sealed class RegistryRunner : TableRunner
{
    public RegistryRunner() : base("service-registry")
    {
        Table("canonical-service", CanonicalNames);
        Table("cronjob-meta",
            (row, _) => WorkloadMeta("job-pod", "job-pod", FrozenDictionary<string, string>.Empty, "Job", row.Text("jobName"), "v1", row));
        Table("deploy-meta", DeployMeta);
        Table("node-selector", NodeSelection);
        Table("topology-labels", Topology);
        Table("istio-version", IstioVersion);
        Table("service-node", ServiceNode);
        Table("node-metadata", NodeMetadata);
        Table("service-address",
            (row, _) =>
                Rows.Same(ServiceAddresses.Primary(Rows.Service(row.GetProperty("service")),
                    Proxy(row.GetProperty("proxy"), row.GetProperty("proxy").Text("ipMode"))), row.Text("expectedAddress")));
        Table("service-addresses", AllAddresses);
        Table("dns-name-table", NameTable);
        Table("dns-alternate-hosts", Rules.AgentTables.AlternateHosts);
        Table("app-label", Rules.AgentTables.App);
        Table("ambient-services", Ambient.AmbientTables.Service);
        Table("ambient-serviceentry-services", Ambient.AmbientTables.EntryServices);
        Table("ambient-pod-workloads", Ambient.AmbientTables.Pod);
        Table("ambient-workloadentry-workloads", Ambient.AmbientTables.Entry);
        Table("ambient-serviceentry-workloads", Ambient.AmbientTables.ServiceEntry);
        Table("ambient-endpointslice-workloads", Ambient.AmbientTables.Slice);
        Table("ambient-authz-status", Ambient.AmbientTables.PolicyStatus);
        Table("ambient-service-scope", Ambient.AmbientTables.Scope);
        Table("ingress-use-waypoint", Ambient.AmbientTables.Ingress);
        Table("waypoint-canary", Ambient.AmbientTables.Canary);
        Table("waypoint-canary-weight", Ambient.AmbientTables.CanaryWeight);
        Table("waypoint-allowed-routes", Ambient.AmbientTables.Allowed);
        Table("workloadentry-instance", EntryWorkload);
        Table("serviceentry-instances", EntryInstances);
        Table("has-proxy-ip", HasProxyIp);
        Table("target-port-native-sidecar", TargetPort);
    }

    private static string? CanonicalNames(JsonElement row, JsonElement context) =>
        Rows.Same(CanonicalService.Of(row.Labels("labels"), row.Text("workloadName")),
            (row.Text("expectedName"), row.Text("expectedRevision")));

    private static string? DeployMeta(JsonElement row, JsonElement context)
    {
        var meta = row.GetProperty("pod").GetProperty("metadata");
        var owner = meta.Items("ownerReferences").First(item => item.Flag("controller"));
        return WorkloadMeta(meta.Text("name"), meta.Text("generateName"), meta.Labels("labels"), owner.Text("kind"), owner.Text("name"),
            owner.Text("apiVersion"), row);
    }

    private static string? WorkloadMeta(
        string pod, string generated, IReadOnlyDictionary<string, string> labels, string kind, string owner, string version,
        JsonElement row)
    {
        var type = row.GetProperty("wantTypeMetadata");
        return Rows.Same(
            WorkloadNames.Of(pod, generated, labels, kind, owner, version),
            (row.GetProperty("wantName").Text("name"), type.Text("kind"), type.Text("apiVersion")));
    }

    private static string? NodeSelection(JsonElement row, JsonElement context)
    {
        var made = NodeSelector.Of(row.GetProperty("svc").Labels("annotations"));
        if (row.Field("expectedLabelSelector") is null) return made is null ? null : "a selector out of nothing";
        return Sorted(made ?? FrozenDictionary<string, string>.Empty, row.Labels("expectedLabelSelector"));
    }

    private static string? Topology(JsonElement row, JsonElement context)
    {
        var place = row.GetProperty("ctl");
        return Sorted(TopologyLabels.Add(row.Labels("podLabels"), "", Locality.Parse(place.Text("locality")), "", place.Text("network")),
            row.Labels("expected"));
    }

    private static string? IstioVersion(JsonElement row, JsonElement context) =>
        Version(NodeParser.VersionOf(row.GetProperty("args").Text("ver")), row.GetProperty("want"));

    private static string? Version((int, int, int) made, JsonElement wanted) =>
        Rows.Same(made, (wanted.Number("major"), wanted.Number("minor"), wanted.Number("patch")));

    // The other way round: what the id is said to be made of is what is read out of it.
    private static string? ServiceNode(JsonElement row, JsonElement context)
    {
        var node = NodeParser.Parse(new Node { Id = row.Text("out") }).Node!;
        if (row.GetProperty("in").ValueKind == JsonValueKind.String)
            return Rows.Same((node.WorkloadId, node.Addresses[0]), ("v0.default", "10.1.1.0"));
        var given = row.GetProperty("in");
        return Rows.Same((node.Type.ToString().ToLowerInvariant(), node.Addresses[0], node.WorkloadId, node.DnsDomain),
            (given.Text("type"), given.Texts("ipAddresses")[0], given.Text("id"), given.Text("dnsDomain")));
    }

    private static string? NodeMetadata(JsonElement row, JsonElement context)
    {
        var wanted = row.GetProperty("out");
        var node = NodeParser.Parse(new Node
        {
            Id = $"{wanted.Text("type")}~{wanted.Texts("ipAddresses")[0]}~{wanted.Text("id")}~{wanted.Text("dnsDomain")}",
            Metadata = row.Message<Struct>("metadata"),
        }).Node!;
        var metadata = wanted.GetProperty("metadata");
        return Rows.Same(node.Metadata.Raw, metadata.Message<Struct>("raw"))
            ?? Sorted(node.Labels, metadata.Labels("labels"))
            ?? Rows.SameList(node.Metadata.PodPorts.Select(Rules.AgentTables.Text),
                metadata.Items("podPorts").Select(item => Rules.AgentTables.Text(item.Deserialize<PodPort>()!)))
            ?? Version(node.Version, wanted.GetProperty("istioVersion"));
    }

    private static string? AllAddresses(JsonElement row, JsonElement context)
    {
        var service = Rows.Service(row.GetProperty("service"));
        var addresses = ServiceAddresses.Each(service, new ProxyNode
        {
            Id = "row",
            Type = ProxyType.Sidecar,
            Addresses = AddressesOf(row.Text("ipMode")),
            Metadata = new NodeMetadata { ClusterId = "id", DnsCapture = row.Flag("autoAllocationEnabled") },
        }, new Lateen.Pilot.Meaning.Features(
            new Dictionary<string, string> { ["ISTIO_DUAL_STACK"] = row.Flag("dualStackEnabled") ? "true" : "false" }));
        return Rows.SameList(addresses, row.Texts("expectedAddresses"))
            ?? Rows.SameList(addresses.Skip(1), row.Texts("expectedExtraAddresses"));
    }

    private static ProxyNode Proxy(JsonElement row, string mode)
    {
        var metadata = row.GetProperty("metadata");
        return new ProxyNode
        {
            Id = "row",
            Type = ProxyType.Sidecar,
            Addresses = AddressesOf(mode),
            Metadata = new NodeMetadata { ClusterId = metadata.Text("clusterID"), DnsCapture = metadata.Flag("dnsCapture") },
        };
    }

    private static System.Collections.Immutable.ImmutableArray<string> AddressesOf(string mode) => mode switch
    {
        "IPv4" => ["192.0.2.1"],
        "IPv6" => ["2001:db8::1"],
        _ => ["192.0.2.1", "2001:db8::1"],
    };

    private static string? NameTable(JsonElement row, JsonElement context)
    {
        var node = Rows.Node(row.GetProperty("proxy"));
        var push = row.GetProperty("push");
        var endpoints = push.Items("endpoints").ToLookup(item => item.Text("service"), item => Rows.Endpoint(item));
        var made = NameTables.Build(
            push.Items("services").Select(Rows.Service),
            // The recorded proxies have not found out about their families, so that all addresses count.
            service => ServiceAddresses.Each(service, node,
                new Lateen.Pilot.Meaning.Features(new Dictionary<string, string> { ["ISTIO_DUAL_STACK"] = "true" })),
            service => [.. endpoints[service.Hostname]],
            new NameClient(node.ClusterId, node.Metadata.Network, row.Flag("enableMultiClusterHeadless")));
        return Rows.Same(made, row.Message<NameTable>("expectedNameTable"));
    }

    private static string? EntryWorkload(JsonElement row, JsonElement context)
    {
        var entry = row.GetProperty("wle");
        var meta = entry.GetProperty("metadata");
        var wanted = row.GetProperty("out");
        var options = new RegistryOptions();
        // One row takes the network from the controller.
        var label = wanted.GetProperty("endpoint").Labels("labels").GetValueOrDefault("topology.istio.io/network", "");
        var networks = new Networks(null, label.StartsWith("cb-", StringComparison.Ordinal) ? new() { ["fakeCluster"] = label } : []);
        var workload = new EntryEndpoints("fakeCluster", networks, options).WorkloadOf(meta.Text("name"), meta.Text("namespace"), default,
            entry.Message<WorkloadEntry>("spec")!, meta.Labels("labels"));
        var made = WorkloadEndpoints.Of(workload, "http", 80, workload.Health, options);
        var endpoint = Rows.Endpoint(wanted.GetProperty("endpoint"));
        return Sorted(made.Labels, endpoint.Labels)
            ?? Rows.SameList(made.Addresses, endpoint.Addresses)
            ?? Rows.Same((made.Identity, made.AcceptsMtls, made.Namespace, made.ClusterId, made.Locality.ToString()),
                (endpoint.Identity, endpoint.AcceptsMtls, endpoint.Namespace, endpoint.ClusterId, endpoint.Locality.ToString()))
            ?? Rows.SameList(workload.Ports.Select(port => $"{port.Key}={port.Value}"),
                wanted.Labels("portMap").Select(port => $"{port.Key}={port.Value}"));
    }

    private static string? EntryInstances(JsonElement row, JsonElement context)
    {
        var view = new RegistryCompiler(new RegistryOptions()).Compile(
            [ClusterResources.Of("Kubernetes", [Rows.Resource(Kinds.ServiceEntry, row.GetProperty("externalSvc"))])]);
        return Rows.Same(view.Endpoints.Values.Sum(of => of.All.Length), row.Items("out").Count());
    }

    private static string? HasProxyIp(JsonElement row, JsonElement context)
    {
        var service = new Service
        {
            Hostname = "row",
            Namespace = "default",
            Name = "row",
            Source = ServiceSource.Kubernetes,
            Resolution = ServiceResolution.ClientSide,
            Ports = [new ServicePort("http", 80, Protocol.Http)],
        };
        var endpoint = new Endpoint
        {
            Addresses = [.. row.Items("addresses").Select(item => item.Text("ip"))],
            PortName = "http",
            Port = 80,
            ClusterId = "Kubernetes",
        };
        var registry = Rows.Registry([service],
            new Dictionary<ServiceKey, ServiceEndpoints> { [service.Key] = new(service.Key, [endpoint], []) });
        var node = new ProxyNode
        {
            Id = "row",
            Type = ProxyType.Sidecar,
            Addresses = [row.Text("proxyIP")],
            Namespace = "default",
            Metadata = new NodeMetadata { ClusterId = "Kubernetes" },
        };
        return Rows.Same(!new ScopeBuilder(Rows.Snapshot(registry, Rows.Settings())).ScopeOf(node).Targets.IsEmpty, row.Flag("expected"));
    }

    // The pod is the one of the upstream test: a container, and an init container that does not keep running.
    private static string? TargetPort(JsonElement row, JsonElement context)
    {
        var pod = new Pod
        {
            Spec = new PodSpec
            {
                Containers = { new Container { Name = "app", Ports = { new ContainerPort { Name = "http", ContainerPort_ = 80 } } } },
                InitContainers = { new Container
                {
                    Name = "init",
                    Ports = { new ContainerPort { Name = "init-port", ContainerPort_ = 8080 } },
                } },
            },
            Status = new PodStatus { PodIp = "192.0.2.1" },
        };
        var workload = PodWorkloads.Of(Kinds.Pod.Create("default", "row", pod), "Kubernetes", default, new Networks(null, []))!;
        var port = new ServicePort("row", 80, Protocol.Http) { WorkloadPort = row.GetProperty("svcPort").Text("targetPort") };
        return Rows.Same(WorkloadEndpoints.PortOf(workload, port), row.Number("wantPort"));
    }

    private static string? Sorted(IReadOnlyDictionary<string, string> actual, IReadOnlyDictionary<string, string> wanted) => Rows.SameList(
        actual.Select(pair => $"{pair.Key}={pair.Value}").Order(StringComparer.Ordinal),
        wanted.Select(pair => $"{pair.Key}={pair.Value}").Order(StringComparer.Ordinal));
}
