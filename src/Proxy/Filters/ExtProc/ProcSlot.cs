using System.Text;
using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Filters.ExtProc;

/// <summary>One exchange before the server: its stream, the clock of its answers, and the two directions.</summary>
internal sealed class ProcSlot : FilterSlot
{
    private readonly Receiver _receiver;
    private readonly Clock _clock;
    private ProcessorService _service;
    private ProcessorStream _stream;
    private ExtProcRouteSettings? _route;
    private ProcessingMode _mode;
    private bool _active, _started, _extended;

    public ProcSlot(ExtProcSettings settings)
    {
        Config = settings;
        _receiver = new Receiver(this);
        _service = settings.Service;
        _stream = _service.NewStream(_receiver);
        _clock = new Clock(this);
        Request = new ProcDirection(this, isRequest: true);
        Response = new ProcDirection(this, isRequest: false);
    }

    public ExtProcSettings Config { get; }

    public ProcDirection Request { get; }

    public ProcDirection Response { get; }

    public void Count(ProcCounter counter) => Config.Stats?.Of(Exchange.Worker.Index).Count((int)counter);

    /// <summary>Where the server fails, the exchange goes on without it.</summary>
    public bool FailureModeAllow => _route?.FailureModeAllow ?? Config.FailureModeAllow;

    public FilterVerdict Begin(bool end)
    {
        _route = Settings as ExtProcRouteSettings;
        _mode = _route?.Mode ?? Config.Mode;
        ProcessorService service = _route?.Overrides is { } overrides ? Config.Service.With(overrides) : Config.Service;
        _active = _route is not { Disabled: true };
        if (!_active)
            return FilterVerdict.Continue;
        // A pooled exchange keeps the stream of the server that it asked last.
        if (!ReferenceEquals(service, _service))
            _stream = (_service = service).NewStream(_receiver);
        _stream.Begin(_mode);
        return Request.OnHead(Exchange.RequestHead, _mode.Request, end);
    }

    public FilterVerdict BeginResponse(bool end) =>
        _active ? Response.OnHead(Exchange.ResponseHead, _mode.Response, end) : FilterVerdict.Continue;

    // ---- to the server

    public void SendHead(bool request, HeaderMap head, bool end)
    {
        Sending(timed: true);
        _stream.SendHead(Exchange, request, head, end);
    }

    public void SendBody(bool request, ReadOnlySpan<byte> body, bool end, bool timed = true)
    {
        Sending(timed);
        _stream.SendBody(Exchange, request, body, end);
    }

    public void SendTrailers(bool request, HeaderMap trailers, bool timed = true)
    {
        Sending(timed);
        _stream.SendTrailers(Exchange, request, trailers);
    }

    private void Sending(bool timed)
    {
        if (!_started)
            Count(ProcCounter.StreamsStarted);
        _started = true;
        Count(ProcCounter.StreamMsgsSent);
        // A server that gets the body as it comes answers when it has seen enough of it.
        if (!timed)
            Exchange.Worker.Loop.Disarm(_clock);
        if (!timed || Config.Observes || _clock.IsArmed)
            return;
        _extended = false;
        Exchange.Worker.Loop.Arm(_clock, Config.MessageMicros);
    }

    // Once a message, and within bounds.
    private void Extend(long micros)
    {
        if (_extended || micros < 1000 || micros > Config.MessageMicrosMax || !_clock.IsArmed)
        {
            Count(ProcCounter.OverrideMessageTimeoutIgnored);
            return;
        }
        _extended = true;
        Count(ProcCounter.OverrideMessageTimeoutReceived);
        Exchange.Worker.Loop.Disarm(_clock);
        Exchange.Worker.Loop.Arm(_clock, micros);
    }

    // ---- from the server

    private void OnAnswer(ProcessingAnswer answer)
    {
        if (!_active || Config.Observes)
            return;
        Count(ProcCounter.StreamMsgsReceived);
        if (answer.NeedsMicros is { } micros)
        {
            Extend(micros);
            return;
        }
        Exchange.Worker.Loop.Disarm(_clock);
        IReadOnlySet<string> namespaces = _route?.Namespaces ?? Config.Namespaces;
        foreach ((string ns, JsonElement value) in answer.Metadata)
        {
            if (namespaces.Contains(ns))
                Exchange.SetMetadata(ns, value);
        }
        if (answer.Step == ProcessingStep.Immediate)
        {
            Reply(answer);
            return;
        }
        if (answer.Mode is { } mode && Config.AllowModeOverride && answer.Step is ProcessingStep.RequestHead or ProcessingStep.ResponseHead)
        {
            _mode = mode;
            Request.Adopt(mode.Request);
            Response.Adopt(mode.Response);
        }
        // The other direction may be waiting, too: its time begins anew.
        ProcDirection direction = answer.Step < ProcessingStep.ResponseHead ? Request : Response, other = direction == Request
            ? Response : Request;
        if (!direction.Expects(answer.Step))
        {
            Count(ProcCounter.SpuriousMsgsReceived);
            return;
        }
        if (other.IsWaiting)
            Exchange.Worker.Loop.Arm(_clock, Config.MessageMicros);
        direction.OnAnswer(answer);
    }

    private void Reply(ProcessingAnswer answer)
    {
        if (Config.NoImmediateAnswer)
        {
            Fail(500, "ext_proc_error_immediate_response_not_allowed");
            return;
        }
        Count(ProcCounter.ImmediateResponsesSent);
        var headers = new HeaderMap();
        Edit(headers, answer);
        Stop();
        Exchange.Reply(new LocalReply(answer.Status, answer.Details.Length > 0 ? answer.Details.Replace(' ', '_') : "ext_proc")
        {
            Body = answer.Body ?? [],
            Headers = headers,
            GrpcStatus = answer.GrpcStatus,
        });
    }

    /// <summary>Carries changes of a head out, as far as they are allowed; false where one was not and that is an error.</summary>
    public bool Edit(HeaderMap head, ProcessingAnswer answer)
    {
        bool good = true;
        foreach (byte[] name in answer.Remove)
        {
            if (name is not [(byte)':', ..] && !"host"u8.SequenceEqual(name) && Config.Rules.Allows(name))
                head.Remove(name);
        }
        foreach (HeaderEdit edit in answer.Edits)
        {
            if (edit.IsValid && Config.Rules.Allows(edit.Name))
            {
                edit.Apply(head);
                continue;
            }
            Count(ProcCounter.RejectedHeaderMutations);
            good &= !Config.Rules.DisallowedIsError;
        }
        return good;
    }

    /// <summary>The request's head was changed, or the server wants its route anew.</summary>
    public void Refresh(ProcessingAnswer answer)
    {
        bool changed = answer.Edits.Count + answer.Remove.Count > 0;
        if (Config.Refresh == RouteRefresh.Never && answer.ClearRoute)
            Count(ProcCounter.ClearRouteCacheDisabled);
        else if (answer.ClearRoute && !changed)
            Count(ProcCounter.ClearRouteCacheIgnored);
        else if (changed && (Config.Refresh == RouteRefresh.Always || (answer.ClearRoute && Config.Refresh == RouteRefresh.Asked)))
            Exchange.SelectRoute();
    }

    private void OnStreamEnd(int status)
    {
        if (!_active)
            return;
        if (status == 0)
        {
            Count(ProcCounter.StreamsClosed);
            // What was sent to it would be lost.
            if (Request.IsDuplex || Response.IsDuplex)
                Fail(500, "ext_proc_error_gRPC_stream_closed");
            else
                GoOn();
            return;
        }
        Count(ProcCounter.StreamsFailed);
        FailOrGoOn(500, $"ext_proc_error_gRPC_error_{status}");
    }

    private void OnTimeout()
    {
        Count(ProcCounter.MessageTimeouts);
        FailOrGoOn(504, "ext_proc_error_per-message_timeout_exceeded");
    }

    private void FailOrGoOn(int status, string details)
    {
        if ((!FailureModeAllow && !Config.Observes) || Request.IsDuplex || Response.IsDuplex)
        {
            Fail(status, details);
            return;
        }
        Count(ProcCounter.FailureModeAllowed);
        GoOn();
    }

    /// <summary>Ends the exchange because of the server.</summary>
    public void Fail(int status, string details)
    {
        Stop();
        Exchange.Reply(new LocalReply(status, details));
    }

    // Without the server from here on.
    private void GoOn()
    {
        Stop();
        Request.Release();
        if (!Exchange.IsFinished)
            Response.Release();
    }

    private void Stop()
    {
        _active = false;
        Exchange.Worker.Loop.Disarm(_clock);
        _stream.Close();
    }

    public void End()
    {
        if (_active)
            Stop();
    }

    protected internal override void Reset()
    {
        _active = _started = _extended = false;
        _route = null;
        Request.Reset();
        Response.Reset();
    }

    private sealed class Receiver(ProcSlot slot) : ProcessorReceiver
    {
        public override void OnAnswer(ProcessingAnswer answer) => slot.OnAnswer(answer);

        public override void OnEnd(int status) => slot.OnStreamEnd(status);
    }

    private sealed class Clock(ProcSlot slot) : Deadline
    {
        protected internal override void OnDue(long now) => slot.OnTimeout();
    }
}
