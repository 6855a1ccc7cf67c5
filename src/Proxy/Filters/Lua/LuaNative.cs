using System.Runtime.InteropServices;

namespace Lateen.Proxy.Filters.Lua;

/// <summary>
/// Lua 5.4's C interface, as far as it is needed. None of these may be called on a way that can raise a Lua error from managed code: an
/// error is a longjmp, and one over managed frames ends the process. What can raise is called inside <c>lua_resume</c> or <c>lua_pcallk</c>
/// only, and callbacks keep to what cannot (memory is not limited while they run).
/// </summary>
internal static unsafe partial class LuaNative
{
    private const string L = "lua54";

    public const int Registry = -1_001_000, FirstUpvalue = Registry - 1;
    public const int Ok = 0, Yielded = 1, NoReference = -2, NilReference = -1, CountMask = 8;
    public const int TypeNone = -1, TypeNil = 0, TypeBoolean = 1, TypeNumber = 3, TypeString = 4, TypeTable = 5, TypeFunction = 6,
        TypeUserdata = 7;

    /// <summary>The address of <c>lua_error</c>: set as a hook, it ends whatever the script does, without a managed frame in
    /// between.</summary>
    public static readonly nint RaiseError = NativeLibrary.GetExport(NativeLibrary.Load(L, typeof(LuaNative).Assembly, null), "lua_error");

    [LibraryImport(L)] public static partial nint lua_newstate(delegate* unmanaged[Cdecl]<nint, nint, nuint, nuint, nint> allocate,
        nint owner);
    [LibraryImport(L)] public static partial void lua_close(nint state);
    [LibraryImport(L)] public static partial nint lua_newthread(nint state);
    [LibraryImport(L)] public static partial nint lua_getallocf(nint state, nint* owner);
    [LibraryImport(L)] public static partial void lua_sethook(nint state, nint hook, int mask, int count);
    [LibraryImport(L)] public static partial int lua_resume(nint thread, nint from, int arguments, int* results);
    [LibraryImport(L)] public static partial int lua_pcallk(nint state, int arguments, int results, int handler, nint context,
        nint continuation);
    [LibraryImport(L)] public static partial int luaL_loadbufferx(nint state, byte* code, nuint length, byte* name, byte* mode);
    [LibraryImport(L, StringMarshalling = StringMarshalling.Utf8)]
    public static partial void luaL_requiref(nint state, string name, nint open, int global);
    [LibraryImport(L)] public static partial int luaL_ref(nint state, int table);
    [LibraryImport(L)] public static partial void luaL_unref(nint state, int table, int reference);
    [LibraryImport(L), SuppressGCTransition] public static partial int lua_gettop(nint state);
    [LibraryImport(L)] public static partial void lua_settop(nint state, int index);
    [LibraryImport(L), SuppressGCTransition] public static partial int lua_type(nint state, int index);
    [LibraryImport(L), SuppressGCTransition] public static partial int lua_toboolean(nint state, int index);
    [LibraryImport(L), SuppressGCTransition] public static partial long lua_tointegerx(nint state, int index, int* isInteger);
    [LibraryImport(L), SuppressGCTransition] public static partial double lua_tonumberx(nint state, int index, int* isNumber);
    [LibraryImport(L), SuppressGCTransition] public static partial int lua_isinteger(nint state, int index);
    [LibraryImport(L)] public static partial byte* lua_tolstring(nint state, int index, nuint* length);
    [LibraryImport(L), SuppressGCTransition] public static partial nint lua_touserdata(nint state, int index);
    [LibraryImport(L), SuppressGCTransition] public static partial ulong lua_rawlen(nint state, int index);
    [LibraryImport(L), SuppressGCTransition] public static partial void lua_pushnil(nint state);
    [LibraryImport(L), SuppressGCTransition] public static partial void lua_pushinteger(nint state, long value);
    [LibraryImport(L), SuppressGCTransition] public static partial void lua_pushnumber(nint state, double value);
    [LibraryImport(L), SuppressGCTransition] public static partial void lua_pushboolean(nint state, int value);
    [LibraryImport(L)] public static partial byte* lua_pushlstring(nint state, byte* text, nuint length);
    [LibraryImport(L)] public static partial void lua_pushcclosure(nint state, delegate* unmanaged[Cdecl]<nint, int> function,
        int upvalues);
    [LibraryImport(L), SuppressGCTransition] public static partial void lua_pushvalue(nint state, int index);
    [LibraryImport(L)] public static partial void lua_createtable(nint state, int elements, int fields);
    [LibraryImport(L)] public static partial nint lua_newuserdatauv(nint state, nuint size, int values);
    [LibraryImport(L)] public static partial int lua_setmetatable(nint state, int index);
    [LibraryImport(L)] public static partial void lua_rawset(nint state, int index);
    [LibraryImport(L)] public static partial void lua_rawseti(nint state, int index, long key);
    [LibraryImport(L)] public static partial int lua_rawget(nint state, int index);
    [LibraryImport(L)] public static partial int lua_rawgeti(nint state, int index, long key);
    [LibraryImport(L)] public static partial int lua_next(nint state, int index);
    [LibraryImport(L)] public static partial void lua_xmove(nint from, nint to, int count);
    [LibraryImport(L)] public static partial int lua_checkstack(nint state, int more);

    public static void Pop(nint state, int count) => lua_settop(state, -count - 1);

    public static void Push(nint state, ReadOnlySpan<byte> text)
    {
        fixed (byte* p = text)
            lua_pushlstring(state, p, (nuint)text.Length);
    }

    /// <summary>The bytes of a text or number (a number becomes a text in its place); empty for other values. They hold while the value
    /// lies on the stack.</summary>
    public static ReadOnlySpan<byte> Text(nint state, int index)
    {
        nuint length;
        byte* text = lua_tolstring(state, index, &length);
        return text is null ? default : new ReadOnlySpan<byte>(text, (int)length);
    }

    /// <summary>The standard libraries that scripts get, each by the function that opens it.</summary>
    public static nint Library(string name) =>
        NativeLibrary.GetExport(NativeLibrary.Load(L, typeof(LuaNative).Assembly, null), "luaopen_" + name);
}
