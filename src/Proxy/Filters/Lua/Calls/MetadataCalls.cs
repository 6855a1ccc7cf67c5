using System.Text.Json;
using Lateen.Proxy.Exchanges;

namespace Lateen.Proxy.Filters.Lua.Calls;

/// <summary>Metadata of routes, virtual hosts and this filter's route; dynamic metadata; filter state.</summary>
internal static class MetadataCalls
{
    public const int OfRoute = 0, Context = 1, OfVirtualHost = 2, OfRouteAlone = 3;
    private const int OfConnection = 1;
    private const string CanonicalName = "envoy.filters.http.lua";

    public static readonly (string, Func<LuaFrame, int>)[] All =
    [
        ("metadata_get", Get), ("metadata_begin", f => Begin(f, LuaKind.Metadata, Source)),
        ("metadata_next", f => Next(f, LuaKind.Metadata)),
        ("dynamicMetadata_get", GetDynamic), ("dynamicMetadata_set", SetDynamic),
        ("dynamicMetadata_begin", BeginDynamic), ("dynamicMetadata_next", NextDynamic),
        ("filterState_get", GetState), ("filterState_set", f => f.Fail("filterState():set() is not served")),
    ];

    private static JsonElement Source(LuaFrame f, int part)
    {
        Exchange exchange = f.Run.Exchange;
        f.Run.RefreshRoute();
        string own = f.Run.Slot.Filter.Name;
        return part switch
        {
            Context => f.Run.Slot.Settings is LuaSettings { Context: { } context } ? context : default,
            OfVirtualHost => exchange.Decision.Host?.Metadata?[own] ?? default,
            OfRouteAlone => exchange.Route?.Metadata?[own] ?? default,
            _ => exchange.Route?.Metadata is { } metadata
                ? metadata[own].ValueKind == JsonValueKind.Undefined ? metadata[CanonicalName] : metadata[own] : default,
        };
    }

    private static int Get(LuaFrame f)
    {
        if (!f.Self(LuaKind.Metadata, out int part))
            return f.DeadSelf();
        if (!f.TryText(2, out _))
            return f.Expected(2, "get", "string");
        JsonElement source = Source(f, part);
        return source.ValueKind == JsonValueKind.Object && source.TryGetProperty(f.TextOf(2), out JsonElement value)
            ? Answer(f, value) : f.Nothing();
    }

    private static int Answer(LuaFrame f, JsonElement value)
    {
        int from = f.Begin();
        LuaValues.Push(f, value);
        return f.Answer(from);
    }

    private static int Begin(LuaFrame f, LuaKind kind, Func<LuaFrame, int, JsonElement> source)
    {
        if (!f.Self(kind, out int part))
            return f.DeadSelf();
        if (f.Run.IteratesMetadata)
            return f.Fail("cannot create a second iterator before completing the first");
        JsonElement value = source(f, part);
        f.Run.IteratesMetadata = true;
        f.Run.MetadataFields = value.ValueKind == JsonValueKind.Object ? value.EnumerateObject() : default;
        return f.Nothing();
    }

    private static int Next(LuaFrame f, LuaKind kind)
    {
        if (!f.Self(kind, out _))
            return f.DeadSelf();
        if (!f.Run.IteratesMetadata || !f.Run.MetadataFields.MoveNext())
        {
            f.Run.IteratesMetadata = false;
            return f.AnswerNil();
        }
        int from = f.Begin();
        f.Push(f.Run.MetadataFields.Current.Name);
        LuaValues.Push(f, f.Run.MetadataFields.Current.Value);
        return f.Answer(from);
    }

    private static int GetDynamic(LuaFrame f)
    {
        if (!f.Self(LuaKind.DynamicMetadata, out int part))
            return f.DeadSelf();
        if (!f.TryText(2, out _))
            return f.Expected(2, "get", "string");
        JsonElement value = part == OfConnection ? default : f.Run.Exchange.DynamicMetadata?[f.TextOf(2)] ?? default;
        return value.ValueKind == JsonValueKind.Undefined ? f.Nothing() : Answer(f, value);
    }

    private static int SetDynamic(LuaFrame f)
    {
        if (!f.Self(LuaKind.DynamicMetadata, out int part) || part == OfConnection)
            return f.DeadSelf();
        if (f.Run.Namespaces is not null)
            return f.Fail("dynamic metadata map cannot be modified while iterating");
        if (!f.TryText(2, out _))
            return f.Expected(2, "set", "string");
        if (!f.TryText(3, out _))
            return f.Expected(3, "set", "string");
        if (!LuaValues.TryRead(f, f.TextOf(3), 4, out JsonElement value, out string error))
            return f.Fail(error);
        if (!f.Run.MayAddMetadata())
            return f.Fail("too many values of dynamic metadata");
        f.Run.Exchange.SetMetadata(f.TextOf(2), value);
        return f.Nothing();
    }

    private static int BeginDynamic(LuaFrame f)
    {
        if (!f.Self(LuaKind.DynamicMetadata, out int part))
            return f.DeadSelf();
        if (f.Run.Namespaces is not null)
            return f.Fail("cannot create a second iterator before completing the first");
        f.Run.Namespaces = new Queue<KeyValuePair<string, JsonElement>>(
            part == OfConnection || f.Run.Exchange.DynamicMetadata is not { } metadata ? [] : metadata.Namespaces);
        return f.Nothing();
    }

    private static int NextDynamic(LuaFrame f)
    {
        if (!f.Self(LuaKind.DynamicMetadata, out _))
            return f.DeadSelf();
        if (f.Run.Namespaces is not { } left || !left.TryDequeue(out KeyValuePair<string, JsonElement> next))
        {
            f.Run.Namespaces = null;
            return f.AnswerNil();
        }
        int from = f.Begin();
        f.Push(next.Key);
        LuaValues.Push(f, next.Value);
        return f.Answer(from);
    }

    // The form that logs show. No object of this proxy has fields that could be asked for one by one.
    private static int GetState(LuaFrame f)
    {
        if (!f.Self(LuaKind.FilterState, out _))
            return f.DeadSelf();
        if (!f.TryText(2, out _))
            return f.Expected(2, "get", "string");
        bool field = f.TypeOf(3) > LuaNative.TypeNil;
        return !field && f.Run.Exchange.FilterState(f.TextOf(2)) is { } value && value.ToString() is { } text
            ? f.Answer(text) : f.AnswerNil();
    }
}
