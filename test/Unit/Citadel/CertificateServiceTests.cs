using System.Buffers.Text;
using System.Text;
using Google.Protobuf.WellKnownTypes;
using Istio.V1.Auth;
using Lateen.Api.Grpc;
using Lateen.Citadel.Authorities;
using Lateen.Citadel.Callers;
using Lateen.Citadel.Service;
using Lateen.Citadel.Tokens;
using Xunit;

namespace Lateen.Test.Unit.Citadel;

public sealed class CertificateServiceTests : IDisposable
{
    private const string Identity = "spiffe://cluster.local/ns/shop/sa/productpage";
    private static readonly DateTimeOffset Now = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly TokenIssuer _issuer = TokenIssuer.Create();
    private readonly CertificateService _service;

    public CertificateServiceTests()
    {
        KeySet keys = KeySet.Read(_issuer.KeySetText)!;
        var authority = new Authority(RootRotation.First("cluster.local", new AuthorityOptions(), Now), new AuthorityOptions());
        var tokens = new IssuedTokens(new TokenRule(TokenIssuer.Issuer, [TokenIssuer.Audience], static () => "cluster.local"), () => keys);
        var impersonation = new Impersonation(Impersonation.Accounts("istio-system/ztunnel"),
            static (_, other) => other.EndsWith("/neighbour", StringComparison.Ordinal));
        _service = new CertificateService(authority, new CallerAuthentication([tokens], ["10.9.0.0/16"]), impersonation);
    }

    [Fact]
    public async Task A_token_gets_the_certificate_of_its_account()
    {
        CertificateAnswer answer = await AskAsync(Token());
        Assert.Equal(GrpcStatus.Ok, answer.Status);
        Assert.Equal([Identity], NamesOf(answer));
    }

    [Fact]
    public async Task A_client_certificate_is_as_good_as_a_token()
    {
        Assert.Equal([Identity], NamesOf(await AskAsync(token: null, certificate: Identity)));
    }

    public static TheoryData<string> BadTokens =>
        ["none", "no bearer", "garbage", "expired", "not yet", "audience", "alg none", "signature", "other key", "user", "huge", "no end"];

    [Theory]
    [MemberData(nameof(BadTokens))]
    public async Task Every_bad_token_is_answered_alike(string which)
    {
        using TokenIssuer other = TokenIssuer.Create();
        string good = Token();
        string[] parts = good.Split('.');
        string? header = which switch
        {
            "none" => null,
            "no bearer" => good,
            "garbage" => "Bearer abc",
            "expired" => "Bearer " + _issuer.Issue("shop", "productpage", "p", Now - TokenIssuer.Life),
            "not yet" => "Bearer " + _issuer.Issue("shop", "productpage", "p", Now.AddHours(1)),
            "audience" => "Bearer " + _issuer.Issue("shop", "productpage", "p", Now, audience: "vault"),
            "alg none" => $"Bearer {Base64Url.EncodeToString("""{"alg":"none"}"""u8)}.{parts[1]}.",
            "signature" =>
                $"Bearer {parts[0]}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(Base64Url.DecodeFromChars(parts[1])).Replace("productpage", "admin", StringComparison.Ordinal)))}.{parts[2]}",
            "other key" => "Bearer " + other.Issue("shop", "productpage", "p", Now),
            "user" => "Bearer " + _issuer.Issue("", "productpage", "p", Now),
            "huge" => "Bearer " + new string('a', 1 << 20),
            _ =>
                $"Bearer {parts[0]}.{Base64Url.EncodeToString("""{"iss":"https://lateen.local/tokens","aud":"istio-ca","sub":"system:serviceaccount:a:b"}"""u8)}.{parts[2]}",
        };
        CertificateAnswer answer = await AskAsync(null, authorization: header);
        Assert.Equal((GrpcStatus.Unauthenticated, "request authenticate failure"), (answer.Status, answer.Message));
        Assert.Null(answer.Response);
        Assert.NotEmpty(answer.Told);
    }

    [Theory]
    [InlineData("shop", "productpage", "spiffe://cluster.local/ns/shop/sa/neighbour", false)]
    [InlineData("istio-system", "ztunnel", "spiffe://cluster.local/ns/shop/sa/neighbour", true)]
    [InlineData("istio-system", "ztunnel", "spiffe://cluster.local/ns/shop/sa/far", false)]
    [InlineData("istio-system", "ztunnel", "www.example.com", false)]
    public async Task Only_trusted_accounts_ask_for_others_and_only_for_neighbours(string ns, string account, string other, bool may)
    {
        CertificateAnswer answer = await AskAsync(_issuer.Issue(ns, account, "p", Now), impersonated: other);
        if (may) Assert.Equal([other], NamesOf(answer));
        else Assert.Equal((GrpcStatus.Unauthenticated, "request impersonation authentication failure"), (answer.Status, answer.Message));
    }

    [Fact]
    public async Task Faults_of_the_request_are_told_as_istiod_tells_them()
    {
        CertificateAnswer answer = await AskAsync(Token(), csr: "hello");
        Assert.Equal((GrpcStatus.InvalidArgument, "CSR signing error (certificate signing request is not properly encoded)"),
            (answer.Status, answer.Message));
        answer = await AskAsync(Token(), seconds: long.MaxValue);
        Assert.Equal(GrpcStatus.InvalidArgument, answer.Status);
        Assert.Equal(1, _service.Counts.SigningFailures.Single(f => f.Error == "TTL_ERROR").Count);
    }

    [Fact]
    public async Task A_gateway_in_front_is_believed_only_from_its_network()
    {
        Assert.Equal([Identity], NamesOf(await AskAsync(null, forwarded: "URI=" + Identity, peer: "10.9.1.1:4711")));
        Assert.Equal(GrpcStatus.Unauthenticated, (await AskAsync(null, forwarded: "URI=" + Identity, peer: "10.8.1.1:4711")).Status);
    }

    public void Dispose() => _issuer.Dispose();

    private string Token() => _issuer.Issue("shop", "productpage", "productpage-1", Now);

    private async Task<CertificateAnswer> AskAsync(string? token, string? certificate = null, string? authorization = null,
        string? impersonated = null, string? csr = null, long seconds = 0, string? forwarded = null, string peer = "10.1.1.1:4711")
    {
        var headers = new Dictionary<string, IReadOnlyList<string>>();
        if ((authorization ?? (token is null ? null : "Bearer " + token)) is { } value) headers["authorization"] = [value];
        if (forwarded is not null) headers["x-forwarded-client-cert"] = [forwarded];
        var request = new IstioCertificateRequest
        {
            Csr = csr ?? AuthorityTests.Request("spiffe://cluster.local/ns/other/sa/admin"),
            ValidityDuration = seconds,
            Metadata = new Struct(),
        };
        if (impersonated is not null) request.Metadata.Fields["ImpersonatedIdentity"] = Value.ForString(impersonated);
        return await _service.CreateAsync(request, new CallerEvidence(peer, certificate is null ? [] : [certificate], headers), Now,
            TestContext.Current.CancellationToken);
    }

    private static IReadOnlyList<string> NamesOf(CertificateAnswer answer)
    {
        Assert.NotNull(answer.Response);
        using var leaf = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(answer.Response.CertChain[0]);
        return SubjectNames.UrisOf(leaf);
    }
}
