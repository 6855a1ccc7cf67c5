using System.Security.Cryptography.X509Certificates;
using System.Text;
using Istio.V1.Auth;
using Lateen.Api.Grpc;
using Lateen.Citadel.Authorities;
using Lateen.Citadel.Callers;
using Lateen.Citadel.Service;
using Lateen.Citadel.Tokens;
using Lateen.ControlPlane;
using Lateen.Proxy;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;
using Lateen.Proxy.Tls;

namespace Lateen.Test.Rigs.Stage;

/// <summary>istiod's 15012 on the in-memory network: the product's authority, tokens and discovery behind the proxy's TLS, which runs under
/// the virtual clock.</summary>
internal sealed class SecureSide(TimeProvider time)
{
    private readonly TokenIssuer _issuer = TokenIssuer.Create();
    private Citadel.Authorities.Authority? _authority;
    private CallerAuthentication? _callers;
    private CertificateService? _service;
    private (string Roots, TlsContext? Context) _made = ("", null);

    public Citadel.Authorities.Authority Authority =>
        _authority ??= new Citadel.Authorities.Authority(RootRotation.First("cluster.local", new AuthorityOptions(), time.GetUtcNow()),
            new AuthorityOptions());

    /// <summary>True while it signs nothing.</summary>
    public bool IsAway { get; set; }

    public long Issued => Service.Counts.IssuedCount;

    public string Token(string ns, string account) => _issuer.Issue(ns, account, account, time.GetUtcNow());

    /// <summary>A new root for the same key; both are trusted.</summary>
    public void RotateRoot() => Authority.Replace(RootRotation.Next(Authority.Bundle, Authority.Options, time.GetUtcNow()));

    public Acceptor Door(Func<ControlLoop> control) => new Accepting(this, control);

    private CallerAuthentication Callers => _callers ??= new CallerAuthentication([Tokens()], []);

    private CertificateService Service => _service ??= new CertificateService(Authority, Callers, Impersonation.Nobody);

    private IssuedTokens Tokens()
    {
        KeySet keys = KeySet.Read(_issuer.KeySetText)!;
        return new IssuedTokens(new TokenRule(TokenIssuer.Issuer, [TokenIssuer.Audience], static () => "cluster.local"), () => keys);
    }

    private TlsContext Context()
    {
        if (_made.Context is not null && _made.Roots == Authority.Bundle.RootsPem) return _made.Context;
        using X509Certificate2 own = Authority.Serving(["istiod.istio-system.svc"], time.GetUtcNow());
        using var key = own.GetRSAPrivateKey()!;
        _made = (Authority.Bundle.RootsPem, TlsContext.Create(new TlsOptions
        {
            IsServer = true,
            Certificates = [new TlsCertificate(Encoding.ASCII.GetBytes(own.ExportCertificatePem()),
                Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()))],
            Validation = new TlsValidation { TrustedCa = Encoding.ASCII.GetBytes(Authority.Bundle.RootsPem) },
            Alpn = ["h2"],
            Resumption = false,
        }, out string error) ?? throw new InvalidOperationException(error));
        return _made.Context!;
    }

    private sealed class Accepting(SecureSide side, Func<ControlLoop> control) : Acceptor
    {
        public override void OnAccepted(Transport transport)
        {
            TlsTransport secure = TlsTransport.Accept(transport, side.Context());
            _ = new Http2ServerConnection(secure, new Calls(side, control), new CodecOptions());
        }
    }

    private sealed class Calls(SecureSide side, Func<ControlLoop> control) : RequestAcceptor
    {
        public override RequestReceiver OnRequest(DownstreamStream stream) => new First(side, control, stream);

        public override void OnConnectionError(string detail, FailureKind kind)
        {
        }
    }

    // Which of the two services it is shows in the head.
    private sealed class First(SecureSide side, Func<ControlLoop> control, DownstreamStream stream) : RequestReceiver
    {
        private readonly GrpcFrameReader _frames = new(256 << 10);
        private DiscoveryCall? _discovery;

        public override void OnRequestHead(bool end)
        {
            if (Encoding.ASCII.GetString(RequestHead[KnownHeader.Path]) == CertificateService.Path) return;
            (Caller? caller, _) = side.Callers.AuthenticateAsync(Evidence(), side.Now, default).AsTask().Result;
            _discovery = new DiscoveryCall(control(), stream, () => side.Now, caller?.Identities ?? []);
            _discovery.RequestHead.AddAll(RequestHead);
            _discovery.OnRequestHead(end);
        }

        public override void OnRequestBody(ReadOnlySpan<byte> body, bool end)
        {
            if (_discovery is not null) _discovery.OnRequestBody(body, end);
            else if (!side.IsAway && _frames.Read(ref body, out ReadOnlySpan<byte> message) == GrpcFrameResult.Message)
                Answer(IstioCertificateRequest.Parser.ParseFrom(message));
        }

        public override void OnRequestTrailers() => _discovery?.OnRequestTrailers();

        public override void OnRequestReset(ResetReason reason, string detail) => _discovery?.OnRequestReset(reason, detail);

        public override void OnBadRequest(int status, string detail, FailureKind kind) => _discovery?.OnBadRequest(status, detail, kind);

        public override void OnSendable() => _discovery?.OnSendable();

        public override void OnStreamDone() => _discovery?.OnStreamDone();

        private void Answer(IstioCertificateRequest request)
        {
            CertificateAnswer answer = side.Service.CreateAsync(request, Evidence(), side.Now, default).AsTask().Result;
            var head = new HeaderMap();
            head.Add(KnownHeader.Status, "200"u8);
            head.Add(KnownHeader.ContentType, "application/grpc"u8);
            stream.SendHead(head, end: false);
            if (answer.Response is { } response) stream.SendBody(GrpcFrame.ToArray(response), end: false);
            var trailers = new HeaderMap();
            trailers.Add(KnownHeader.GrpcStatus,
                Encoding.ASCII.GetBytes(((int)answer.Status).ToString(System.Globalization.CultureInfo.InvariantCulture)));
            trailers.Add(KnownHeader.GrpcMessage, Encoding.ASCII.GetBytes(GrpcMessageText.Encode(answer.Message)));
            stream.SendTrailers(trailers);
        }

        private CallerEvidence Evidence()
        {
            var headers = new Dictionary<string, IReadOnlyList<string>>();
            if (RequestHead.TryGet(KnownHeader.Authorization, out ReadOnlySpan<byte> token))
                headers["authorization"] = [Encoding.ASCII.GetString(token)];
            IReadOnlyList<string> names = (stream.Transport as TlsTransport)?.Peer is { PeerValidated: true } peer ? peer.PeerUris : [];
            return new CallerEvidence(stream.Transport.Remote.ToString(), names, headers);
        }
    }

    private DateTimeOffset Now => time.GetUtcNow();
}
