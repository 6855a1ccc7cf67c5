using System.Text;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Filters.Jwt;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Upstream.Calls;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>Tokens before the filter: good ones, hostile ones, and keys that come from a server while requests wait.</summary>
public sealed class JwtTests : IDisposable
{
    private const string Ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    private readonly Tokens _tokens = new();
    private readonly ProxyRig _rig = new();

    public void Dispose() => _tokens.Dispose();

    private ScriptedUpstream Start(JwtProvider provider)
    {
        ScriptedUpstream app = _rig.AddUpstream(80, (_, _) => Ok);
        var settings = new JwtSettings(1)
        {
            Providers = [provider],
            Rules = [new JwtRule(new PathMatch(PathMatchKind.Prefix, "/"), [], [], new ProviderRequirement(provider, null))],
            Named = new Dictionary<string, JwtRequirement>(),
            HasRemoteKeys = provider.RemoteKeys is not null,
        };
        _rig.Filters.Add(new JwtFilter("jwt", settings));
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80)));
        return app;
    }

    internal static JwtProvider Provider(KeySet? keys, KeySource? source = null) => new()
    {
        Name = "p",
        Issuer = "iss",
        LocalKeys = keys,
        RemoteKeys = source,
        Places = [new TokenPlace(TokenPlaceKind.Header, "authorization"u8.ToArray(), "Bearer "u8.ToArray(), null)],
        PayloadKey = "payload",
        ClaimToHeaders = [("x-sub"u8.ToArray(), ["sub"])],
    };

    private string Ask(string token) =>
        _rig.Ask($"GET /a HTTP/1.1\r\nHost: x.test\r\nX-Sub: forged\r\nAuthorization: Bearer {token}\r\n\r\n");

    [Fact]
    public void A_good_token_passes_and_its_claim_replaces_a_forged_header()
    {
        ScriptedUpstream app = Start(Provider(_tokens.Keys()));
        Assert.StartsWith("HTTP/1.1 200", Ask(_tokens.Sign(new { iss = "iss", sub = "me", exp = 4102444800 })), StringComparison.Ordinal);
        string request = Assert.Single(app.Requests);
        Assert.Contains("x-sub: me\r\n", request, StringComparison.Ordinal);
        Assert.DoesNotContain("forged", request, StringComparison.Ordinal);
        Assert.DoesNotContain("authorization", request, StringComparison.Ordinal);
    }

    [Fact]
    public void Hostile_tokens_do_not_pass()
    {
        ScriptedUpstream app = Start(Provider(_tokens.Keys()));
        var claims = new { iss = "iss", sub = "me" };
        using var other = new Tokens();
        string good = _tokens.Sign(claims);
        string[] parts = good.Split('.');
        string[] hostile =
        [
            "", ".", "..", "...", "a.b.c", parts[0], $"{parts[0]}.{parts[1]}", $"{parts[0]}.{parts[1]}.", $"{parts[0]}..{parts[2]}",
            good + ".x",
            $"{Tokens.Part(new { alg = "none" })}.{parts[1]}.", $"{Tokens.Part(new { alg = "none" })}.{parts[1]}.AAAA",
            $"{Tokens.Part(new { alg = "None", kid = "k1" })}.{parts[1]}.{parts[2]}",
            _tokens.Confused(claims), other.Sign(claims), _tokens.Sign(claims, "unknown"), _tokens.Sign(claims, "k1", "RS512"),
            _tokens.Sign(claims, "k1", "ES256"),
            $"{parts[0]}.{Tokens.Part(new { iss = "iss", sub = "admin" })}.{parts[2]}", _tokens.Sign(new { iss = "other" }),
            _tokens.Sign(new { iss = "iss", exp = 1 }),
            _tokens.Sign(new { iss = new[] { "iss" } }), _tokens.Sign(new { iss = "iss", exp = "4102444800" }),
            _tokens.Sign(new { iss = "iss", exp = -1 }), _tokens.Sign(new { iss = "iss", nbf = 4102444800 }),
            _tokens.Sign(claims, "../k1"), _tokens.Sign(claims, "k1\r\nX-Sub: admin"), _tokens.Sign(claims, "' OR 1=1"),
            other.Carrying(claims),
            $"{Tokens.Part("text")}.{parts[1]}.{parts[2]}", new string('A', 4000), $"{parts[0]}.{new string('e', 9000)}.{parts[2]}",
            $"{parts[0]}.{System.Buffers.Text.Base64Url.EncodeToString(Encoding.ASCII.GetBytes(new string('[', 5000)))}.{parts[2]}",
        ];
        foreach (string token in hostile)
            Assert.StartsWith("HTTP/1.1 401", Ask(token), StringComparison.Ordinal);
        Assert.Empty(app.Requests);
        Assert.StartsWith("HTTP/1.1 200", Ask(good), StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_token_is_told_with_the_realm()
    {
        Start(Provider(_tokens.Keys()));
        string answer = _rig.Ask("GET /a?b=c HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.Contains("www-authenticate: Bearer realm=\"http://x.test/a?b=c\"\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("Jwt is missing", answer, StringComparison.Ordinal);
        Assert.Equal(["401 - jwt_authn_access_denied{Jwt_is_missing} 0"], _rig.Records.Lines);
    }

    [Fact]
    public void Keys_of_a_server_are_fetched_once_for_requests_that_wait_together()
    {
        ScriptedUpstream server =
            _rig.AddUpstream(81, (_, _) => $"HTTP/1.1 200 OK\r\ncontent-length: {_tokens.Jwks().Length}\r\n\r\n{_tokens.Jwks()}");
        Start(Provider(null, Source("keys")));
        string request =
            $"GET /a HTTP/1.1\r\nHost: x.test\r\nAuthorization: Bearer {_tokens.Sign(new { iss = "iss", sub = "me" })}\r\n\r\n";
        RawClient[] clients = [_rig.Connect(), _rig.Connect(), _rig.Connect()];
        foreach (RawClient client in clients)
            client.Send(request);
        Assert.True(_rig.Network.RunUntil(() => clients.All(c => c.Complete), 2_000_000));
        Assert.All(clients, c => Assert.StartsWith("HTTP/1.1 200", c.Text, StringComparison.Ordinal));
        Assert.Contains("GET /keys HTTP/1.1\r\n", Assert.Single(server.Requests), StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_that_cannot_be_had_refuse_and_are_asked_for_again()
    {
        ScriptedUpstream server =
            _rig.AddUpstream(81, (n, _) => n == 1 ? "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"
                : $"HTTP/1.1 200 OK\r\ncontent-length: {_tokens.Jwks().Length}\r\n\r\n{_tokens.Jwks()}");
        Start(Provider(null, Source("keys")));
        string token = _tokens.Sign(new { iss = "iss" });
        Assert.EndsWith("Jwks remote fetch is failed", Ask(token), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200", Ask(token), StringComparison.Ordinal);
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public void A_client_that_leaves_while_keys_are_fetched_disturbs_nobody()
    {
        _rig.AddUpstream(81, (_, _) => "");
        ScriptedUpstream app = Start(Provider(null, Source("keys")));
        RawClient client = _rig.Connect();
        client.Send($"GET /a HTTP/1.1\r\nHost: x.test\r\nAuthorization: Bearer {_tokens.Sign(new { iss = "iss" })}\r\n\r\n");
        _rig.Network.RunUntil(() => false, 100_000);
        client.Transport.Close();
        _rig.Network.RunUntil(() => false, 2_000_000);
        Assert.Empty(app.Requests);
    }

    private KeySource Source(string cluster)
    {
        ClusterHandle handle = _rig.AddCluster(cluster, 81);
        return new KeySource(new SideTarget(_rig.Upstreams, handle) { TimeoutMicros = 500_000 }, "keys.test", "/keys", 300_000_000, false,
            0);
    }
}
