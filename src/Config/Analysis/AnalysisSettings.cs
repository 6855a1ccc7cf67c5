using Istio.Mesh.V1Alpha1;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;

namespace Lateen.Config.Analysis;

/// <summary>What analysis takes from the settings of a mesh.</summary>
public static class AnalysisSettings
{
    /// <summary>Options out of a text of MeshConfig; Istio's defaults where there is none or it cannot be read.</summary>
    public static AnalysisOptions Of(string meshConfig, DateTimeOffset now)
    {
        var bag = new DiagnosticBag();
        var mesh = DocumentReader.ReadSingle(meshConfig, "", bag) is { } root
            ? new MessageReader("", bag).Read<MeshConfig>(root) : new MeshConfig();
        return new AnalysisOptions
        {
            Now = now,
            RootNamespace = mesh.RootNamespace.Length > 0 ? mesh.RootNamespace : "istio-system",
            ImageType = mesh.DefaultConfig?.Image?.ImageType ?? "",
            AllocatesAddresses = mesh.DefaultConfig?.ProxyMetadata.GetValueOrDefault("ISTIO_META_DNS_AUTO_ALLOCATE") == "true",
        };
    }
}
