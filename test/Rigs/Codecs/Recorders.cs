using System.Text;
using Lateen.Proxy;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Test.Rigs.Codecs;

/// <summary>A request's receiver that writes down what it is told, and answers as the test says.</summary>
internal sealed class RecordedRequest : RequestReceiver
{
    public readonly StringBuilder Log = new();
    public readonly StringBuilder Body = new();
    public required DownstreamStream Stream;
    public Action<RecordedRequest>? WhenHead, WhenEnd;
    public bool Complete, Done;
    public int BadStatus;
    public string Detail = "";
    public ResetReason Reset;

    public string Head => Show(RequestHead);

    public static string Show(HeaderMap map)
    {
        var text = new StringBuilder();
        for (int i = 0; i < map.End; i++)
        {
            if (map.At(i, out _, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
                text.Append(Encoding.Latin1.GetString(name)).Append('=').Append(Encoding.Latin1.GetString(value)).Append('\n');
        }
        return text.ToString();
    }

    public override void OnRequestHead(bool end)
    {
        Log.Append("head ").Append(end).Append('\n').Append(Head);
        WhenHead?.Invoke(this);
        if (end)
            End();
    }

    public override void OnRequestBody(ReadOnlySpan<byte> body, bool end)
    {
        Body.Append(Encoding.Latin1.GetString(body));
        if (end)
            End();
    }

    public override void OnRequestTrailers()
    {
        Log.Append("trailers\n").Append(Show(RequestTrailers));
        End();
    }

    private void End()
    {
        Complete = true;
        Log.Append("body ").Append(Body).Append("\nend\n");
        WhenEnd?.Invoke(this);
    }

    public override void OnRequestReset(ResetReason reason, string detail)
    {
        Reset = reason;
        Detail = detail;
        Log.Append("reset ").Append(reason).Append(' ').Append(detail).Append('\n');
    }

    public override void OnBadRequest(int status, string detail, FailureKind kind)
    {
        BadStatus = status;
        Detail = detail;
        Log.Append("bad ").Append(status).Append(' ').Append(detail).Append('\n');
        Answer(status, StatusText.Of(status));
    }

    public override void OnSendable() => Log.Append("sendable\n");

    public override void OnStreamDone() => Done = true;

    public void Answer(int status, string body)
    {
        var head = new HeaderMap();
        head.Add(KnownHeader.Status, Encoding.ASCII.GetBytes($"{status}"));
        head.Add(KnownHeader.ContentLength, Encoding.ASCII.GetBytes($"{body.Length}"));
        Stream.SendHead(head, body.Length == 0);
        if (body.Length > 0)
            Stream.SendBody(Encoding.Latin1.GetBytes(body), true);
    }
}

/// <summary>Makes recorded requests.</summary>
internal sealed class RecordingAcceptor(Action<RecordedRequest>? whenEnd = null, Action<RecordedRequest>? whenHead = null) : RequestAcceptor
{
    public readonly List<RecordedRequest> Requests = [];
    public readonly List<string> Errors = [];
    public readonly List<CodecEvent> Events = [];
    public CloseReason? Closed;

    public string Log => string.Concat(Requests.Select(r => r.Log.ToString())) + string.Concat(Errors.Select(e => $"error {e}\n"));

    public override RequestReceiver OnRequest(DownstreamStream stream)
    {
        var request = new RecordedRequest { Stream = stream, WhenEnd = whenEnd, WhenHead = whenHead };
        Requests.Add(request);
        return request;
    }

    public override void OnConnectionError(string detail, FailureKind kind) => Errors.Add(detail);

    public override void OnCodecEvent(CodecEvent what) => Events.Add(what);

    public override void OnConnectionClosed(DownstreamConnection connection, CloseReason reason) => Closed = reason;
}

/// <summary>A response's receiver that writes down what it is told.</summary>
internal sealed class RecordedResponse : ResponseReceiver
{
    public readonly StringBuilder Log = new();
    public readonly StringBuilder Body = new();
    public bool Complete;
    public ResetReason Reset;

    public override void OnInformational() =>
        Log.Append("informational ").Append(Encoding.ASCII.GetString(ResponseHead[KnownHeader.Status])).Append('\n');

    public override void OnResponseHead(bool end)
    {
        Log.Append("head ").Append(end).Append('\n').Append(RecordedRequest.Show(ResponseHead));
        if (end)
            End();
    }

    public override void OnResponseBody(ReadOnlySpan<byte> body, bool end)
    {
        Body.Append(Encoding.Latin1.GetString(body));
        if (end)
            End();
    }

    public override void OnResponseTrailers()
    {
        Log.Append("trailers\n").Append(RecordedRequest.Show(ResponseTrailers));
        End();
    }

    private void End()
    {
        Complete = true;
        Log.Append("body ").Append(Body).Append("\nend\n");
    }

    public override void OnResponseReset(ResetReason reason, string detail)
    {
        Reset = reason;
        Log.Append("body ").Append(Body).Append("\nreset ").Append(reason).Append('\n');
    }

    public override void OnSendable() => Log.Append("sendable\n");
}

/// <summary>An upstream connection's owner that writes down what it is told.</summary>
internal sealed class RecordingOwner : UpstreamConnectionOwner
{
    public int Frees, Drainings, Closings;

    public override void OnFree(UpstreamConnection connection) => Frees++;

    public override void OnDraining(UpstreamConnection connection) => Drainings++;

    public override void OnClosed(UpstreamConnection connection, CloseReason reason, string detail) => Closings++;
}
