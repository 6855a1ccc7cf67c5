using System.Runtime.InteropServices;

namespace Lateen.Proxy.Filters.Lua;

/// <summary>The kinds of objects that scripts are handed.</summary>
internal enum LuaKind : byte
{
    Stream,
    Headers,
    Buffer,
    Metadata,
    DynamicMetadata,
    FilterState,
    StreamInfo,
    ConnectionStreamInfo,
    Connection,
    Ssl,
    ParsedName,
    PublicKey,
    VirtualHost,
    Route,
}

/// <summary>
/// What lies in the userdata of an object: no pointer, but which run made it and when. An object dies when its run waits (Envoy's rule:
/// what was obtained before a wait is obtained anew after it) and with its run; the stream's own handle lives as long as the run.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LuaObject
{
    public int Kind, Part;
    public long Run, Epoch;
}

/// <summary>Making and recognizing objects.</summary>
internal static unsafe class LuaObjects
{
    /// <summary>The class of a kind in the prelude.</summary>
    public static string NameOf(LuaKind kind)
    {
        string name = kind.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }

    /// <summary>Puts an object on the stack.</summary>
    public static void Push(nint state, LuaMachine machine, LuaRun run, LuaKind kind, int part = 0)
    {
        var o = (LuaObject*)LuaNative.lua_newuserdatauv(state, (nuint)sizeof(LuaObject), 0);
        o->Kind = (int)kind;
        o->Part = part;
        o->Run = run.Number;
        o->Epoch = run.Epoch;
        machine.PushClass(state, kind);
        LuaNative.lua_setmetatable(state, -2);
    }

    /// <summary>The object at an index; false where there is none of the kind, or it is dead.</summary>
    public static bool TryGet(nint state, int index, LuaKind kind, LuaRun run, out int part)
    {
        part = 0;
        if (LuaNative.lua_type(state, index) != LuaNative.TypeUserdata || LuaNative.lua_rawlen(state, index) != (ulong)sizeof(LuaObject))
            return false;
        var o = (LuaObject*)LuaNative.lua_touserdata(state, index);
        part = o->Part;
        return o->Kind == (int)kind && o->Run == run.Number && (kind == LuaKind.Stream || o->Epoch == run.Epoch);
    }
}
