using Lateen.Config.Resources;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Meaning.Ingresses;
using Lateen.Registry;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.GatewayApi;

/// <summary>Plays <c>ingress-conversion</c>: Ingresses to Gateways and VirtualServices.</summary>
public sealed class IngressConversionRunner : RowsRunner
{
    private const string DomainSuffix = "mydomain";
    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "ingress-conversion";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        _path = path;
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", row =>
    {
        IReadOnlyList<Resource> resources = ConversionFixture.Decode(File.ReadAllText(Path.Combine(_path, row.Text("in"))));
        RegistryView registry = new RegistryCompiler(new RegistryOptions { DomainSuffix = DomainSuffix }).Compile(
            [ClusterResources.Of("Kubernetes", resources)]);
        var settings = Tables.Rows.Settings() with { DomainSuffix = DomainSuffix };
        var inputs = SnapshotResources.Of("row", registry, settings, resources);
        IngressResources made = IngressConverter.ConvertAll(inputs.Ingresses, registry, settings);
        return GatewayConversionRunner.Objects([.. made.Gateways.Cast<Resource>(), .. made.VirtualServices],
            ConversionFixture.Golden(File.ReadAllText(Path.Combine(_path, row.Text("want")))));
    });
}
