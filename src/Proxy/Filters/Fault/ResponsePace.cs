using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Filters.Fault;

/// <summary>Lets a response's body go at a rate: steps of fifty milliseconds, from tokens for one step at first and for one second at most
/// (Envoy's stream rate limiter). The upstream waits at the buffer's limit.</summary>
internal sealed class ResponsePace(FilterSlot slot) : Deadline
{
    private const long StepMicros = 50_000, SecondMicros = 1_000_000;

    private long _rate, _tokens, _filledAt;
    private bool _passing;
    private int _free;

    /// <summary>A rate holds for this exchange.</summary>
    public bool IsOn { get; private set; }

    private EventLoop Loop => slot.Exchange.Worker.Loop;

    /// <summary>Sets a rate in KiB a second.</summary>
    public void Begin(long kilobytes)
    {
        IsOn = true;
        _rate = Math.Min(kilobytes, int.MaxValue) * 1024;
        _tokens = _rate * StepMicros / SecondMicros;
        _filledAt = Loop.Now;
    }

    /// <summary>A part of the body came.</summary>
    public FilterVerdict OnBody(int bytes)
    {
        if (_passing)
        {
            // What was held is paid for; what comes while it is let go is charged behind it.
            int paid = Math.Min(bytes, _free);
            _free -= paid;
            _tokens -= bytes - paid;
            return FilterVerdict.Continue;
        }
        if (!IsArmed)
            Loop.Arm(this, 1);
        return FilterVerdict.Stop;
    }

    /// <summary>The exchange is over.</summary>
    public void End()
    {
        IsOn = false;
        if (IsArmed)
            Loop.Disarm(this);
    }

    /// <inheritdoc/>
    protected internal override void OnDue(long now)
    {
        _tokens = Math.Min(_rate, _tokens + ((now - _filledAt) * _rate / SecondMicros));
        _filledAt = now;
        ReadOnlySpan<byte> held = slot.HeldResponse;
        int allowed = (int)Math.Clamp(_tokens, 0, held.Length);
        if (allowed == held.Length)
        {
            (_passing, _free) = (true, allowed);
            _tokens -= allowed;
            slot.ResumeResponse();
            (_passing, _free) = (false, 0);
            return;
        }
        _tokens -= allowed;
        Loop.Arm(this, StepMicros);
        if (allowed == 0)
            return;
        byte[] part = held[..allowed].ToArray(), rest = held[allowed..].ToArray();
        slot.ReplaceHeldResponse(rest);
        slot.InjectResponse(part, end: false);
    }
}
