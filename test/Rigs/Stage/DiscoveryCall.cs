using System.Text;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Ads;
using Lateen.Proxy;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Test.Rigs.Stage;

/// <summary>One discovery stream over HTTP/2 of the in-memory network.</summary>
internal sealed class DiscoveryCall(ControlLoop control, DownstreamStream stream, Func<DateTimeOffset> time,
    IReadOnlyList<string>? identities = null) : RequestReceiver
{
    private readonly GrpcFrameReader _frames = new(4 << 20);
    private AdsStream? _ads;
    private bool _delta, _over;

    public override void OnRequestHead(bool end)
    {
        _delta = Encoding.ASCII.GetString(RequestHead[KnownHeader.Path]).EndsWith("DeltaAggregatedResources", StringComparison.Ordinal);
        var head = new HeaderMap();
        head.Add(KnownHeader.Status, "200"u8);
        head.Add(KnownHeader.ContentType, "application/grpc"u8);
        stream.SendHead(head, end: false);
        var pump = new Pump(this);
        EventLoop loop = stream.Transport.Loop;
        _ads = control.Streams.Connect(stream.Transport.Remote.ToString(), () => loop.Post(pump), time(), identities);
    }

    public override void OnRequestBody(ReadOnlySpan<byte> body, bool end)
    {
        while (!body.IsEmpty && !_over && _frames.Read(ref body, out ReadOnlySpan<byte> message) == GrpcFrameResult.Message)
        {
            IMessage request = _delta ? DeltaDiscoveryRequest.Parser.ParseFrom(message) : DiscoveryRequest.Parser.ParseFrom(message);
            if (control.Streams.Receive(_ads!, request, time()) is { } rejection)
                End(((int)_ads!.Session.RejectionStatus).ToString(System.Globalization.CultureInfo.InvariantCulture), rejection);
        }
        Send();
        if (end)
            End("0", "");
    }

    public override void OnRequestTrailers() => End("0", "");

    public override void OnRequestReset(ResetReason reason, string detail) => Leave();

    public override void OnBadRequest(int status, string detail, FailureKind kind) => Leave();

    public override void OnSendable() => Send();

    public override void OnStreamDone() => Leave();

    private void Send()
    {
        while (!_over && stream.CanSend && control.Streams.Next(_ads!, time()) is { } response)
            stream.SendBody(GrpcFrames.ToArray(response), end: false);
        if (_ads is { IsOver: true }) End("0", "");
    }

    private void End(string status, string message)
    {
        if (_over) return;
        Leave();
        var trailers = new HeaderMap();
        trailers.Add(KnownHeader.GrpcStatus, Encoding.ASCII.GetBytes(status));
        trailers.Add(KnownHeader.GrpcMessage, Encoding.ASCII.GetBytes(GrpcMessageText.Encode(message)));
        stream.SendTrailers(trailers);
    }

    private void Leave()
    {
        if (_over) return;
        _over = true;
        if (_ads is not null) control.Streams.Disconnect(_ads, time());
    }

    private sealed class Pump(DiscoveryCall call) : Letter
    {
        protected override void Deliver() => call.Send();
    }
}
