using System.Text;

namespace Lateen.Proxy.Filters.Lua;

/// <summary>Where log lines of scripts go.</summary>
/// <param name="Say">Takes a whole line.</param>
public sealed record LuaLog(Action<string> Say)
{
    /// <summary>Nobody listens.</summary>
    public static readonly LuaLog None = new(static _ => { });

    /// <summary>Writes a line of a level (Envoy's names). Traces are dropped.</summary>
    public void Write(string level, string text)
    {
        if (level is not ("trace" or "debug"))
            Say($"[{level}] [lua] script log: {text}");
    }
}

/// <summary>A script as published: loaded once to try it, and once for each worker, so that no request waits for it. Globals are a worker's
/// own, as in Envoy.</summary>
public sealed class LuaScript
{
    private static long s_alive;

    private readonly byte[] _code;
    private readonly LuaMachine[] _machines;

    private LuaScript(byte[] code, LuaMachine[] machines)
    {
        _code = code;
        _machines = machines;
        Interlocked.Add(ref s_alive, machines.Length);
    }

    /// <summary>Dropped with its filter.</summary>
    ~LuaScript() => Interlocked.Add(ref s_alive, -_machines.Length);

    /// <summary>States of scripts that are published, those that try them out included.</summary>
    public static long MachinesAlive => Interlocked.Read(ref s_alive);

    /// <summary>The script; null, with the reason in Envoy's words, where it does not load.</summary>
    public static LuaScript? Of(byte[] code, LuaBounds bounds, int workers, LuaLog log, out string error)
    {
        var machines = new LuaMachine[workers + 1];
        for (int i = workers; i >= 0; i--)
        {
            // The one behind the workers' is the trial: what a script logs while it loads is said once.
            LuaMachine? machine = LuaMachine.Load(code, bounds, i == workers ? log : LuaLog.None, out error);
            if (machine is null)
            {
                error = "script load error: " + error;
                return null;
            }
            machine.Log = log;
            machines[i] = machine;
        }
        if (machines[0].OnRequest == 0)
            log.Say("[info] [lua] envoy_on_request() function not found. Lua filter will not hook requests.");
        if (machines[0].OnResponse == 0)
            log.Say("[info] [lua] envoy_on_response() function not found. Lua filter will not hook responses.");
        error = "";
        return new LuaScript(code, machines);
    }

    /// <summary>Memory in use by its states, bytes.</summary>
    public long MemoryBytes
    {
        get
        {
            long sum = 0;
            foreach (LuaMachine machine in _machines)
                sum += machine.MemoryBytes;
            return sum;
        }
    }

    /// <summary>The machine of a worker.</summary>
    internal LuaMachine On(Worker worker)
    {
        LuaMachine machine = _machines[worker.Index];
        machine.Worker ??= worker;
        return machine;
    }

    /// <summary>Its text.</summary>
    public override string ToString() => Encoding.UTF8.GetString(_code);
}
