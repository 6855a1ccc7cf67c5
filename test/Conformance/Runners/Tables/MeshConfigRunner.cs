using System.Text.Json;
using Istio.Mesh.V1Alpha1;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Registry;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Settings of the mesh and of proxies, laid one over the other.</summary>
internal sealed class MeshConfigRunner : TableRunner
{
    // What the upstream test starts from.
    private const string Base = """
        defaultProviders:
          metrics: [stackdriver]
        extensionProviders:
        - name: stackdriver
          stackdriver:
            maxNumberOfAttributes: 3
        trustDomainAliases: ["default", "both"]
        """;

    public MeshConfigRunner() : base("mesh-config")
    {
        Table("deep-merge", DeepMerge);
        Table("locality-zone-aware", LocalityZoneAware);
        Table("proxyconfig-merge", ProxyConfigMerge);
        Table("service-cluster", Rules.AgentTables.ServiceClusterName);
        Table("downward-api", Rules.AgentTables.Downward);
        Table("interface-names", Rules.AgentTables.Interfaces);
        Table("owner-groups-valid", (row, _) => Rules.AgentTables.Groups(row, true));
        Table("owner-groups-invalid", (row, _) => Rules.AgentTables.Groups(row, false));
        Table("loopback-cidr-invalid", (row, _) => Rules.AgentTables.Loopback(row, false));
        Table("loopback-cidr-valid", (row, _) => Rules.AgentTables.Loopback(row, true));
        Table("string-bool", Rules.AgentTables.Flag);
        Table("pod-port-list", Rules.AgentTables.Ports);
        Table("locality-label", (row, _) => Rows.Same(TopologyLabels.Sanitize(row.Text("label")), row.Text("expected")));
    }

    private static string? DeepMerge(JsonElement row, JsonElement context)
    {
        var below = MeshConfigs.Overlay(new MeshConfig(), Base, "base", []);
        var made = MeshConfigs.Overlay(below, row.Text("in"), "in", []);
        var wanted = MeshConfigs.Overlay(new MeshConfig(), row.Text("out"), "out", []);
        // Aliases are a set.
        return Rows.SameList(made.TrustDomainAliases.Order(StringComparer.Ordinal), wanted.TrustDomainAliases.Order(StringComparer.Ordinal))
            ?? Rows.Same(WithoutAliases(made), WithoutAliases(wanted));
    }

    private static MeshConfig WithoutAliases(MeshConfig config)
    {
        config.TrustDomainAliases.Clear();
        return config;
    }

    private static string? LocalityZoneAware(JsonElement row, JsonElement context)
    {
        var made = MeshConfigs.Load(row.Text("yaml"), "row", []);
        return Rows.Same(made.LocalityLbSetting is not null, row.Flag("wantLocality"))
            ?? Rows.Same(made.LocalityLbSetting?.Enabled == true, row.Flag("wantLocEnabled"))
            ?? Rows.Same(made.ZoneAwareLbSetting is not null, row.Flag("wantZoneAware"))
            ?? Rows.Same(made.ZoneAwareLbSetting?.Enabled == true, row.Flag("wantZAEnabled"));
    }

    private static string? ProxyConfigMerge(JsonElement row, JsonElement context) => Rows.Same(
        MeshConfigs.Overlay(MeshConfigs.Overlay(new ProxyConfig(), row.Text("base"), "base", []), row.Text("overlay"), "overlay", []),
        MeshConfigs.Overlay(new ProxyConfig(), row.Text("result"), "result", []));
}
