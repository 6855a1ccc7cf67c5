using System.Text;
using System.Text.Json;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Csrf;
using Lateen.Proxy.Filters.CustomResponse;
using Lateen.Proxy.Filters.MetadataRules;
using Lateen.Proxy.Filters.StatefulSession;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Matching;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters.Transforms;

/// <summary>Filters that read and write small things, over the in-memory network.</summary>
public sealed class SmallFilterTests
{
    private readonly ProxyRig _rig = new();
    private string _upstreamSaw = "";

    private string Play(HttpFilter filter, string request, string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    {
        _rig.Filters.Add(filter);
        ClusterHandle app = _rig.AddCluster("app", 9000);
        _rig.AddUpstream(9000, (_, head) =>
        {
            _upstreamSaw = head;
            return answer;
        });
        _rig.Start(ProxyRig.Forward("/", app));
        return _rig.Ask(request);
    }

    [Theory]
    [InlineData("POST", "http://a", 200)]
    [InlineData("POST", "http://evil", 403)]
    [InlineData("GET", "http://evil", 200)]
    [InlineData("PATCH", "https://x.friend", 200)]
    [InlineData("DELETE", "null", 403)]
    public void Other_origins_change_nothing_here(string method, string origin, int status)
    {
        var policy = new CsrfPolicy
        {
            Enabled = Fraction.All,
            Shadow = new Fraction(0, 100),
            Origins = [StringMatch.Of(StringMatchKind.Suffix, ".friend", false)],
        };
        string answer = Play(new CsrfFilter("csrf", policy),
            $"{method} / HTTP/1.1\r\nHost: a\r\nOrigin: {origin}\r\nContent-Length: 0\r\n\r\n");
        Assert.StartsWith($"HTTP/1.1 {status}", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_is_replaced_by_words_of_ours()
    {
        var tree = new ListTree<IStreamFacts, ResponsePolicy>(
            [(new TextCondition<IStreamFacts>(new StatusInput(ofClass: true), StringMatch.Of(StringMatchKind.Exact, "5xx")),
                new MatchOutcome<IStreamFacts, ResponsePolicy>(new LocalPolicy { Status = 200, Body = "all is well"u8.ToArray() }, null))]);
        string answer = Play(new CustomResponseFilter("custom", new CustomResponseSettings(tree)), "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "HTTP/1.1 503 No\r\nx-secret: 1\r\nContent-Length: 4\r\n\r\noops");
        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.EndsWith("all is well", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("x-secret", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_is_fetched_from_another_address()
    {
        var tree = new ListTree<IStreamFacts, ResponsePolicy>([])
        {
            OnNoMatch = new MatchOutcome<IStreamFacts, ResponsePolicy>(
                new RedirectedPolicy { Scheme = "http", Host = "pages", Path = "/sorry", Status = 299 }, null),
        };
        string answer = Play(new CustomResponseFilter("custom", new CustomResponseSettings(tree)),
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
        Assert.StartsWith("HTTP/1.1 299", answer, StringComparison.Ordinal);
        Assert.StartsWith("GET /sorry", _upstreamSaw, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/a/b", "/a", true)]
    [InlineData("/a?x", "/a", true)]
    [InlineData("/ab", "/a", false)]
    [InlineData("/a/b", "/a/", true)]
    [InlineData("/x", "", true)]
    public void A_session_is_for_its_path(string asked, string path, bool concerned)
    {
        var head = new Lateen.Proxy.Http.HeaderMap();
        head.Add(Lateen.Proxy.Http.KnownHeader.Path, Encoding.ASCII.GetBytes(asked));
        Assert.Equal(concerned, new CookieSession("s", path, 0).Concerns(head));
    }

    [Fact]
    public void A_session_cookie_comes_back_and_ends()
    {
        var session = new CookieSession("s", "/", 60);
        var answer = new Lateen.Proxy.Http.HeaderMap();
        session.Write("10.0.0.1:80", answer, 1_000_000_000);
        string cookie = Encoding.ASCII.GetString(answer[Lateen.Proxy.Http.KnownHeader.SetCookie]);
        Assert.EndsWith("; Max-Age=60; Path=/; HttpOnly", cookie, StringComparison.Ordinal);
        var request = new Lateen.Proxy.Http.HeaderMap();
        request.Add(Lateen.Proxy.Http.KnownHeader.Cookie, Encoding.ASCII.GetBytes(cookie[..cookie.IndexOf(';', StringComparison.Ordinal)]));
        Assert.Equal("10.0.0.1:80", session.Read(request, 1_059_000_000));
        Assert.Equal("", session.Read(request, 1_061_000_000));
    }

    [Theory]
    [InlineData("{\"a\":{\"b\":\"v\"}}", "v")]
    [InlineData("{\"a\":{\"b\":3}}", "3")]
    [InlineData("{\"a\":{\"b\":true}}", "1")]
    [InlineData("{\"a\":{\"b\":{}}}", "missing")]
    [InlineData("{\"a\":1}", "missing")]
    [InlineData("nope", "error")]
    [InlineData("7", "error")]
    public void A_value_of_a_body_becomes_metadata(string body, string expected)
    {
        JsonElement Text(string text) => JsonSerializer.SerializeToElement(text);
        var rule = new JsonRule(["a", "b"], new JsonTarget("n", "k", null, JsonValueKindWanted.Text, false),
            new JsonTarget("n", "k", Text("missing"), JsonValueKindWanted.AsIs, false),
            new JsonTarget("n", "k", Text("error"), JsonValueKindWanted.AsIs, false));
        var rules = new JsonRules { Rules = [rule], Types = ["application/json"u8.ToArray()] };
        string seen = "";
        _rig.Filters.Add(new JsonToMetadataFilter("json", new JsonToMetadataSettings(rules, null)));
        Play(new Spy(x => seen = x.DynamicMetadata?.Text("n", "k") ?? ""),
            $"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        Assert.Equal(expected, seen);
    }

    private sealed class Spy(Action<Exchange> look) : HttpFilter("spy")
    {
        public override FilterPhases Phases => FilterPhases.RequestHead;

        public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
        {
            look(slot.Exchange);
            return FilterVerdict.Continue;
        }
    }
}
