// Lua: scripts at requests and responses (envoy.extensions.filters.http.lua.v3), with Envoy's handles. The language is PUC Lua 5.4, by its
// C library; the prelude adds what scripts written for LuaJIT (5.1) expect. A LuaScript is published and immutable; a LuaMachine is a
// script's state on one worker, and is nobody else's; a LuaRun is a script at one direction of one exchange, and a thread of the machine. A
// script that waits (body, chunk, trailers, httpCall) yields its thread, and the filter's verdict holds the message; nothing blocks.
// Bounded: instructions of a run, memory of a machine (LuaBounds), no files, processes, bytecode or finalizers. A script's error is logged
// and counted, and the request goes on, as in Envoy. Never here: a Lua error raised from managed code, which would jump over managed
// frames; callbacks answer with a code, and the prelude raises the error.
// Refused: MoonSharp and NLua (see docs/decisions/0005-lua.md), and one state for all routes' scripts (globals of one would show in
// another).
using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Filters.Lua;

/// <summary>Settings of a route.</summary>
public sealed record LuaSettings
{
    /// <summary>No script runs.</summary>
    public bool Disabled { get; init; }

    /// <summary>The name of one of the filter's scripts; empty for none.</summary>
    public string Name { get; init; } = "";

    /// <summary>The route's own script; null for none.</summary>
    public LuaScript? Script { get; init; }

    /// <summary>What <c>filterContext()</c> shows; null for nothing.</summary>
    public JsonElement? Context { get; init; }
}

/// <summary>The filter.</summary>
public sealed class LuaFilter(string name, LuaScript? script, IReadOnlyDictionary<string, LuaScript> named, bool clearsRoute,
    Upstreams upstreams, StatGroup? stats = null) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases =>
        FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.RequestTrailers | FilterPhases.ResponseHead
            | FilterPhases.ResponseBody | FilterPhases.ResponseTrailers | FilterPhases.End;

    private const int Executions = 0, Errors = 1;

    /// <summary>What it counts: scripts begun (request and response each one), scripts that failed.</summary>
    public static readonly StatSchema Counted = StatSchema.Counters("executions", "errors");

    /// <summary>What its scripts may use.</summary>
    public LuaBounds Bounds { get; init; } = new();

    internal Upstreams Upstreams => upstreams;

    internal bool ClearsRoute => clearsRoute;

    internal void CountExecution(int worker) => stats?.Of(worker).Count(Executions);

    internal void CountError(int worker) => stats?.Of(worker).Count(Errors);

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new LuaSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end) =>
        Of(slot) is { } own ? ((LuaSlot)slot).Request.OnHead(own, end) : FilterVerdict.Continue;

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) =>
        ((LuaSlot)slot).Request.OnBody(ref body, end);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestTrailers(FilterSlot slot) => ((LuaSlot)slot).Request.OnTrailers(slot.Exchange.RequestTrailers);

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end) =>
        Of(slot) is { } own ? ((LuaSlot)slot).Response.OnHead(own, end) : FilterVerdict.Continue;

    /// <inheritdoc/>
    public override FilterVerdict OnResponseBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) =>
        ((LuaSlot)slot).Response.OnBody(ref body, end);

    /// <inheritdoc/>
    public override FilterVerdict OnResponseTrailers(FilterSlot slot) =>
        ((LuaSlot)slot).Response.OnTrailers(slot.Exchange.ResponseTrailers!);

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot)
    {
        ((LuaSlot)slot).Request.Abandon();
        ((LuaSlot)slot).Response.Abandon();
    }

    // A route that names a script which is not there runs none.
    private LuaScript? Of(FilterSlot slot) => slot.Settings is not LuaSettings own ? script
        : own.Disabled ? null
        : own.Name.Length > 0 ? named.GetValueOrDefault(own.Name)
        : own.Script ?? script;
}

/// <summary>The scripts of one exchange.</summary>
internal sealed class LuaSlot : FilterSlot
{
    public LuaSlot()
    {
        Request = new LuaRun(this, isResponse: false);
        Response = new LuaRun(this, isResponse: true);
    }

    public LuaRun Request { get; }

    public LuaRun Response { get; }

    public bool ClearsRoute => ((LuaFilter)Filter).ClearsRoute;

    public void CountExecution() => ((LuaFilter)Filter).CountExecution(Exchange.Worker.Index);

    public void CountError() => ((LuaFilter)Filter).CountError(Exchange.Worker.Index);

    public ReadOnlySpan<byte> Held(bool response) => response ? HeldResponse : HeldRequest;

    public bool Overflows(bool response, int more) => response ? ResponseOverflows(more, end: true) : RequestOverflows(more, end: true);

    public void ReplaceHeld(bool response, ReadOnlySpan<byte> body)
    {
        if (response)
            ReplaceHeldResponse(body);
        else
            ReplaceHeldRequest(body);
    }

    public void AddBody(bool response, ReadOnlySpan<byte> body)
    {
        if (response)
            AddResponseBody(body);
        else
            AddRequestBody(body);
    }

    public void BufferFromNow(bool response)
    {
        if (response)
            BufferResponse();
        else
            BufferRequest();
    }

    public void Resume(bool response)
    {
        if (response)
            ResumeResponse();
        else
            ResumeRequest();
    }
}
