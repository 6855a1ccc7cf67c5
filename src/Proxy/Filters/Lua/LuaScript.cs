using System.Text;

namespace Lateen.Proxy.Filters.Lua;

/// <summary>Where log lines of scripts go.</summary>
/// <param name="Say">Takes a whole line.</param>
public sealed record LuaLog(Action<string> Say)
{
    /// <summary>Writes a line of a level (Envoy's names). Traces are dropped.</summary>
    public void Write(string level, string text)
    {
        if (level is not ("trace" or "debug"))
            Say($"[{level}] [lua] script log: {text}");
    }
}

/// <summary>A script as published: tried out once, then loaded by each worker when it first needs it.</summary>
public sealed class LuaScript
{
    private readonly byte[] _code;
    private readonly LuaBounds _bounds;
    private readonly LuaLog _log;
    private readonly LuaMachine?[] _machines;
    private readonly bool[] _failed;

    private LuaScript(byte[] code, LuaBounds bounds, int workers, LuaLog log)
    {
        _code = code;
        _bounds = bounds;
        _log = log;
        _machines = new LuaMachine?[workers];
        _failed = new bool[workers];
    }

    /// <summary>The script; null, with the reason in Envoy's words, where it does not load.</summary>
    public static LuaScript? Of(byte[] code, LuaBounds bounds, int workers, LuaLog log, out string error)
    {
        LuaMachine? tried = LuaMachine.Load(code, bounds, null, log with { Say = static _ => { } }, 1, out error);
        if (tried is null)
        {
            error = "script load error: " + error;
            return null;
        }
        if (tried.OnRequest == 0)
            log.Say("[info] [lua] envoy_on_request() function not found. Lua filter will not hook requests.");
        if (tried.OnResponse == 0)
            log.Say("[info] [lua] envoy_on_response() function not found. Lua filter will not hook responses.");
        return new LuaScript(code, bounds, workers, log);
    }

    /// <summary>The machine of a worker; null where the script, once loaded well, does not load now.</summary>
    internal LuaMachine? On(Worker worker)
    {
        LuaMachine? machine = _machines[worker.Index];
        if (machine is not null || _failed[worker.Index])
            return machine;
        machine = LuaMachine.Load(_code, _bounds, worker, _log, worker.Loop.Chance.NextULong(), out string error);
        if (machine is null)
        {
            _failed[worker.Index] = true;
            _log.Write("err", error);
        }
        return _machines[worker.Index] = machine;
    }

    /// <summary>Its text.</summary>
    public override string ToString() => Encoding.UTF8.GetString(_code);
}
