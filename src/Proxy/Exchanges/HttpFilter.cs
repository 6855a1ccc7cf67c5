namespace Lateen.Proxy.Exchanges;

/// <summary>At which moments a filter wants to be called. A moment's chain holds those filters only that want it.</summary>
[Flags]
public enum FilterPhases : byte
{
    None = 0,
    RequestHead = 1,
    RequestBody = 2,
    RequestTrailers = 4,
    ResponseHead = 8,
    ResponseBody = 16,
    ResponseTrailers = 32,

    /// <summary>Once at the end, also where the filter never saw the request.</summary>
    End = 64,
}

/// <summary>What becomes of what the filter was shown.</summary>
public enum FilterVerdict : byte
{
    /// <summary>It goes on to the next filter; anything this filter had held goes before it.</summary>
    Continue,

    /// <summary>It stays here, and all that follows with it, unseen, until <see cref="FilterSlot.ResumeRequest"/> or
    /// <see cref="FilterSlot.ResumeResponse"/>; the sender is paused at the limit.</summary>
    Stop,

    /// <summary>It stays here, and what follows is shown and kept, until a later call says Continue or the slot resumes. Over the limit:
    /// 413, or 500 for a response.</summary>
    Buffer,
}

/// <summary>
/// A filter as published: immutable, shared by all workers and exchanges. What it remembers of one exchange lies in its
/// <see cref="FilterSlot"/>. Each call may reply by <see cref="Exchange.Reply"/>; its verdict does not count then. Names are interned, so
/// that routes' settings are found by reference.
/// </summary>
public abstract class HttpFilter(string name)
{
    /// <summary>Its name in the chain, interned.</summary>
    public string Name { get; } = string.Intern(name);

    /// <summary>When it is called.</summary>
    public abstract FilterPhases Phases { get; }

    /// <summary>True for the last filter of a chain, which forwards or answers.</summary>
    public virtual bool IsTerminal => false;

    /// <summary>Off unless a route switches it on.</summary>
    public bool DisabledByDefault { get; init; }

    /// <summary>A slot; made once for each pooled exchange.</summary>
    public virtual FilterSlot NewSlot() => new();

    /// <summary>The request's head.</summary>
    public virtual FilterVerdict OnRequestHead(FilterSlot slot, bool end) => FilterVerdict.Continue;

    /// <summary>A part of the request's body; the filter may put other bytes of its own in its place, which must hold until it is called
    /// again.</summary>
    public virtual FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) => FilterVerdict.Continue;

    /// <summary>The request's trailers.</summary>
    public virtual FilterVerdict OnRequestTrailers(FilterSlot slot) => FilterVerdict.Continue;

    /// <summary>The response's head.</summary>
    public virtual FilterVerdict OnResponseHead(FilterSlot slot, bool end) => FilterVerdict.Continue;

    /// <summary>A part of the response's body.</summary>
    public virtual FilterVerdict OnResponseBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) => FilterVerdict.Continue;

    /// <summary>The response's trailers.</summary>
    public virtual FilterVerdict OnResponseTrailers(FilterSlot slot) => FilterVerdict.Continue;

    /// <summary>The exchange is over (timers and calls elsewhere must be given up here).</summary>
    public virtual void OnEnd(FilterSlot slot)
    {
    }
}

/// <summary>A filter's memory of one exchange, pooled with it.</summary>
public class FilterSlot
{
    /// <summary>The exchange it belongs to, for the life of the pooled pair.</summary>
    public Exchange Exchange { get; internal set; } = null!;

    /// <summary>Its filter.</summary>
    public HttpFilter Filter { get; internal set; } = null!;

    /// <summary>Its place in the chain.</summary>
    public int Index { get; internal set; }

    /// <summary>The settings of the exchange's route for this filter; null where it has none.</summary>
    public object? Settings { get; internal set; }

    /// <summary>Goes on with what was stopped or buffered of the request.</summary>
    public void ResumeRequest() => Exchange.RequestPass.Resume(Index);

    /// <summary>Goes on with what was stopped or buffered of the response.</summary>
    public void ResumeResponse() => Exchange.ResponsePass.Resume(Index);

    /// <summary>What this filter holds of the request's body.</summary>
    public ReadOnlySpan<byte> HeldRequest => Exchange.RequestPass.HeldBody(Index);

    /// <summary>What this filter holds of the response's body.</summary>
    public ReadOnlySpan<byte> HeldResponse => Exchange.ResponsePass.HeldBody(Index);

    /// <summary>True where this filter, which buffers, must not take a further part of the request's body: say Buffer, and the request is
    /// refused.</summary>
    public bool RequestOverflows(int more, bool end) => Exchange.RequestPass.Overflows(Index, more, end);

    /// <summary>True where this filter, which buffers, must not take a further part of the response's body: say Buffer, and the response is
    /// replaced.</summary>
    public bool ResponseOverflows(int more, bool end) => Exchange.ResponsePass.Overflows(Index, more, end);

    /// <summary>Puts other bytes in the place of what this filter holds of the request's body.</summary>
    public void ReplaceHeldRequest(ReadOnlySpan<byte> body) => Exchange.RequestPass.ReplaceHeld(Index, body);

    /// <summary>Puts other bytes in the place of what this filter holds of the response's body.</summary>
    public void ReplaceHeldResponse(ReadOnlySpan<byte> body) => Exchange.ResponsePass.ReplaceHeld(Index, body);

    /// <summary>Puts other bytes in the place of what this filter was shown of the request's body that it holds.</summary>
    public void ReplaceShownRequest(ReadOnlySpan<byte> body) => Exchange.RequestPass.ReplaceShown(Index, body);

    /// <summary>Puts other bytes in the place of what this filter was shown of the response's body that it holds.</summary>
    public void ReplaceShownResponse(ReadOnlySpan<byte> body) => Exchange.ResponsePass.ReplaceShown(Index, body);

    /// <summary>The request's trailers wait behind what this filter holds.</summary>
    public bool HoldsRequestTrailers => Exchange.RequestPass.HoldsTrailers(Index);

    /// <summary>The response's trailers wait behind what this filter holds.</summary>
    public bool HoldsResponseTrailers => Exchange.ResponsePass.HoldsTrailers(Index);

    /// <summary>A request that this filter stopped is from now on buffered: what follows is shown to it.</summary>
    public void BufferRequest() => Exchange.RequestPass.BufferFromNow(Index);

    /// <summary>A response that this filter stopped is from now on buffered: what follows is shown to it.</summary>
    public void BufferResponse() => Exchange.ResponsePass.BufferFromNow(Index);

    /// <summary>The request's head that this filter holds goes on, while it keeps the body and sends another by
    /// <see cref="InjectRequest"/>.</summary>
    public void ReleaseRequestHead() => Exchange.RequestPass.ReleaseHead(Index);

    /// <summary>The response's head that this filter holds goes on, while it keeps the body and sends another by
    /// <see cref="InjectResponse"/>.</summary>
    public void ReleaseResponseHead() => Exchange.ResponsePass.ReleaseHead(Index);

    /// <summary>A part of the request's body in the place of what this filter keeps; <paramref name="end"/> ends the request.</summary>
    public void InjectRequest(ReadOnlySpan<byte> body, bool end) => Exchange.RequestPass.Inject(Index, body, end);

    /// <summary>A part of the response's body in the place of what this filter keeps; <paramref name="end"/> ends the response.</summary>
    public void InjectResponse(ReadOnlySpan<byte> body, bool end) => Exchange.ResponsePass.Inject(Index, body, end);

    /// <summary>Sends bytes of the filter's own behind the request's body; within <see cref="HttpFilter.OnRequestTrailers"/>.</summary>
    public void InsertRequestBody(ReadOnlySpan<byte> body) => Exchange.RequestPass.InsertBody(Index, body);

    /// <summary>Sends bytes of the filter's own behind the response's body; within <see cref="HttpFilter.OnResponseTrailers"/>.</summary>
    public void InsertResponseBody(ReadOnlySpan<byte> body) => Exchange.ResponsePass.InsertBody(Index, body);

    /// <summary>Ends the response with bytes in the place of its trailers; within <see cref="HttpFilter.OnResponseTrailers"/> that says
    /// Continue.</summary>
    public void EndResponseWith(ReadOnlySpan<byte> body) => Exchange.ResponsePass.EndWith(Index, body);

    /// <summary>Gives a body to a request without one; within <see cref="HttpFilter.OnRequestHead"/> that says Continue.</summary>
    public void AddRequestBody(ReadOnlySpan<byte> body) => Exchange.RequestPass.AddBody(Index, body);

    /// <summary>Gives a body to a response without one; within <see cref="HttpFilter.OnResponseHead"/> that says Continue.</summary>
    public void AddResponseBody(ReadOnlySpan<byte> body) => Exchange.ResponsePass.AddBody(Index, body);

    /// <summary>Terminal filter: the client's side takes no more for now, or takes again.</summary>
    protected internal virtual void OnResponsePaused(bool paused)
    {
    }

    /// <summary>Terminal filter: another filter or a timer has answered in its place; what it does is given up.</summary>
    protected internal virtual void OnAnsweredElsewhere()
    {
    }

    /// <summary>Forgets the exchange that is over.</summary>
    protected internal virtual void Reset()
    {
    }
}
