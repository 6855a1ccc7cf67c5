using Istio.Extensions.V1Alpha1;

namespace Lateen.Pilot.Meaning.Compile;

/// <summary>WasmPlugins are TrafficExtensions in older words.</summary>
internal static class WasmPlugins
{
    private const string Suffix = "~istio-translated-wasmplugin";

    public static Meant<TrafficExtension> Translate(Meant<WasmPlugin> plugin)
    {
        var spec = plugin.Spec;
        var extension = new TrafficExtension
        {
            Selector = spec.Selector,
            Phase = (TrafficExtension.Types.ExecutionPhase)spec.Phase,
            Priority = spec.Priority,
            Wasm = new WasmConfig
            {
                Url = spec.Url,
                Sha256 = spec.Sha256,
                ImagePullPolicy = spec.ImagePullPolicy,
                ImagePullSecret = spec.ImagePullSecret,
                VerificationKey = spec.VerificationKey,
                PluginConfig = spec.PluginConfig,
                PluginName = spec.PluginName,
                FailStrategy = spec.FailStrategy,
                VmConfig = spec.VmConfig,
                Type = spec.Type,
            },
        };
        extension.TargetRefs.Add(spec.TargetRefs);
        if (spec.TargetRef is not null && spec.TargetRefs.Count == 0) extension.TargetRefs.Add(spec.TargetRef);
        extension.Match.Add(spec.Match.Select(
            match => new TrafficExtension.Types.TrafficSelector { Mode = match.Mode, Ports = { match.Ports } }));
        return new Meant<TrafficExtension>(plugin.Origin with { Name = plugin.Origin.Name + Suffix }, extension);
    }
}
