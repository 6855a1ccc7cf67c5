using System.Text;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Tls;
using Lateen.Test.Unit.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tls;

/// <summary>Two hosts with certificates of one root that meet by TLS.</summary>
public abstract class TlsMeeting
{
    private protected const string ClientUri = "spiffe://cluster.local/ns/frontend/sa/client";

    private protected static readonly Authority Root = new("Root"), OtherRoot = new("Other"), Middle = new("Middle", Root);
    private protected static readonly TlsCertificate Web = Root.Issue("O=mesh", ["URI:spiffe://cluster.local/ns/default/sa/web"]);
    private protected static readonly TlsCertificate Shop = Root.Issue("CN=shop.example", ["DNS:shop.example"]);
    private protected static readonly TlsCertificate ShopRsa = Root.Issue("CN=shop.example", ["DNS:shop.example"], rsa: true);
    private protected static readonly TlsCertificate Wild = Root.Issue("CN=wild", ["DNS:*.shop.example"]);
    private protected static readonly TlsCertificate Client = Root.Issue("O=mesh", ["URI:" + ClientUri]);

    private protected readonly MemoryNetwork _network = new(3);
    private protected readonly MemoryLoop _near, _far;

    protected TlsMeeting()
    {
        _near = _network.AddHost("near", Address.V4(1, 0)).AddLoop();
        _far = _network.AddHost("far", Address.V4(2, 0)).AddLoop();
    }

    private protected static TlsValidation Trust(params SanMatch[] sans) => new() { TrustedCa = Root.Pem, Sans = sans };

    private protected static SanMatch Uri(StringMatchKind kind, string text) => new(SanKind.Uri, StringMatch.Of(kind, text));

    private protected static TlsContext Context(TlsOptions options)
    {
        TlsContext? context = TlsContext.Create(options, out string error);
        Assert.True(context is not null, error);
        return context;
    }

    private protected static TlsOptions Server(TlsValidation? validation = null, params TlsCertificate[] certificates) => new()
    {
        IsServer = true,
        Certificates = certificates.Length == 0 ? [Web] : certificates,
        Validation = validation,
        RequireClientCertificate = validation is not null,
    };

    private protected static TlsOptions ClientSide(TlsCertificate? certificate = null) => new()
    {
        IsServer = false,
        Certificates = certificate is null ? [] : [certificate],
        Validation = Trust(),
        VersionMax = TlsVersion.Tls13,
    };

    private protected sealed record Outcome(Probe Near, Probe Far, TlsTransport NearTls, TlsTransport FarTls);

    /// <summary>Shakes hands and sends a word each way.</summary>
    private protected Outcome Meet(TlsContext client, TlsContext server, TlsConnectOptions? connect = null,
        TlsConnectOptions? accept = null)
    {
        var far = new Probe { Echo = true };
        TlsTransport farTls = null!;
        var acceptor = new Accepting(inner =>
        {
            farTls = TlsTransport.Accept(inner, server, accept);
            farTls.Handler = far;
        });
        ListeningSocket socket = _far.Listen(new ListenOptions(Address.V4(2, 0)), acceptor);
        var near = new Probe();
        TlsTransport nearTls = TlsTransport.Connect(_near, new ConnectOptions(socket.Address), client, connect ?? TlsConnectOptions.None,
            near);
        nearTls.Send("word"u8);
        _network.RunUntil(() => near.Text == "word" || (near.Closings == 1 && far.Closings == 1), 20_000_000);
        socket.Close();
        return new Outcome(near, far, nearTls, farTls);
    }

    private protected sealed class Accepting(Action<Transport> action) : Acceptor
    {
        public override void OnAccepted(Transport transport) => action(transport);
    }
}
