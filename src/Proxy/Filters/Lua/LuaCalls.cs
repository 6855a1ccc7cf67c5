using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Lateen.Proxy.Filters.Lua.Calls;

namespace Lateen.Proxy.Filters.Lua;

/// <summary>All native functions, and the one door through which Lua enters managed code.</summary>
internal static unsafe class LuaCalls
{
    private static readonly (string Name, Func<LuaFrame, int> Call)[] All =
    [
        .. StreamCalls.All, .. HeaderCalls.All, .. BodyCalls.All, .. MetadataCalls.All, .. FactCalls.All, .. PlainCalls.All,
    ];

    /// <summary>Puts a table of all functions by name on the stack.</summary>
    public static void PushTable(nint state)
    {
        LuaNative.lua_createtable(state, 0, All.Length);
        for (int i = 0; i < All.Length; i++)
        {
            LuaNative.Push(state, Encoding.ASCII.GetBytes(All[i].Name));
            LuaNative.lua_pushinteger(state, i);
            LuaNative.lua_pushcclosure(state, &Enter, 1);
            LuaNative.lua_rawset(state, -3);
        }
    }

    // No exception may pass a native frame: one of ours is kept with the run, whose worker throws it again as soon as Lua has returned.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Enter(nint state)
    {
        LuaMachine machine = LuaMachine.Current;
        machine.Enforce(false);
        try
        {
            long index = LuaNative.lua_tointegerx(state, LuaNative.FirstUpvalue, null);
            return All[index].Call(new LuaFrame(state, machine, machine.Run!));
        }
        catch (Exception defect) when (machine.Run is { } run)
        {
            run.Defect = defect;
            return new LuaFrame(state, machine, run).Wait();
        }
        finally
        {
            machine.Enforce(true);
        }
    }
}

/// <summary>Functions without an object: log lines and clocks. They also serve while a script is loaded, before there is a run.</summary>
internal static class PlainCalls
{
    public static readonly (string, Func<LuaFrame, int>)[] All =
    [
        ("log_trace", f => Log(f, "trace")), ("log_debug", f => Log(f, "debug")), ("log_info", f => Log(f, "info")),
        ("log_warn", f => Log(f, "warning")), ("log_err", f => Log(f, "error")), ("log_critical", f => Log(f, "critical")),
        ("now", f => Bare(f, (f.Machine.Worker?.Loop.WallClock ?? 0) / 1_000_000)),
        ("elapsed", f => Bare(f, (f.Machine.Worker?.Loop.Now ?? 0) / 1e6)),
        ("memory", f => Bare(f, f.Machine.MemoryBytes / 1024.0)),
    ];

    private static int Log(LuaFrame f, string level)
    {
        if (!f.TryText(2, out ReadOnlySpan<byte> text))
            return f.Expected(2, "log", "string");
        f.Machine.Log.Write(level, Printable(text));
        return f.Nothing();
    }

    // One line a message, whatever a request put into it.
    private static string Printable(ReadOnlySpan<byte> text)
    {
        string line = Encoding.UTF8.GetString(text);
        return line.AsSpan().IndexOfAnyInRange('\0', '\x1f') < 0
            ? line : string.Concat(line.Select(c => c < ' ' && c != '\t' ? $"\\x{(int)c:x2}" : c.ToString()));
    }

    private static int Bare(LuaFrame f, double value)
    {
        f.Push(value);
        return 1;
    }
}
