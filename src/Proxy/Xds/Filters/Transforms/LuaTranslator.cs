using Envoy.Extensions.Filters.Http.Lua.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Lua;
using Core = Envoy.Config.Core.V3;
using Message = Envoy.Extensions.Filters.Http.Lua.V3.Lua;

namespace Lateen.Proxy.Xds.Filters.Transforms;

/// <summary>envoy.filters.http.lua.</summary>
internal sealed class LuaTranslator : FilterTranslator
{
    private static readonly LuaBounds Bounds = new();

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.lua.v3.Lua", "envoy.extensions.filters.http.lua.v3.LuaPerRoute"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Message.Parser, rejections) is not { } lua)
            return null;
#pragma warning disable CS0612 // deprecated, and what most EnvoyFilters have
        string inline = lua.InlineCode;
#pragma warning restore CS0612
        LuaScript? script = null;
        if (lua.DefaultSourceCode is not null && inline.Length > 0)
            rejections.Add("Error: Only one of `inline_code` or `default_source_code` can be set for the Lua filter.");
        else if (lua.DefaultSourceCode is not null)
            script = Script(lua.DefaultSourceCode, "default_source_code", translation, rejections);
        else if (inline.Length > 0)
            script = Script(new Core.DataSource { InlineString = inline }, "inline_code", translation, rejections);
        var named = new Dictionary<string, LuaScript>(StringComparer.Ordinal);
        foreach ((string key, Core.DataSource source) in lua.SourceCodes)
        {
            if (Script(source, $"source_codes[{key}]", translation, rejections) is { } one)
                named[key] = one;
        }
        return new LuaFilter(name, script, named, lua.ClearRouteCache ?? true, translation.Upstreams,
            translation.Statistics.Group(
                $"{translation.HttpStatPrefix}lua.{(lua.StatPrefix.Length == 0 || lua.StatPrefix.EndsWith('.') ? lua.StatPrefix : lua.StatPrefix + ".")}", LuaFilter.Counted))
        {
            Bounds = Bounds,
            DisabledByDefault = disabled,
        };
    }

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, LuaPerRoute.Parser, rejections) is not { } route)
            return null;
        if (route.OverrideCase == LuaPerRoute.OverrideOneofCase.Disabled && !route.Disabled)
            rejections.Add("LuaPerRouteValidationError.Disabled: value must equal true");
        return new LuaSettings
        {
            Disabled = route.OverrideCase == LuaPerRoute.OverrideOneofCase.Disabled,
            Name = route.OverrideCase == LuaPerRoute.OverrideOneofCase.Name ? route.Name : "",
            Script = route.OverrideCase == LuaPerRoute.OverrideOneofCase.SourceCode
                ? Script(route.SourceCode, "source_code", translation, rejections) : null,
            Context = route.FilterContext is null ? null : ValueTranslator.Json(route.FilterContext),
        };
    }

    private static LuaScript? Script(Core.DataSource source, string field, Translation translation, Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In(field);
        if (ValueTranslator.Data(source, rejections) is not { } code)
            return null;
        translation.Statistics.Reading("lua.lua_vm_count", Statistics.StatKind.Gauge, static () => LuaScript.MachinesAlive);
        LuaScript? script = LuaScript.Of(code, Bounds, translation.Workers, new LuaLog(translation.Say), out string error);
        if (script is null)
            rejections.Add(error);
        return script;
    }
}
