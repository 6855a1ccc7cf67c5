using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Filters.ExtAuthz;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Upstream.Calls;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>An authorizer over HTTP: allows, denies, fails, is slow; bodies; clients that leave.</summary>
public sealed class ExtAuthzTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    private readonly ProxyRig _rig = new();

    private (ScriptedUpstream App, ScriptedUpstream Authorizer) Start(Func<int, string, string?> answer,
        Func<ExtAuthzSettings, ExtAuthzSettings>? change = null)
    {
        ScriptedUpstream app = _rig.AddUpstream(80, (_, _) => Ok), authorizer = _rig.AddUpstream(81, answer);
        var options = new HttpAuthzOptions
        {
            Target = new SideTarget(_rig.Upstreams, _rig.AddCluster("authorizer", 81)) { TimeoutMicros = 200_000 },
            PathPrefix = "/check"u8.ToArray(),
            ToUpstream = new HeaderNames([StringMatch.Of(StringMatchKind.Prefix, "x-user")]),
        };
        var settings = new ExtAuthzSettings { Service = new HttpAuthzService(options) };
        _rig.Filters.Add(new ExtAuthzFilter("authz", change?.Invoke(settings) ?? settings, AuthzStats.Unread(1)));
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80)));
        return (app, authorizer);
    }

    [Fact]
    public void Allowed_with_a_header_for_the_upstream()
    {
        (ScriptedUpstream app, ScriptedUpstream authorizer) =
            Start((_, _) => "HTTP/1.1 200 OK\r\nx-user: joe\r\ncontent-length: 0\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200", _rig.Ask("GET /a HTTP/1.1\r\nHost: x.test\r\nX-User: forged\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("GET /check/a HTTP/1.1\r\n", Assert.Single(authorizer.Requests), StringComparison.Ordinal);
        Assert.Contains("x-user: joe\r\n", Assert.Single(app.Requests), StringComparison.Ordinal);
    }

    [Fact]
    public void Denied_with_the_authorizers_words()
    {
        (ScriptedUpstream app, _) = Start((_, _) => "HTTP/1.1 418 Teapot\r\nx-why: tea\r\ncontent-length: 4\r\n\r\nstop");
        string answer = _rig.Ask("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 418", answer, StringComparison.Ordinal);
        Assert.Contains("x-why: tea\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("stop", answer, StringComparison.Ordinal);
        Assert.Empty(app.Requests);
        Assert.Equal(["418 UAEX ext_authz_denied 0"], _rig.Records.Lines);
    }

    [Theory]
    [InlineData(false, "403 UAEX ext_authz_error 0")]
    [InlineData(true, "200 - via_upstream 1")]
    public void A_slow_authorizer_counts_as_failed(bool allow, string record)
    {
        Start((_, _) => "", s => s with { FailureModeAllow = allow });
        _rig.Ask("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.Equal([record], _rig.Records.Lines);
    }

    [Fact]
    public void A_body_goes_along_up_to_its_limit_and_whole_to_the_upstream()
    {
        (ScriptedUpstream app, ScriptedUpstream authorizer) = Start((_, _) => Ok, s => s with { Body = new AuthzBody(4, true, false) });
        Assert.StartsWith("HTTP/1.1 200", _rig.Ask("POST /a HTTP/1.1\r\nHost: x.test\r\nContent-Length: 10\r\n\r\n0123456789"),
            StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n0123", Assert.Single(authorizer.Requests), StringComparison.Ordinal);
        Assert.Contains("x-envoy-auth-partial-body: true\r\n", authorizer.Requests[0], StringComparison.Ordinal);
        Assert.EndsWith("0123456789", Assert.Single(app.Requests), StringComparison.Ordinal);
    }

    [Fact]
    public void A_client_that_leaves_cancels_the_question()
    {
        (ScriptedUpstream app, ScriptedUpstream authorizer) = Start((_, _) => "");
        RawClient client = _rig.Connect();
        client.Send("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.True(_rig.Network.RunUntil(() => authorizer.Requests.Count == 1, 100_000));
        client.Transport.Close();
        _rig.Network.RunUntil(() => false, 1_000_000);
        Assert.Empty(app.Requests);
        Assert.Equal(0, _rig.Directory.Handle("authorizer").Breakers.Of(Lateen.Proxy.Clusters.RoutePriority.Default).Requests);
    }
}
