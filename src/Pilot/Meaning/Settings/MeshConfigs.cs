// Settings: the mesh configuration as a user overlays it on the defaults.
//
// The rule of the overlay is Istio's: a field that is written replaces the default whole, except that defaultConfig is
// overlaid field by field, defaultProviders by kind, extensionProviders by name, and trustDomainAliases add up.
// Absent and false are different things in an overlay, so it is read from the text and not from a message.
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;

namespace Lateen.Pilot.Meaning.Settings;

/// <summary>MeshConfig, ProxyConfig and MeshNetworks from text.</summary>
public static class MeshConfigs
{
    /// <summary>The configuration of a mesh whose user wrote none.</summary>
    public static MeshConfig Defaults() => new()
    {
        ProxyListenPort = 15001,
        ProxyInboundListenPort = 15006,
        ConnectTimeout = Seconds(10),
        HboneIdleTimeout = Seconds(3600),
        ProtocolDetectionTimeout = new Duration(),
        IngressClass = "istio",
        IngressService = "istio-ingressgateway",
        IngressControllerMode = MeshConfig.Types.IngressControllerMode.Strict,
        EnableTracing = true,
        AccessLogEncoding = MeshConfig.Types.AccessLogEncoding.Text,
        DefaultConfig = DefaultProxyConfig(),
        OutboundTrafficPolicy = new() { Mode = MeshConfig.Types.OutboundTrafficPolicy.Types.Mode.AllowAny },
        InboundTrafficPolicy = new() { Mode = MeshConfig.Types.InboundTrafficPolicy.Types.Mode.Passthrough },
        EnableAutoMtls = true,
        TrustDomain = "cluster.local",
        RootNamespace = "istio-system",
        LocalityLbSetting = new LocalityLoadBalancerSetting { Enabled = true },
        DnsRefreshRate = Seconds(60),
        EnablePrometheusMerge = true,
        DefaultProviders = new(),
        ExtensionProviders =
        {
            new MeshConfig.Types.ExtensionProvider { Name = "prometheus", Prometheus = new() },
            new MeshConfig.Types.ExtensionProvider { Name = "stackdriver", Stackdriver = new() },
            new MeshConfig.Types.ExtensionProvider { Name = "envoy", EnvoyFileAccessLog = new() { Path = "/dev/stdout" } },
        },
        DefaultServiceExportTo = { "*" },
        DefaultVirtualServiceExportTo = { "*" },
        DefaultDestinationRuleExportTo = { "*" },
    };

    /// <summary>The configuration of a proxy whose user wrote none.</summary>
    public static ProxyConfig DefaultProxyConfig() => new()
    {
        ConfigPath = "./etc/istio/proxy",
        BinaryPath = "/usr/local/bin/envoy",
        ServiceCluster = "istio-proxy",
        DrainDuration = Seconds(45),
        TerminationDrainDuration = Seconds(5),
        ProxyAdminPort = 15000,
        ControlPlaneAuthPolicy = AuthenticationPolicy.MutualTls,
        DiscoveryAddress = "istiod.istio-system.svc:15012",
        StatNameLength = 189,
        StatusPort = 15020,
    };

    /// <summary>The defaults with a text laid over them.</summary>
    /// <param name="text">YAML or JSON of MeshConfig; may be empty.</param>
    /// <param name="file">Where it comes from, for diagnostics.</param>
    /// <param name="diagnostics">Takes mistakes; what they are about is left as it was.</param>
    public static MeshConfig Load(string text, string file, DiagnosticBag diagnostics) => Overlay(Defaults(), text, file, diagnostics);

    /// <summary>A configuration with a text laid over it.</summary>
    public static MeshConfig Overlay(MeshConfig below, string text, string file, DiagnosticBag diagnostics)
    {
        var merged = below.Clone();
        if (DocumentReader.ReadSingle(text, file, diagnostics) is not MappingNode root) return merged;
        var written = new MeshConfig();
        new MessageReader(file, diagnostics, UnknownFields.Warning).ReadInto(root, written);
        foreach (var field in Written(root, MeshConfig.Descriptor))
        {
            switch (field.FieldNumber)
            {
                case MeshConfig.DefaultConfigFieldNumber:
                    merged.DefaultConfig = Overlay(merged.DefaultConfig ?? DefaultProxyConfig(), written.DefaultConfig ?? new ProxyConfig(),
                        root["defaultConfig"]);
                    break;
                case MeshConfig.DefaultProvidersFieldNumber:
                    MergeProviders(merged, written.DefaultProviders);
                    break;
                case MeshConfig.ExtensionProvidersFieldNumber:
                    MergeExtensions(merged, written.ExtensionProviders);
                    break;
                case MeshConfig.TrustDomainAliasesFieldNumber:
                    MergeAliases(merged, written.TrustDomainAliases);
                    break;
                default:
                    Replace(merged, written, field);
                    break;
            }
        }
        return merged;
    }

    /// <summary>A proxy configuration with a text laid over it.</summary>
    public static ProxyConfig Overlay(ProxyConfig below, string text, string file, DiagnosticBag diagnostics)
    {
        if (DocumentReader.ReadSingle(text, file, diagnostics) is not MappingNode root) return below;
        var written = new ProxyConfig();
        new MessageReader(file, diagnostics, UnknownFields.Warning).ReadInto(root, written);
        return Overlay(below, written, root);
    }

    /// <summary>MeshNetworks from text.</summary>
    public static MeshNetworks LoadNetworks(string text, string file, DiagnosticBag diagnostics)
    {
        var networks = new MeshNetworks();
        if (DocumentReader.ReadSingle(text, file, diagnostics) is { } root)
            new MessageReader(file, diagnostics, UnknownFields.Warning).ReadInto(root, networks);
        return networks;
    }

    private static ProxyConfig Overlay(ProxyConfig below, ProxyConfig written, Node? node)
    {
        var merged = below.Clone();
        foreach (var field in Written(node, ProxyConfig.Descriptor))
        {
            if (field.FieldNumber == ProxyConfig.ProxyMetadataFieldNumber)
            {
                foreach (var (key, value) in written.ProxyMetadata) merged.ProxyMetadata[key] = value;
            }
            else
            {
                Replace(merged, written, field);
            }
        }
        return merged;
    }

    private static IEnumerable<FieldDescriptor> Written(Node? node, MessageDescriptor message)
    {
        if (node is not MappingNode mapping) yield break;
        foreach (var member in mapping.Members)
        {
            var field = message.Fields.InDeclarationOrder()
                .FirstOrDefault(candidate => candidate.JsonName == member.Name || candidate.Name == member.Name);
            if (field is not null) yield return field;
        }
    }

    private static void Replace(IMessage into, IMessage from, FieldDescriptor field)
    {
        field.Accessor.Clear(into);
        if (field.IsMap)
        {
            var target = (System.Collections.IDictionary)field.Accessor.GetValue(into);
            foreach (System.Collections.DictionaryEntry entry in (System.Collections.IDictionary)field.Accessor.GetValue(from))
                target.Add(entry.Key, entry.Value);
        }
        else if (field.IsRepeated)
        {
            var target = (System.Collections.IList)field.Accessor.GetValue(into);
            foreach (var item in (System.Collections.IList)field.Accessor.GetValue(from)) target.Add(item);
        }
        else if (field.Accessor.GetValue(from) is { } value)
        {
            field.Accessor.SetValue(into, value);
        }
    }

    // Each list that is written replaces that list alone.
    private static void MergeProviders(MeshConfig merged, MeshConfig.Types.DefaultProviders written)
    {
        var providers = merged.DefaultProviders ??= new();
        if (written.Tracing.Count > 0) Replace(providers, written, MeshConfig.Types.DefaultProviders.Descriptor.FindFieldByName("tracing"));
        if (written.Metrics.Count > 0) Replace(providers, written, MeshConfig.Types.DefaultProviders.Descriptor.FindFieldByName("metrics"));
        if (written.AccessLogging.Count > 0)
            Replace(providers, written, MeshConfig.Types.DefaultProviders.Descriptor.FindFieldByName("access_logging"));
    }

    private static void MergeExtensions(MeshConfig merged, IEnumerable<MeshConfig.Types.ExtensionProvider> written)
    {
        foreach (var provider in written)
        {
            var place = merged.ExtensionProviders.ToList().FindIndex(existing => existing.Name == provider.Name);
            if (place >= 0) merged.ExtensionProviders[place] = provider;
            else merged.ExtensionProviders.Add(provider);
        }
    }

    private static void MergeAliases(MeshConfig merged, IEnumerable<string> written)
    {
        var all = merged.TrustDomainAliases.Concat(written).Distinct().Order(StringComparer.Ordinal).ToList();
        merged.TrustDomainAliases.Clear();
        merged.TrustDomainAliases.Add(all);
    }

    private static Duration Seconds(long seconds) => new() { Seconds = seconds };
}
