using Envoy.Config.Bootstrap.V3;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Proxy.Xds.Discovery;

/// <summary>Layers of runtime values that come by discovery (RTDS); what reads runtime values sees them at once, what is translated by them
/// when it is translated next.</summary>
/// <param name="bootstrap">Says which layers are discovered.</param>
/// <param name="values">Where they go.</param>
internal sealed class RuntimeSources(Bootstrap bootstrap, RuntimeValues values)
{
    /// <summary>The layers to ask for: the name of the layer, its source, and its name there.</summary>
    public IEnumerable<RuntimeLayer> Layers => (bootstrap.LayeredRuntime?.Layers ?? []).Where(l => l.RtdsLayer is not null);

    /// <summary>Layers came, or went.</summary>
    public List<(string, string)> Take(IReadOnlyList<IncomingResource> resources, IReadOnlyList<string> removed)
    {
        var refused = new List<(string, string)>();
        foreach (IncomingResource resource in resources)
        {
            var rejections = new Rejections();
            if (ValueTranslator.Unpack(resource.Body, Envoy.Service.Runtime.V3.Runtime.Parser, rejections) is { } runtime)
                Put(resource.Name, runtime.Layer ?? new Struct());
            else
                refused.Add((resource.Name, rejections.ToString()));
        }
        foreach (string name in removed)
            Put(name, new Struct());
        return refused;
    }

    private void Put(string name, Struct fields)
    {
        var flat = new Dictionary<string, string>(StringComparer.Ordinal);
        BootstrapReader.Flatten("", fields, flat);
        foreach (RuntimeLayer layer in Layers.Where(l => l.RtdsLayer.Name == name))
            values.Replace(layer.Name, flat);
    }
}
