using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Registry;
using Xunit;

namespace Lateen.Test.Unit.Registry;

/// <summary>ServiceEntries and WorkloadEntries alone, written one after another and followed by one compiler.</summary>
internal sealed class EntryWorld
{
    private readonly RegistryCompiler _compiler = new(new RegistryOptions());
    private readonly Dictionary<ResourceKey, Resource> _written = [];

    public RegistryView Compile() => _compiler.Compile([ClusterResources.Of("east", [.. _written.Values])]);

    public void Write(string name, string served, string hosts) => Write($$"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: { name: {{name}}, namespace: default, creationTimestamp: "2026-01-01T00:00:00Z" }
        spec:
          hosts: [{{hosts}}]
          ports: [{ number: 80, name: http, protocol: HTTP }]
          resolution: STATIC
          {{served}}
        """);

    public void WriteWorkload(string name, string address, string healthy, string isProbed = "") => Write($$"""
        apiVersion: networking.istio.io/v1
        kind: WorkloadEntry
        metadata:
          name: {{name}}
          namespace: default
          creationTimestamp: "2026-01-01T00:00:00Z"
          annotations: { proxy.istio.io/health-checks-enabled: "{{isProbed}}" }
        spec: { address: {{address}}, labels: { app: a } }
        status: { conditions: [{ type: Healthy, status: "{{healthy}}" }] }
        """);

    private void Write(string yaml)
    {
        var found = new DiagnosticBag();
        foreach (var resource in new ResourceDecoder().Decode(yaml, "entries.yaml", found)) _written[resource.Key] = resource;
        Assert.Empty(found);
    }
}
