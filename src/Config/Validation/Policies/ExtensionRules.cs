using Istio.Extensions.V1Alpha1;
using Istio.Type.V1Beta1;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Policies;

/// <summary>WasmPlugin and TrafficExtension.</summary>
internal static class ExtensionRules
{
    private const int LuaCharsMax = 64 * 1024;
    private static readonly string[] Schemes = ["", "http", "https", "file", "oci"];

    public static void CheckWasm(Findings f, WasmPlugin plugin)
    {
        Rules.Attachment(f, plugin.Selector, plugin.TargetRef, plugin.TargetRefs);
        Module(f, "spec", plugin.Url, plugin.Sha256, plugin.ImagePullSecret, plugin.PluginName, plugin.VmConfig);
        for (var i = 0; i < plugin.Match.Count; i++) Ports(f, $"spec.match[{i}].ports", plugin.Match[i].Ports);
    }

    public static void CheckTraffic(Findings f, TrafficExtension extension)
    {
        Rules.Attachment(f, extension.Selector, null, extension.TargetRefs);
        for (var i = 0; i < extension.Match.Count; i++) Ports(f, $"spec.match[{i}].ports", extension.Match[i].Ports);
        switch (extension.FilterConfigCase)
        {
            case TrafficExtension.FilterConfigOneofCase.Wasm:
                var wasm = extension.Wasm;
                Module(f, "spec.wasm", wasm.Url, wasm.Sha256, wasm.ImagePullSecret, wasm.PluginName, wasm.VmConfig);
                break;
            case TrafficExtension.FilterConfigOneofCase.Lua:
                var code = extension.Lua.InlineCode;
                f.ErrorIf(code.Length == 0, Codes.Extension, "spec.lua.inlineCode", "lua.inlineCode cannot be empty");
                f.ErrorIf(System.Text.Encoding.UTF8.GetByteCount(code) > LuaCharsMax, Codes.Extension, "spec.lua.inlineCode",
                    "lua.inlineCode exceeds maximum size of 64KB");
                break;
            default:
                f.Error(Codes.Extension, "spec", "exactly one of wasm or lua must be set");
                break;
        }
    }

    private static void Module(Findings f, string path, string url, string sha256, string secret, string name, VmConfig? vm)
    {
        f.ErrorIf(UrlProblem(url), Codes.Extension, path + ".url");
        if (sha256.Length > 0)
        {
            f.ErrorIf(sha256.Length != 64, Codes.Extension, path + ".sha256", "sha256 field must be 64 characters long");
            f.ErrorIf(sha256.Length == 64 && !sha256.All(char.IsAsciiHexDigitLower), Codes.Extension, path + ".sha256",
                "sha256 field must match [a-f0-9]{64} pattern");
        }

        f.ErrorIf(secret.Length > 253, Codes.Extension, path + ".imagePullSecret",
            "imagePullSecret field must be less than 253 characters long");
        f.ErrorIf(name.Length > 255, Codes.Extension, path + ".pluginName", "pluginName field must be less than 256 characters long");
        Environment(f, path + ".vmConfig.env", vm);
    }

    private static string? UrlProblem(string url)
    {
        if (url.Length == 0) return "url field needs to be set";
        var colon = url.IndexOf("://", StringComparison.Ordinal);
        var scheme = colon < 0 ? "" : url[..colon];
        var rest = colon < 0 ? url : url[(colon + 3)..];
        var isOdd = rest.Length == 0 || rest.Any(c => c <= ' ' || c is '#' or '$' or '<' or '>' or '"');
        return !Schemes.Contains(scheme) || isOdd ? "url must have schema one of [http, https, file, oci]" : null;
    }

    private static void Environment(Findings f, string path, VmConfig? vm)
    {
        var names = new HashSet<string>();
        foreach (var variable in vm?.Env ?? [])
        {
            f.ErrorIf(variable.Name.Length is 0 or > 256, Codes.Extension, path,
                "spec.vmConfig.env invalid: a variable needs a name of at most 256 characters");
            f.ErrorIf(variable.Name.Length > 0 && !names.Add(variable.Name), Codes.Duplicate, path, $"duplicate env: {variable.Name}");
            f.ErrorIf(variable.ValueFrom != EnvValueSource.Inline && variable.Value.Length > 0, Codes.Extension, path,
                "value may only be set when valueFrom is INLINE");
            f.ErrorIf(variable.Value.Length > 2048, Codes.OutOfRange, path, "a value is longer than 2048 characters");
        }
    }

    private static void Ports(Findings f, string path, IEnumerable<PortSelector> ports)
    {
        foreach (var port in ports) Rules.Port(f, path, port.Number);
    }
}
