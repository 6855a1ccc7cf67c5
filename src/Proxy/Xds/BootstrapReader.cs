using Envoy.Config.Bootstrap.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Api.Schemas;
using Lateen.Api.Schemas.Constraints;
using Lateen.Proxy.Server;

namespace Lateen.Proxy.Xds;

/// <summary>The bootstrap from its text.</summary>
internal static class BootstrapReader
{
    /// <summary>Reads JSON or YAML, lays the overlay over it.</summary>
    /// <exception cref="BootstrapException">The text is no bootstrap; the message has a line for each mistake.</exception>
    public static Bootstrap Read(ProxyInputs inputs)
    {
        Bootstrap bootstrap = inputs.Bootstrap.Length > 0 ? One(inputs.Bootstrap, inputs.BootstrapFile, inputs)
            : new Bootstrap();
        if (inputs.Overlay.Length > 0)
            bootstrap.MergeFrom(One(inputs.Overlay, "--config-yaml", inputs));
        byte[] bytes = bootstrap.ToByteArray();
        if (MessageRules.FirstViolation(SchemaSet.Of(typeof(Bootstrap)), bytes) is { } violation)
            throw new BootstrapException($"Proto constraint validation failed ({violation})");
        var unserved = new Rejections();
        Bounds.UnservedFields.Check(SchemaSet.Of(typeof(Bootstrap)), bytes, unserved);
        if (!unserved.None)
            throw new BootstrapException(string.Join('\n', unserved.Reasons));
        foreach (string note in unserved.Notes)
            inputs.Say(note);
        bootstrap.Node ??= new Envoy.Config.Core.V3.Node();
        if (inputs.NodeId.Length > 0)
            bootstrap.Node.Id = inputs.NodeId;
        if (inputs.NodeCluster.Length > 0)
            bootstrap.Node.Cluster = inputs.NodeCluster;
        bootstrap.Node.UserAgentName = "lateen";
        NodeExtensions.AddTo(bootstrap.Node);
        return bootstrap;
    }

    private static Bootstrap One(string text, string file, ProxyInputs inputs)
    {
        var mistakes = new DiagnosticBag();
        Bootstrap bootstrap = new MessageReader(file, mistakes,
            inputs.UnknownStatic.ForReading()).Read<Bootstrap>(DocumentReader.ReadSingle(text, file, mistakes));
        if (mistakes.HasErrors)
            throw new BootstrapException(string.Join('\n', mistakes.Where(m => m.IsError)));
        foreach (Diagnostic warning in mistakes)
            inputs.Say(warning.ToString());
        return bootstrap;
    }

    /// <summary>The values of all runtime layers, with dotted keys. Without layers there is one for the operator.</summary>
    public static RuntimeValues Runtime(Bootstrap bootstrap)
    {
        var layers = new List<(string, Dictionary<string, string>)>();
        int admin = -1;
        foreach (RuntimeLayer layer in bootstrap.LayeredRuntime?.Layers ?? [])
        {
            var values = new Dictionary<string, string>(StringComparer.Ordinal);
            if (layer.StaticLayer is not null)
                Flatten("", layer.StaticLayer, values);
            else if (layer.AdminLayer is not null)
                admin = layers.Count;
            layers.Add((layer.Name, values));
        }
        if (bootstrap.LayeredRuntime is null)
        {
            admin = 0;
            layers.Add(("admin", new Dictionary<string, string>(StringComparer.Ordinal)));
        }
        return new RuntimeValues(layers, admin);
    }

    internal static void Flatten(string prefix, Struct fields, Dictionary<string, string> values)
    {
        foreach ((string key, Value value) in fields.Fields)
        {
            string name = prefix.Length == 0 ? key : $"{prefix}.{key}";
            switch (value.KindCase)
            {
                case Value.KindOneofCase.StructValue:
                    Flatten(name, value.StructValue, values);
                    break;
                case Value.KindOneofCase.BoolValue:
                    values[name] = value.BoolValue ? "true" : "false";
                    break;
                case Value.KindOneofCase.NumberValue:
                    values[name] = value.NumberValue.ToString(System.Globalization.CultureInfo.InvariantCulture);
                    break;
                default:
                    values[name] = value.StringValue;
                    break;
            }
        }
    }
}
