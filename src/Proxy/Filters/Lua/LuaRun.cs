using System.Runtime.ExceptionServices;
using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Lua;

/// <summary>What a script waits for.</summary>
internal enum LuaWait : byte
{
    None,
    Body,
    Chunk,
    Trailers,
    Call,
    Responded,
}

/// <summary>
/// A script at one direction of one exchange: a state machine whose states are what the script waits for. Pooled with the slot. It turns
/// heads, parts and trailers into resumptions of the script's thread, and what the script then waits for into verdicts.
/// </summary>
internal sealed class LuaRun(LuaSlot slot, bool isResponse)
{
    private static long s_numbers;

    private LuaMachine? _machine;
    private (nint State, int Reference) _thread;
    private long _instructions;
    private int _metadata;
    private bool _routeCleared, _replaced, _hasBuffer;

    // Each value is joined to those that are there.
    private const int MetadataMax = 1_000;

    /// <summary>True as long as the run has set few values of dynamic metadata.</summary>
    public bool MayAddMetadata() => _metadata++ < MetadataMax;

    /// <summary>The filter's slot.</summary>
    public LuaSlot Slot => slot;

    public Exchange Exchange => slot.Exchange;

    public bool IsResponse => isResponse;

    /// <summary>Number of this run in the process; objects of other runs are dead to it.</summary>
    public long Number { get; private set; }

    /// <summary>Grows with each wait.</summary>
    public long Epoch { get; private set; }

    public LuaWait Wait { get; set; }

    public HeaderMap Head => isResponse ? Exchange.ResponseHead : Exchange.RequestHead;

    /// <summary>The trailers; null before they came.</summary>
    public HeaderMap? Trailers { get; private set; }

    /// <summary>The message is complete.</summary>
    public bool Ended { get; private set; }

    /// <summary>Some of the body has come by.</summary>
    public bool SawBody { get; private set; }

    /// <summary>The script asked for the whole body, and it was kept.</summary>
    public bool HasWhole { get; private set; }

    /// <summary>The waiting call of body() wants an object for an absent body too.</summary>
    public bool WrapsAlways { get; set; }

    /// <summary>The head has gone on: it cannot be changed any more, nor answered in its place.</summary>
    public bool HeadContinued { get; private set; }

    /// <summary>The body that buffer objects show: the whole, or the part that goes by.</summary>
    public ByteBuffer Body { get; } = new(0);

    /// <summary>Work space.</summary>
    public ByteBuffer Text { get; } = new(0);

    /// <summary>The header map that is being iterated: 0 head, 1 trailers, -1 none.</summary>
    public int IteratedPart { get; set; } = -1;

    public int IteratedAt { get; set; }

    public bool IteratesMetadata { get; set; }

    public JsonElement.ObjectEnumerator MetadataFields;

    /// <summary>What is left of an iteration over dynamic metadata; null while there is none.</summary>
    public Queue<KeyValuePair<string, JsonElement>>? Namespaces { get; set; }

    public byte[] PublicKey { get; set; } = [];

    public LuaReply? Reply { get; set; }

    public LuaCall? Call { get; set; }

    /// <summary>A defect of ours inside a callback.</summary>
    public Exception? Defect { get; set; }

    private bool IsActive => _machine is not null;

    // ---- messages

    /// <summary>The head came: the script begins.</summary>
    public FilterVerdict OnHead(LuaScript script, bool end)
    {
        Abandon();
        LuaMachine machine = script.On(Exchange.Worker);
        int function = isResponse ? machine.OnResponse : machine.OnRequest;
        if (function == 0)
            return FilterVerdict.Continue;
        _machine = machine;
        Number = Interlocked.Increment(ref s_numbers);
        _instructions = machine.Bounds.Instructions;
        _metadata = 0;
        _thread = machine.NewThread();
        Ended = end;
        slot.CountExecution();
        LuaMachine.PushFunction(_thread.State, function);
        LuaObjects.Push(_thread.State, machine, this, LuaKind.Stream);
        Resume(LuaNative.lua_gettop(_thread.State) - 1);
        FilterVerdict verdict = Verdict();
        if (verdict == FilterVerdict.Continue && end && _replaced)
            slot.AddBody(isResponse, Body.Written);
        return verdict;
    }

    /// <summary>A part of the body came.</summary>
    public FilterVerdict OnBody(ref ReadOnlySpan<byte> body, bool end)
    {
        if (!IsActive)
            return FilterVerdict.Continue;
        Ended = end;
        SawBody = true;
        switch (Wait)
        {
            case LuaWait.Chunk:
                Keep(body);
                PushBody();
                ResumeWaiting();
                if (_replaced)
                    body = Body.Written;
                _replaced = false;
                return Verdict();
            case LuaWait.Body when end && slot.Overflows(isResponse, body.Length):
                return FilterVerdict.Buffer;
            case LuaWait.Body when end:
                Keep(slot.Held(isResponse), body);
                HasWhole = _hasBuffer = true;
                ResumeWithWhole();
                if (_replaced)
                    body = TakeOver(default);
                return Verdict();
            case LuaWait.Trailers when end:
                ResumeWaiting();
                break;
        }
        return Verdict();
    }

    /// <summary>The trailers came.</summary>
    public FilterVerdict OnTrailers(HeaderMap trailers)
    {
        if (!IsActive)
            return FilterVerdict.Continue;
        Ended = true;
        Trailers = trailers;
        if (Wait == LuaWait.Chunk)
        {
            ResumeWaiting();
        }
        else if (Wait == LuaWait.Body)
        {
            Keep(slot.Held(isResponse));
            HasWhole = true;
            _hasBuffer = Body.Length > 0;
            ResumeWithWhole();
            if (_replaced)
                TakeOver(Body.Written);
        }
        if (IsActive && Wait == LuaWait.Trailers)
        {
            LuaNative.lua_pushnil(_thread.State);
            LuaObjects.Push(_thread.State, _machine!, this, LuaKind.Headers, 1);
            ResumeWaiting();
        }
        return Verdict();
    }

    /// <summary>The call that the script waits for has its answer.</summary>
    public void OnAnswer(LuaCall call, HeaderMap head, ReadOnlySpan<byte> body)
    {
        if (Call != call || !IsActive)
            return;
        Call = null;
        nint state = _thread.State;
        LuaNative.lua_pushnil(state);
        LuaAnswers.Push(state, head, call.ReturnsDuplicates);
        if (body.IsEmpty)
            LuaNative.lua_pushnil(state);
        else
            LuaNative.Push(state, body);
        // What was held while the call ran has come by without being shown (Envoy counts it as seen).
        SawBody |= slot.Held(isResponse).Length > 0 && !HasWhole;
        uint generation = Exchange.Generation;
        ResumeWaiting();
        if (_replaced)
            TakeOver(Body.Written);
        FilterVerdict verdict = Verdict();
        if (generation != Exchange.Generation || Exchange.IsFinished)
            return;
        if (verdict == FilterVerdict.Continue)
            slot.Resume(isResponse);
        else if (Wait == LuaWait.Body)
            slot.BufferFromNow(isResponse);
    }

    /// <summary>The exchange is over, or another script takes its place.</summary>
    public void Abandon()
    {
        Call?.Cancel();
        if (_machine is { } machine)
            machine.Release(_thread, clean: false);
        Forget();
        Trailers = null;
        Ended = SawBody = HasWhole = HeadContinued = WrapsAlways = _routeCleared = _replaced = _hasBuffer = false;
        PublicKey = [];
        Body.Clear();
    }

    private void Forget()
    {
        _machine = null;
        Wait = LuaWait.None;
        Call = null;
        Reply = null;
        Renew();
    }

    // ---- what callbacks ask

    /// <summary>A change of the head is about to be made; false where it has gone on.</summary>
    public bool TryTouchHead()
    {
        if (HeadContinued)
            return false;
        if (slot.ClearsRoute)
            ClearRoute();
        return true;
    }

    /// <summary>The route is to be chosen anew.</summary>
    public void ClearRoute() => _routeCleared |= !isResponse;

    /// <summary>Chooses the route anew where something was changed.</summary>
    public void RefreshRoute()
    {
        if (_routeCleared)
            Exchange.SelectRoute();
        _routeCleared = false;
    }

    /// <summary>Makes the whole body the one that buffers show; false where there is none.</summary>
    public bool TakeWhole(bool always)
    {
        HasWhole |= always;
        _hasBuffer |= always;
        return _hasBuffer;
    }

    /// <summary>Puts other bytes in the place of the body.</summary>
    public void SetBody(ReadOnlySpan<byte> text)
    {
        Body.Clear();
        Body.Append(text);
        _replaced = true;
    }

    // ---- running

    private void ResumeWithWhole()
    {
        if (TakeWhole(WrapsAlways))
            PushBody();
        ResumeWaiting();
    }

    // What the waiting call gives back: the code nil, then the object.
    private void PushBody()
    {
        LuaNative.lua_pushnil(_thread.State);
        LuaObjects.Push(_thread.State, _machine!, this, LuaKind.Buffer);
    }

    private void ResumeWaiting() => Resume(LuaNative.lua_gettop(_thread.State));

    private void Resume(int arguments)
    {
        LuaMachine machine = _machine!;
        Wait = LuaWait.None;
        LuaOutcome outcome = machine.Resume(this, _thread.State, arguments, ref _instructions, out string error);
        if (Defect is { } defect)
        {
            Defect = null;
            ExceptionDispatchInfo.Throw(defect);
        }
        if (outcome == LuaOutcome.Yielded && Wait == LuaWait.None)
            (outcome, error) = (LuaOutcome.Failed, "script performed an unexpected yield");
        Renew();
        if (outcome == LuaOutcome.Yielded)
            return;
        if (outcome == LuaOutcome.Failed)
        {
            slot.CountError();
            machine.Log.Write("error", error);
        }
        machine.Release(_thread, clean: outcome == LuaOutcome.Done);
        Call?.Cancel();
        Forget();
    }

    // Objects that the script was handed are dead from here on.
    private void Renew()
    {
        Epoch++;
        IteratedPart = -1;
        IteratesMetadata = false;
        Namespaces = null;
    }

    private FilterVerdict Verdict()
    {
        switch (Wait)
        {
            case LuaWait.Body:
                return FilterVerdict.Buffer;
            case LuaWait.Call:
                if (Call is { } call && !call.HasBegun)
                    call.Begin();
                return FilterVerdict.Stop;
            case LuaWait.Responded:
                Answer();
                return FilterVerdict.Stop;
            default:
                if (!HeadContinued && !isResponse)
                    RefreshRoute();
                HeadContinued = true;
                return FilterVerdict.Continue;
        }
    }

    private void Answer()
    {
        LuaReply reply = Reply!;
        _machine!.Release(_thread, clean: false);
        Forget();
        Exchange.Reply(new LocalReply(reply.Status, "lua_response") { Body = reply.Body.Written, Headers = reply.Head });
    }

    private void Keep(ReadOnlySpan<byte> first, ReadOnlySpan<byte> then = default)
    {
        Body.Clear();
        Body.Append(first);
        Body.Append(then);
        _replaced = false;
    }

    // The script's bytes take the place of what the filter holds and of the part that is under way.
    private ReadOnlySpan<byte> TakeOver(ReadOnlySpan<byte> held)
    {
        _replaced = false;
        slot.ReplaceHeld(isResponse, held);
        return Body.Written;
    }
}

/// <summary>The head of an answer as the table that <c>httpCall</c> gives back.</summary>
internal static class LuaAnswers
{
    public static void Push(nint state, HeaderMap head, bool duplicates)
    {
        LuaNative.lua_createtable(state, 0, head.Count);
        for (int i = 0; i < head.End; i++)
        {
            if (!head.At(i, out _, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
                continue;
            LuaNative.Push(state, name);
            if (duplicates && head.IndexOf(name, head.IndexOf(name, 0) + 1) >= 0)
                PushAll(state, head, name);
            else
                LuaNative.Push(state, value);
            LuaNative.lua_rawset(state, -3);
        }
    }

    private static void PushAll(nint state, HeaderMap head, ReadOnlySpan<byte> name)
    {
        LuaNative.lua_createtable(state, 2, 0);
        int count = 0;
        for (int at = head.IndexOf(name, 0); at >= 0; at = head.IndexOf(name, at + 1))
        {
            head.At(at, out _, out _, out ReadOnlySpan<byte> value);
            LuaNative.Push(state, value);
            LuaNative.lua_rawseti(state, -2, ++count);
        }
    }
}
