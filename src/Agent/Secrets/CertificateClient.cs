using Google.Protobuf;
using Istio.V1.Auth;
using Lateen.Agent.Discovery;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;
using Lateen.Proxy.Remote;

namespace Lateen.Agent.Secrets;

/// <summary>One question to the authority and its answer. A connection each: they are hours apart.</summary>
internal sealed class CertificateClient : GrpcReceiver
{
    private const string Path = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
    private const long PatienceMicros = 10_000_000;
    private readonly EventLoop _loop;
    private readonly IstioCertificateRequest _request;
    private readonly IReadOnlyList<KeyValuePair<string, string>> _headers;
    private readonly Action<IReadOnlyList<string>?, string> _ended;
    private readonly Clock _clock;
    private Transport? _transport;
    private bool _over;

    private CertificateClient(EventLoop loop, IstioCertificateRequest request, IReadOnlyList<KeyValuePair<string, string>> headers,
        Action<IReadOnlyList<string>?, string> ended) =>
        (_loop, _request, _headers, _ended, _clock) = (loop, request, headers, ended, new Clock(this));

    /// <summary>Asks; <paramref name="ended"/> hears the certificates, or why there are none, on a later turn.</summary>
    public static void Ask(EventLoop loop, ControlPlaneDoor door, IstioCertificateRequest request,
        IReadOnlyList<KeyValuePair<string, string>> headers, Action<IReadOnlyList<string>?, string> ended)
    {
        var client = new CertificateClient(loop, request, headers, ended);
        loop.Arm(client._clock, PatienceMicros);
        door.Connect(new Opening(client));
    }

    public override void OnMessage(ReadOnlySpan<byte> message)
    {
        try { End([.. IstioCertificateResponse.Parser.ParseFrom(message).CertChain], ""); }
        catch (InvalidProtocolBufferException) { End(null, "the authority's answer can't be read"); }
    }

    public override void OnEnd(int status, string message) =>
        End(null, $"the authority answers {Api.Grpc.GrpcStatuses.NameOf((Api.Grpc.GrpcStatus)status)}: {message}");

    private void Opened(Transport transport)
    {
        _transport = transport;
        var connection = new Http2ClientConnection(transport, new Owner(this), new CodecOptions());
        new GrpcCall(connection, "istiod", Path, _headers, this).SendLast(_request);
    }

    private void End(IReadOnlyList<string>? chain, string problem)
    {
        if (_over) return;
        _over = true;
        _loop.Disarm(_clock);
        _transport?.Close();
        _ended(chain, problem);
    }

    private sealed class Clock(CertificateClient client) : Deadline
    {
        protected override void OnDue(long now) => client.End(null, "the authority does not answer");
    }

    private sealed class Opening(CertificateClient client) : TransportHandler
    {
        public override void OnConnected(Transport transport)
        {
            if (client._over) transport.Close();
            else client.Opened(transport);
        }

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason) =>
            client.End(null, "the authority is not reached: " + ControlPlaneDoor.FailureOf(transport, reason));
    }

    private sealed class Owner(CertificateClient client) : UpstreamConnectionOwner
    {
        public override void OnFree(UpstreamConnection connection)
        {
        }

        public override void OnDraining(UpstreamConnection connection)
        {
        }

        public override void OnClosed(UpstreamConnection connection, CloseReason reason, string detail) =>
            client.End(null, $"the authority ended the connection ({reason}) {detail}".TrimEnd());
    }
}
