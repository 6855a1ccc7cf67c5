using Lateen.Test.Unit.Proxy.Net;
using Lateen.Test.Unit.Proxy.Xds;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Exchanges;

/// <summary>Redirects of an upstream that the proxy follows or passes on, and which counter tells why.</summary>
public sealed class InternalRedirectTests : IDisposable
{
    private const string Safe = """
        "predicates":[{"name":"safe","typed_config":{"@type":"@TYPE@internal_redirect.safe_cross_scheme.v3.SafeCrossSchemeConfig"}}],
        """;

    private const string Cross = "\"allow_cross_scheme_redirect\":true,";

    private readonly RawProxy _rig = new();
    private readonly ProbeAcceptor _upstream;

    public InternalRedirectTests() => _upstream = _rig.Serve(3, 80);

    public void Dispose() => _rig.Dispose();

    private void Start(string policy)
    {
        string route = """
            {"match":{"prefix":"/no"},"non_forwarding_action":{}},{"match":{"prefix":"/"},"route":{"cluster":"up","internal_redirect_policy":{@POLICY@"max_internal_redirects":1}}}
            """.Replace("@POLICY@", policy, StringComparison.Ordinal);
        _rig.Start(2, RawProxy.Listener("l", RawProxy.Socket(2, 8080), RawProxy.Manager(route)),
            RawProxy.Cluster("up", RawProxy.Socket(3, 80)));
    }

    // What the client gets where the first answer sends to a location and the second, if it is asked for, is 200.
    private (string Status, string Asked) Ask(string location)
    {
        Probe client = _rig.Connect(2, 8080);
        RawProxy.Say(client, "GET /first HTTP/1.1\r\nHost: a.test\r\nx-kept: mine\r\n\r\n");
        Assert.True(_rig.Run(() => _upstream.Accepted.Count == 1 && _upstream.Accepted[0].Text.EndsWith("\r\n\r\n", StringComparison.Ordinal)));
        RawProxy.Say(_upstream.Accepted[0], $"HTTP/1.1 302 Found\r\nlocation: {location}\r\nx-kept: theirs\r\ncontent-length: 0\r\n\r\n");
        Assert.True(_rig.Run(() => _upstream.Accepted.Sum(Heads) == 2 || client.Text.Length > 0));
        string asked = _upstream.Accepted.Sum(Heads) < 2 ? "" : string.Concat(_upstream.Accepted.Select(static a => a.Text)).Split("\r\n\r\n")[1];
        if (asked.Length > 0)
            RawProxy.Say(_upstream.Accepted.Last(static a => Heads(a) > 0), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        Assert.True(_rig.Run(() => client.Text.EndsWith("\r\n\r\n", StringComparison.Ordinal)));
        return (client.Text[9..12], asked);
    }

    private string[] Reasons() => [.. new[] { "bad_location", "no_route", "predicate", "too_many_redirects", "unsafe_scheme" }
        .Where(r => _rig.Counted("http.in.passthrough_internal_redirect_" + r) == 1)];

    [Theory]
    [InlineData("", "http://b.test/next#part", "200", "")]
    [InlineData("", "https://b.test/next", "302", "unsafe_scheme")]
    [InlineData(Cross, "https://b.test/next", "200", "")]
    [InlineData(Cross + Safe, "https://b.test/next", "302", "predicate")]
    [InlineData(Cross + Safe, "http://b.test/next", "200", "")]
    [InlineData("", "/relative", "302", "bad_location")]
    [InlineData("", "http://b.test/no", "302", "no_route")]
    public void It_is_followed_as_its_policy_says(string policy, string location, string status, string reason)
    {
        Start(policy);
        (string got, string asked) = Ask(location);
        Assert.Equal(status, got);
        Assert.Equal(reason.Length > 0 ? [reason] : [], Reasons());
        Assert.Equal(status == "200", asked.StartsWith("GET /next HTTP/1.1\r\n", StringComparison.Ordinal));
        Assert.Equal(status == "200", asked.Contains("x-envoy-original-url: http://a.test/first", StringComparison.Ordinal));
    }

    private static int Heads(Probe upstream) => upstream.Text.Split("\r\n\r\n").Length - 1;

    [Fact]
    public void A_second_one_in_a_row_is_passed_on()
    {
        Start("");
        Probe client = _rig.Connect(2, 8080);
        RawProxy.Say(client, "GET /first HTTP/1.1\r\nHost: a.test\r\n\r\n");
        for (int i = 1; i <= 2; i++)
        {
            Assert.True(_rig.Run(() => _upstream.Accepted.Sum(Heads) == i));
            RawProxy.Say(_upstream.Accepted.Last(static a => Heads(a) > 0), "HTTP/1.1 302 Found\r\nlocation: http://b.test/x\r\ncontent-length: 0\r\n\r\n");
        }
        Assert.True(_rig.Run(() => client.Text.Length > 0));
        Assert.StartsWith("HTTP/1.1 302 ", client.Text, StringComparison.Ordinal);
        Assert.Equal(["too_many_redirects"], Reasons());
    }
}
