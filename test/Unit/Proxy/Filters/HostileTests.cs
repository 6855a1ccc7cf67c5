using System.Text.Json;
using Lateen.Proxy.Formats;
using Lateen.Test.Unit.Proxy.Xds;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>What clients and their tokens try on logs, metadata and memory.</summary>
public sealed class HostileTests : IDisposable
{
    private const string TextLog =
        """ "access_log":[{"name":"f","typed_config":{"@type":"type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog","path":"/x","log_format":{"text_format_source":{"inline_string":"@FORMAT@\n"}}}}], """;

    private readonly Tokens _tokens = new();

    public void Dispose() => _tokens.Dispose();

    private ConfiguredProxy WithTokens(string manager) => ConfiguredProxy.OfHttp(
        ConfiguredProxy.Filter("http.jwt_authn.v3.JwtAuthentication", """
            "providers":{"p":{"issuer":"iss","payload_in_metadata":"payload","forward_payload_header":"x-payload","claim_to_headers":[{"header_name":"x-sub","claim_name":"sub"}],"local_jwks":{"inline_string":"@KEYS@"}}},
            "rules":[{"match":{"prefix":"/"},"requires":{"provider_name":"p"}}]
            """.Replace("@KEYS@", JsonEncodedText.Encode(_tokens.Jwks()).ToString(), StringComparison.Ordinal)), manager,
            answer: static (_, head) =>
        {
            int at = head.IndexOf("x-sub: ", StringComparison.Ordinal);
            string sub = at < 0 ? "none" : head[(at + 7)..head.IndexOf('\r', at)];
            return $"HTTP/1.1 200 OK\r\ncontent-length: {sub.Length}\r\n\r\n{sub}";
        });

    [Fact]
    public void A_claim_cannot_begin_a_line_of_the_log()
    {
        using ConfiguredProxy proxy = WithTokens(
            TextLog.Replace("@FORMAT@", "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:name)% end", StringComparison.Ordinal));
        Assert.Equal("", proxy.Refusal);
        proxy.Ask($"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: "
            + $"Bearer {_tokens.Sign(new { iss = "iss", name = "me\n200 GET /forged\u001b[2J\u007f\tend" })}\r\n\r\n");
        Assert.Equal("me\\x0a200 GET /forged\\x1b[2J\\x7f\tend end", Assert.Single(proxy.Log.Lines));
    }

    [Theory]
    [InlineData("X-A: a\u0001b")]
    [InlineData("X-A: a\u001b[31m")]
    [InlineData("X-A: a\0b")]
    public void Control_bytes_of_a_header_reach_neither_log_nor_upstream(string header)
    {
        using ConfiguredProxy proxy =
            ConfiguredProxy.OfHttp("", TextLog.Replace("@FORMAT@", "%REQ(X-A)% %RESPONSE_CODE%", StringComparison.Ordinal));
        Assert.StartsWith("HTTP/1.1 400", proxy.Ask($"GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n"), StringComparison.Ordinal);
        Assert.DoesNotContain(proxy.Log.Lines, static l => l.Any(static c => c < ' '));
    }

    [Fact]
    public void Quotes_and_brackets_stay_inside_of_their_JSON()
    {
        using ConfiguredProxy proxy = ConfiguredProxy.OfHttp("", """
            "access_log":[{"name":"f","typed_config":{"@type":"type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog","path":"/x","log_format":{"json_format":{"agent":"%REQ(USER-AGENT)%","mixed":"<%REQ(:PATH)%>"}}}}],
            """);
        proxy.Ask("GET /\",\"admin\":\"true HTTP/1.1\r\nHost: a\r\nUser-Agent: \"},{\"x\":\"\\u0022\u00e9\r\n\r\n");
        foreach (string line in proxy.Log.Lines)
            Assert.Equal(2, JsonDocument.Parse(line).RootElement.EnumerateObject().Count());
        Assert.NotEmpty(proxy.Log.Lines);
    }

    [Theory]
    [InlineData(100, 200)]
    [InlineData(20_000, 200)]
    [InlineData(60_000, 431)]
    public void Claims_are_as_large_as_a_head_may_be(int length, int status)
    {
        using ConfiguredProxy proxy = WithTokens("");
        string answer = proxy.Ask(
            $"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: "
            + $"Bearer {_tokens.Sign(new { iss = "iss", sub = new string('s', length) })}\r\n\r\n");
        Assert.StartsWith($"HTTP/1.1 {status}", answer, StringComparison.Ordinal);
        if (status == 200)
            Assert.EndsWith(new string('s', length), answer, StringComparison.Ordinal);
    }

    [Fact]
    public void Claims_of_great_depth_are_no_token()
    {
        using ConfiguredProxy proxy = WithTokens("");
        object deep = "x";
        for (int i = 0; i < 20; i++)
            deep = new object[] { deep };
        Assert.StartsWith("HTTP/1.1 200",
            proxy.Ask($"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {_tokens.Sign(new { iss = "iss", sub = "me", deep })}\r\n\r\n"),
            StringComparison.Ordinal);
        string deeper = "{\"iss\":\"iss\",\"deep\":" + new string('[', 4_000) + new string(']', 4_000) + "}";
        string payload = System.Buffers.Text.Base64Url.EncodeToString(System.Text.Encoding.ASCII.GetBytes(deeper));
        Assert.StartsWith("HTTP/1.1 401",
            proxy.Ask($"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: "
                + $"Bearer {Tokens.Part(new { alg = "RS256", kid = "k1" })}.{payload}.AAAA\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_flood_of_metadata_ends_its_script_and_nothing_else()
    {
        using ConfiguredProxy proxy = ConfiguredProxy.OfHttp(ConfiguredProxy.Filter("http.lua.v3.Lua", """
            "inline_code":"function envoy_on_request(h) for i = 1, 1000000 do h:streamInfo():dynamicMetadata():set('n', 'k' .. i, 'v') end end"
            """));
        Assert.StartsWith("HTTP/1.1 200", proxy.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
        Assert.Contains(proxy.Said, static s => s.Contains("too many values of dynamic metadata", StringComparison.Ordinal));
    }

    [Fact]
    public void Lines_are_made_of_what_formats_say()
    {
        var line = new ByteBuffer();
        TextFormat.Parse("a\nb %%\n").WriteLine(null!, line);
        Assert.Equal("a\nb %\n", System.Text.Encoding.ASCII.GetString(line.Written));
    }
}
