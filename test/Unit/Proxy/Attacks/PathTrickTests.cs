using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Routing;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Attacks;

/// <summary>
/// Path and header confusion. <c>/admin</c> is kept from clients by a route of its own; every trick asks for it under another spelling,
/// with the normalization that a mesh of Istio's is given (BASE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES). What the upstream of
/// <c>/public</c> gets must never be a path that it could take for <c>/admin</c>.
/// </summary>
public sealed class PathTrickTests
{
    private readonly ProxyRig _rig = new();
    private ScriptedUpstream _upstream = null!;

    private string Ask(string target, Func<HttpOptions, HttpOptions>? tune = null)
    {
        _rig.Tune = tune ?? (o => o with { NormalizePath = true, MergeSlashes = true, EscapedSlashes = EscapedSlashes.UnescapeAndForward });
        _upstream = _rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        ClusterHandle web = _rig.AddCluster("web", 80);
        _rig.Start(
            new Route { Name = "kept", Path = new PathMatch(PathMatchKind.Prefix, "/admin"), Action = new DirectResponseAction(403, []) },
            ProxyRig.Forward("/", web));
        return _rig.Ask($"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    }

    [Theory]
    [InlineData("/public/../admin")]
    [InlineData("/public/%2e%2e/admin")]
    [InlineData("/public/.%2E/admin")]
    [InlineData("/public/./../admin")]
    [InlineData("/./admin")]
    [InlineData("/public/..//admin")]
    [InlineData("//admin")]
    [InlineData("///admin")]
    [InlineData("/public//../../admin")]
    [InlineData("/%2fadmin")]
    [InlineData("/%5cadmin")]
    [InlineData("/\\admin")]
    [InlineData("/public\\..\\admin")]
    [InlineData("/%61dmin")]
    [InlineData("/adm%69n")]
    [InlineData("http://a/public/../admin")]
    [InlineData("/admin?x=/../public")]
    [InlineData("/admin#/../public")]
    public void Another_spelling_of_a_kept_path_is_kept_or_refused(string target)
    {
        string answer = Ask(target);
        Assert.True(answer.StartsWith("HTTP/1.1 403 ", StringComparison.Ordinal)
            || answer.StartsWith("HTTP/1.1 400 ", StringComparison.Ordinal), answer + string.Join('\n', _upstream.Requests));
        Assert.Empty(_upstream.Requests);
    }

    [Theory]
    [InlineData("/public/%252e%252e/admin", "/public/%252e%252e/admin")]
    [InlineData("/public/..;/admin", "/public/..;/admin")]
    [InlineData("/public/;x=1/a", "/public/;x=1/a")]
    [InlineData("/public?next=../admin", "/public?next=../admin")]
    [InlineData("/public/...", "/public/...")]
    public void What_is_no_trick_passes_as_it_is(string target, string wanted)
    {
        Assert.StartsWith("HTTP/1.1 200 ", Ask(target), StringComparison.Ordinal);
        Assert.StartsWith($"GET {wanted} HTTP/1.1\r\n", Assert.Single(_upstream.Requests), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/public%00")]
    [InlineData("/public\u0001")]
    public void What_is_no_path_is_refused(string target)
    {
        string answer = Ask(target);
        Assert.True(answer.StartsWith("HTTP/1.1 400 ", StringComparison.Ordinal), answer);
        Assert.Empty(_upstream.Requests);
    }

    [Theory]
    [InlineData(EscapedSlashes.Reject, "HTTP/1.1 400 ")]
    [InlineData(EscapedSlashes.UnescapeAndRedirect, "HTTP/1.1 307 ")]
    [InlineData(EscapedSlashes.UnescapeAndForward, "HTTP/1.1 403 ")]
    public void Escaped_slashes_go_by_their_action(EscapedSlashes action, string wanted)
    {
        string answer = Ask("/x/..%2fadmin", o => o with { NormalizePath = true, MergeSlashes = true, EscapedSlashes = action });
        Assert.StartsWith(wanted, answer, StringComparison.Ordinal);
        Assert.Empty(_upstream.Requests);
    }
}
