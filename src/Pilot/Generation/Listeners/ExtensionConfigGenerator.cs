using System.Security.Cryptography;
using System.Text.Json;
using Envoy.Config.Core.V3;
using Envoy.Extensions.Wasm.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Istio.Extensions.V1Alpha1;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Patches;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using HttpWasm = Envoy.Extensions.Filters.Http.Wasm.V3.Wasm;
using NetworkWasm = Envoy.Extensions.Filters.Network.Wasm.V3.Wasm;
using VmConfig = Envoy.Extensions.Wasm.V3.VmConfig;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>ECDS: the settings of filters that listeners name only.</summary>
public sealed class ExtensionConfigGenerator : IResourceGenerator
{
    private const string Runtime = "envoy.wasm.runtime.v8";
    private const string AgentCluster = "_";
    private const int FetchSeconds = 30;

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.ExtensionConfig;

    /// <inheritdoc/>
    public void BeginSnapshot()
    {
        // Nothing is kept: few proxies have extensions, and those few messages are small.
    }

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        if (names is null) return [];
        var parts = new ListenerParts(new ProxyInputs(scope));
        var result = new SortedDictionary<string, WireResource>(StringComparer.Ordinal);
        foreach (var config in ProxyPatches.Of(scope).ExtensionConfigs().Where(c => names.Contains(c.Name)))
            result.TryAdd(config.Name, WireResource.Of(config.Name, config));
        // The agent replaces where a module lies by the file that it has fetched.
        foreach (var config in parts.Extensions.Fetched.Select(Of).Where(c => names.Contains(c.Name)))
            result.TryAdd(config.Name, WireResource.Unchecked(config.Name, config));
        return [.. result.Values];
    }

    private static TypedExtensionConfig Of(Meant<TrafficExtension> extension)
    {
        var plugin = Plugin(extension, extension.Spec.Wasm);
        return new TypedExtensionConfig
        {
            Name = ExtensionFilters.NameOf(extension),
            TypedConfig = Wire.Pack(ExtensionFilters.IsNetwork(extension)
                ? new NetworkWasm { Config = plugin } : new HttpWasm { Config = plugin }),
        };
    }

    private static PluginConfig Plugin(Meant<TrafficExtension> extension, WasmConfig wasm)
    {
        var vm = new VmConfig { Runtime = Runtime, Code = Code(wasm), EnvironmentVariables = new EnvironmentVariables() };
        var values = vm.EnvironmentVariables.KeyValues;
        foreach (var variable in wasm.VmConfig?.Env ?? [])
        {
            if (variable.ValueFrom == EnvValueSource.Host) vm.EnvironmentVariables.HostEnvKeys.Add(variable.Name);
            else values[variable.Name] = variable.Value;
        }
        // The agent, which fetches the module, learns by these when and how.
        values["ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION"] = Convert.ToHexStringLower(SHA256.HashData(extension.Spec.ToByteArray()))[..16];
        if (wasm.ImagePullPolicy != PullPolicy.UnspecifiedPolicy)
            values["ISTIO_META_WASM_IMAGE_PULL_POLICY"] = wasm.ImagePullPolicy.ToString();
        if (wasm.ImagePullSecret.Length > 0) values["ISTIO_META_WASM_IMAGE_PULL_SECRET"] = "{}";
        return new PluginConfig
        {
            Name = $"{extension.Origin.Namespace}.{extension.Origin.Name}",
            RootId = wasm.PluginName,
            Configuration = wasm.PluginConfig is { } settings ? Wire.Pack(new StringValue { Value = Compact(settings) }) : new Any(),
            VmConfig = vm,
            FailurePolicy = wasm.FailStrategy switch
            {
                FailStrategy.FailOpen => FailurePolicy.FailOpen,
                FailStrategy.FailReload => FailurePolicy.FailReload,
                _ => FailurePolicy.FailClosed,
            },
        };
    }

    private static AsyncDataSource Code(WasmConfig wasm)
    {
        var address = wasm.Url.Contains("://", StringComparison.Ordinal) ? wasm.Url : "oci://" + wasm.Url;
        if (address.StartsWith("file://", StringComparison.Ordinal))
            return new AsyncDataSource { Local = new DataSource { Filename = address["file://".Length..] } };
        return new AsyncDataSource
        {
            Remote = new RemoteDataSource
            {
                HttpUri = new HttpUri { Uri = address, Cluster = AgentCluster, Timeout = Wire.Seconds(FetchSeconds) },
                Sha256 = wasm.Sha256,
            },
        };
    }

    // Without spaces and with sorted keys: equal settings give equal bytes, and the module does not start anew.
    private static string Compact(Struct settings)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream,
            new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            Write(writer, Value.ForStruct(settings));
        }
        return System.Text.Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void Write(Utf8JsonWriter writer, Value value)
    {
        switch (value.KindCase)
        {
            case Value.KindOneofCase.StructValue:
                writer.WriteStartObject();
                foreach (var (key, inner) in value.StructValue.Fields.OrderBy(static f => f.Key, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(key);
                    Write(writer, inner);
                }
                writer.WriteEndObject();
                break;
            case Value.KindOneofCase.ListValue:
                writer.WriteStartArray();
                foreach (var item in value.ListValue.Values) Write(writer, item);
                writer.WriteEndArray();
                break;
            case Value.KindOneofCase.StringValue:
                writer.WriteStringValue(value.StringValue);
                break;
            case Value.KindOneofCase.NumberValue:
                writer.WriteNumberValue(value.NumberValue);
                break;
            case Value.KindOneofCase.BoolValue:
                writer.WriteBooleanValue(value.BoolValue);
                break;
            default:
                writer.WriteNullValue();
                break;
        }
    }
}
