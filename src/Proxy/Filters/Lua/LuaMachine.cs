using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;

namespace Lateen.Proxy.Filters.Lua;

/// <summary>How a piece of a script ended.</summary>
internal enum LuaOutcome : byte
{
    Done,
    Yielded,
    Failed,
}

/// <summary>
/// One Lua state: a script on one worker, used by nobody else. Requests run as threads of it, which are used again while they end well.
/// Everything but the script's own text happens on the worker; who drops the last reference (configuration replaced, exchanges over) closes
/// the state.
/// </summary>
internal sealed unsafe class LuaMachine
{
    private const int ThreadsKeptMax = 64;

    // math.random is no source of secrets; the same numbers each time are what LuaJIT gives, too.
    private const long Seed = 42;
    private static readonly byte[] Prelude = ReadPrelude();

    [ThreadStatic]
    private static LuaMachine? t_current;

    private readonly nint _state;
    private readonly LuaBudget* _budget;
    private readonly LuaBounds _bounds;
    private readonly int[] _classes = new int[Enum.GetValues<LuaKind>().Length];
    private readonly Stack<(nint State, int Reference)> _idle = new();

    private LuaMachine(LuaBounds bounds, LuaLog log)
    {
        _bounds = bounds;
        Log = log;
        _budget = LuaBudget.New(bounds);
        _state = LuaNative.lua_newstate(&LuaBudget.Allocate, (nint)_budget);
    }

    /// <summary>Ends the state; its threads are unreachable by now.</summary>
    ~LuaMachine()
    {
        LuaNative.lua_close(_state);
        NativeMemory.Free(_budget);
    }

    /// <summary>The machine whose script runs on this thread.</summary>
    public static LuaMachine Current => t_current ?? throw new InvariantException("a Lua callback without a machine");

    /// <summary>The worker; null before its first run.</summary>
    public Worker? Worker { get; set; }

    /// <summary>Where the script's log lines go.</summary>
    public LuaLog Log { get; set; }

    /// <summary>What runs now; null while the script is being loaded.</summary>
    public LuaRun? Run { get; private set; }

    /// <summary>What its runs may use.</summary>
    public LuaBounds Bounds => _bounds;

    /// <summary>Memory in use, bytes.</summary>
    public long MemoryBytes => _budget->Used;

    /// <summary>The function for requests; 0 where the script has none.</summary>
    public int OnRequest { get; private set; }

    /// <summary>The function for responses; 0 where the script has none.</summary>
    public int OnResponse { get; private set; }

    /// <summary>A machine that has loaded a script; null, with Lua's words, where the script does not load.</summary>
    public static LuaMachine? Load(byte[] code, LuaBounds bounds, LuaLog log, out string error)
    {
        var machine = new LuaMachine(bounds, log);
        LuaMachine? before = t_current;
        t_current = machine;
        try
        {
            machine.Open();
            error = machine.Execute(code);
            if (error.Length > 0)
                return null;
            machine.OnRequest = machine.Function("envoy_on_request"u8);
            machine.OnResponse = machine.Function("envoy_on_response"u8);
            return machine;
        }
        finally
        {
            t_current = before;
        }
    }

    private void Open()
    {
        foreach (string library in (string[])["base", "coroutine", "table", "string", "utf8", "math", "os"])
        {
            LuaNative.luaL_requiref(_state, library == "base" ? "_G" : library, LuaNative.Library(library), 1);
            LuaNative.Pop(_state, 1);
        }
        if (LoadText(Prelude, "=prelude"u8) != LuaNative.Ok)
            throw new InvariantException("the Lua prelude does not load: " + TakeError(_state));
        LuaCalls.PushTable(_state);
        LuaNative.lua_createtable(_state, 0, _classes.Length);
        LuaNative.lua_pushvalue(_state, -1);
        int classes = LuaNative.luaL_ref(_state, LuaNative.Registry);
        LuaNative.lua_pushinteger(_state, Seed);
        if (LuaNative.lua_pcallk(_state, 3, 0, 0, 0, 0) != LuaNative.Ok)
            throw new InvariantException("the Lua prelude failed: " + TakeError(_state));
        LuaNative.lua_rawgeti(_state, LuaNative.Registry, classes);
        foreach (LuaKind kind in Enum.GetValues<LuaKind>())
        {
            LuaNative.Push(_state, Encoding.ASCII.GetBytes(LuaObjects.NameOf(kind)));
            if (LuaNative.lua_rawget(_state, -2) != LuaNative.TypeTable)
                throw new InvariantException($"the Lua prelude has no class {kind}");
            _classes[(int)kind] = LuaNative.luaL_ref(_state, LuaNative.Registry);
        }
        LuaNative.lua_settop(_state, 0);
        LuaNative.luaL_unref(_state, LuaNative.Registry, classes);
        LuaBudget.Watch(_state);
    }

    // As Envoy, the script's own text is its name, of which messages show the first line.
    private string Execute(byte[] code)
    {
        byte[] name = new byte[code.Length + 1];
        code.CopyTo(name, 0);
        int status = LoadText(code, name);
        if (status == LuaNative.Ok)
        {
            _budget->Enforced = 1;
            status = LuaNative.lua_pcallk(_state, 0, 0, 0, 0, 0);
            _budget->Enforced = 0;
        }
        string error = status == LuaNative.Ok ? "" : _budget->Instructions <= 0 ? TooLong : TakeError(_state);
        _budget->Instructions = _bounds.Instructions;
        return error;
    }

    private int LoadText(byte[] code, ReadOnlySpan<byte> name)
    {
        fixed (byte* text = code)
        fixed (byte* named = name)
        fixed (byte* mode = "t\0"u8)
        {
            byte empty;
            return LuaNative.luaL_loadbufferx(_state, text is null ? &empty : text, (nuint)code.Length, named, mode);
        }
    }

    private int Function(ReadOnlySpan<byte> name)
    {
        // Index 2 of the registry is the table of globals (lua.h, LUA_RIDX_GLOBALS).
        LuaNative.lua_rawgeti(_state, LuaNative.Registry, 2);
        LuaNative.Push(_state, name);
        int type = LuaNative.lua_rawget(_state, -2);
        int reference = type == LuaNative.TypeNil ? 0 : LuaNative.luaL_ref(_state, LuaNative.Registry);
        LuaNative.lua_settop(_state, 0);
        return reference;
    }

    /// <summary>A thread for one run; give it back with <see cref="Release"/>.</summary>
    public (nint State, int Reference) NewThread()
    {
        if (_idle.TryPop(out (nint State, int Reference) idle))
            return idle;
        nint thread = LuaNative.lua_newthread(_state);
        return (thread, LuaNative.luaL_ref(_state, LuaNative.Registry));
    }

    /// <summary>Takes a thread back: one that ended well serves again, another is left to the collector.</summary>
    public void Release((nint State, int Reference) thread, bool clean)
    {
        if (clean && _idle.Count < ThreadsKeptMax)
        {
            LuaNative.lua_settop(thread.State, 0);
            _idle.Push(thread);
        }
        else
        {
            LuaNative.luaL_unref(_state, LuaNative.Registry, thread.Reference);
        }
    }

    /// <summary>Puts a function of the script on a thread's stack.</summary>
    public static void PushFunction(nint thread, int reference) => LuaNative.lua_rawgeti(thread, LuaNative.Registry, reference);

    /// <summary>Puts the class of a kind of object on the stack.</summary>
    public void PushClass(nint thread, LuaKind kind) => LuaNative.lua_rawgeti(thread, LuaNative.Registry, _classes[(int)kind]);

    /// <summary>Goes on with a run, its arguments being on its thread's stack. A failure is told in <paramref name="error"/>.</summary>
    public LuaOutcome Resume(LuaRun run, nint thread, int arguments, ref long instructions, out string error)
    {
        LuaMachine? before = t_current;
        LuaRun? runBefore = Run;
        long budgetBefore = _budget->Instructions;
        t_current = this;
        Run = run;
        _budget->Instructions = instructions;
        _budget->Enforced = 1;
        int results;
        int status = LuaNative.lua_resume(thread, 0, arguments, &results);
        _budget->Enforced = 0;
        instructions = _budget->Instructions;
        _budget->Instructions = budgetBefore;
        Run = runBefore;
        t_current = before;
        GC.KeepAlive(this);
        error = "";
        if (status == LuaNative.Ok)
            return LuaOutcome.Done;
        if (status == LuaNative.Yielded)
        {
            LuaNative.Pop(thread, results);
            return LuaOutcome.Yielded;
        }
        error = instructions <= 0 ? TooLong : TakeError(thread);
        return LuaOutcome.Failed;
    }

    private string TooLong => $"script used more than {_bounds.Instructions} instructions";

    internal void Enforce(bool on) => _budget->Enforced = on ? 1 : 0;

    private static string TakeError(nint state)
    {
        string text = LuaNative.lua_type(state, -1) is LuaNative.TypeString or LuaNative.TypeNumber
            ? Encoding.UTF8.GetString(LuaNative.Text(state, -1)) : "unspecified lua error";
        LuaNative.Pop(state, 1);
        return text;
    }

    private static byte[] ReadPrelude()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("Lateen.Proxy.Filters.Lua.prelude.lua")
            ?? throw new InvariantException("the Lua prelude is missing");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
