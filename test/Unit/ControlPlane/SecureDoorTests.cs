using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Istio.V1.Auth;
using Lateen.Citadel.Authorities;
using Lateen.Citadel.Callers;
using Lateen.Citadel.Service;
using Lateen.Citadel.Tokens;
using Lateen.Config.Store;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Certificates;
using Lateen.ControlPlane.Hosting;
using Lateen.ControlPlane.Metrics;
using Lateen.Pilot.Meaning;
using Lateen.Test.Unit.Citadel;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane;

public sealed class SecureDoorTests : IAsyncLifetime
{
    private static readonly AuthorityOptions Options = new();
    private readonly List<ProcessHost> _hosts = [];
    private readonly Authority _authority = new(RootRotation.First("cluster.local", Options, TimeProvider.System.GetUtcNow()), Options);
    private readonly TokenIssuer _issuer = TokenIssuer.Create();
    private readonly List<string> _said = [];
    private CertificateService _certificates = null!;
    private string _address = "";

    public ValueTask InitializeAsync() => OpenAsync(Features.Default);

    private async ValueTask OpenAsync(Features features)
    {
        var host = new ProcessHost(
            new ControlLoop(new ControlPlaneOptions { StateFolder = "" }, new ResourceStore(_ => [], TimeProvider.System), [],
                DateTimeOffset.UnixEpoch, TimeProvider.System), TimeProvider.System);
        _hosts.Add(host);
        KeySet keys = KeySet.Read(_issuer.KeySetText)!;
        var callers = new CallerAuthentication(
            [new IssuedTokens(new TokenRule(TokenIssuer.Issuer, [TokenIssuer.Audience], static () => "cluster.local"), () => keys)], []);
        _certificates = new CertificateService(_authority, callers, Impersonation.Nobody);
        var ads = new AdsDoor(host.Writer, 4 << 20);
        var secure = new SecureDoor(ads, _certificates, callers, TimeProvider.System, _said.Add, new CallMetrics(), features);
        RequestDelegate none = _ => Task.CompletedTask;
        var options = new ControlPlaneOptions
        {
            StateFolder = "",
            HttpAddress = "127.0.0.1:0",
            GrpcAddress = "127.0.0.1:0",
            SecureGrpcAddress = "127.0.0.1:0",
            MonitoringAddress = "127.0.0.1:0",
        };
        var security = new SecureConnections(
            new ServingCertificates(_authority, ServingCertificates.HostsOf("istio-system"), TimeProvider.System), TimeProvider.System);
        _address = (await host.OpenAsync(options, new DoorAnswers(none, ads.AnswerAsync, secure.AnswerAsync, none), security, "token",
            TestContext.Current.CancellationToken)).SecureGrpc;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ProcessHost host in _hosts) await host.DisposeAsync();
        _issuer.Dispose();
    }

    [Fact]
    public async Task A_thousand_workloads_at_once_get_their_certificates()
    {
        using HttpClient client = Client();
        (string Status, IstioCertificateResponse? Response)[] answers = await Task.WhenAll(Enumerable.Range(0, 1000)
            .Select(i => AskAsync(client, _issuer.Issue("default", $"account-{i}", "p", TimeProvider.System.GetUtcNow()))));
        Assert.All(answers, answer => Assert.Equal("0", answer.Status));
        Assert.Equal(1000, answers.Select(answer => NamesOf(answer.Response!)).Distinct().Count());
        Assert.Equal(1000, _certificates.Counts.IssuedCount);
    }

    [Fact]
    public async Task A_certificate_renews_itself_and_a_strangers_ends_the_handshake()
    {
        using HttpClient first = Client();
        (_, IstioCertificateResponse? response) =
            await AskAsync(first, _issuer.Issue("default", "reviews", "p", TimeProvider.System.GetUtcNow()));
        Assert.Equal("spiffe://cluster.local/ns/default/sa/reviews", NamesOf(response!));
        using HttpClient again = Client(Shown(_authority, ["spiffe://cluster.local/ns/default/sa/reviews"]));
        Assert.Equal("0", (await AskAsync(again, token: null)).Status);
        var stranger = new Authority(RootRotation.First("cluster.local", Options, TimeProvider.System.GetUtcNow()), Options);
        using HttpClient other = Client(Shown(stranger, ["spiffe://cluster.local/ns/default/sa/reviews"]));
        await Assert.ThrowsAsync<HttpRequestException>(() => AskAsync(other, token: null));
    }

    [Fact]
    public async Task Nobody_gets_a_stream_or_a_certificate_without_a_proof()
    {
        using HttpClient client = Client();
        Assert.Equal("16", (await AskAsync(client, token: null)).Status);
        Assert.Equal("16",
            (await AskAsync(client, token: null,
                path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources")).Status);
        Assert.Equal(2, _said.Count);
    }

    [Fact]
    public async Task Where_nobody_is_asked_who_he_is_a_stream_needs_no_proof_and_a_certificate_does()
    {
        await OpenAsync(new Features(new Dictionary<string, string> { ["XDS_AUTH"] = "false" }));
        using HttpClient client = Client();
        // A certificate request is no discovery request: it is the stream that is let in.
        Assert.NotEqual("16",
            (await AskAsync(client, token: null,
                path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources")).Status);
        Assert.Equal("16", (await AskAsync(client, token: null)).Status);
    }

    [Fact]
    public async Task A_control_plane_that_certifies_nobody_does_not_know_the_service()
    {
        await OpenAsync(new Features(new Dictionary<string, string> { ["ENABLE_CA_SERVER"] = "false" }));
        using HttpClient client = Client();
        Assert.Equal("12", (await AskAsync(client, token: null)).Status);
    }

    private static X509Certificate2 Shown(Authority by, string[] names) =>
        X509CertificateLoader.LoadPkcs12(by.Serving(names, TimeProvider.System.GetUtcNow()).Export(X509ContentType.Pkcs12), null);

    private HttpClient Client(X509Certificate2? shown = null)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = Policy() },
        };
        // By name, as a workload calls it; nobody resolves that name here.
        handler.ConnectCallback = async (_, cancel) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPEndPoint.Parse(_address), cancel);
            return new NetworkStream(socket, ownsSocket: true);
        };
        if (shown is not null) handler.SslOptions.ClientCertificates = [shown];
        return new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(60) };
    }

    private X509ChainPolicy Policy()
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(_authority.Bundle.Roots.ToArray());
        return policy;
    }

    private async Task<(string Status, IstioCertificateResponse? Response)> AskAsync(HttpClient client, string? token,
        string path = CertificateService.Path)
    {
        var message = new IstioCertificateRequest { Csr = AuthorityTests.Request() };
        byte[] frame = new byte[5 + message.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), frame.Length - 5);
        message.WriteTo(frame.AsSpan(5));
        using var request = new HttpRequestMessage(HttpMethod.Post, $"https://istiod.istio-system.svc{path}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(frame),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.ParseAdd("trailers");
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using HttpResponseMessage response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        byte[] body = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        string status = response.TrailingHeaders.TryGetValues("grpc-status", out var values)
            || response.Headers.TryGetValues("grpc-status", out values) ? values.First() : "";
        return (status, body.Length > 5 ? IstioCertificateResponse.Parser.ParseFrom(body.AsSpan(5)) : null);
    }

    private static string NamesOf(IstioCertificateResponse response)
    {
        using X509Certificate2 leaf = X509Certificate2.CreateFromPem(response.CertChain[0]);
        return Assert.Single(PeerCertificates.NamesOf(leaf));
    }
}
