using System.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Tracing;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tracing;

/// <summary>Contexts that come and go on: B3, W3C.</summary>
public sealed class PropagationTests
{
    private const string Trace = "463ac35c9f6413ad48485a3953bb6124", Parent = "a2fb4a1d1a96d312";

    private static HeaderMap Head(params (string Name, string Value)[] headers)
    {
        var head = new HeaderMap();
        foreach ((string name, string value) in headers)
            head.Add(Encoding.ASCII.GetBytes(name), Encoding.ASCII.GetBytes(value));
        return head;
    }

    private static string Get(HeaderMap head, string name) =>
        head.TryGet(Encoding.ASCII.GetBytes(name), out ReadOnlySpan<byte> value) ? Encoding.ASCII.GetString(value) : "none";

    private static (Span Span, HeaderMap Head) Through(Propagation propagation, HeaderMap head, bool decision = true)
    {
        var span = new Span();
        propagation.Begin(head, span, decision, new Chance(7));
        if (!span.IsNull)
            propagation.Write(span, head, Address.V4(0x0a000001, 80));
        return (span, head);
    }

    [Fact]
    public void B3_makes_a_child()
    {
        (Span span, HeaderMap head) = Through(new B3(true, false, false), Head(("x-b3-traceid", Trace), ("x-b3-spanid", Parent)));
        Assert.Equal(Trace, Get(head, "x-b3-traceid"));
        Assert.Equal(Parent, Get(head, "x-b3-parentspanid"));
        Assert.Equal($"{span.Id:x16}", Get(head, "x-b3-spanid"));
        Assert.Equal("1", Get(head, "x-b3-sampled"));
        Assert.Equal("none", Get(head, "traceparent"));
    }

    [Fact]
    public void B3_shared_spans_keep_the_callers_id()
    {
        (Span span, HeaderMap head) = Through(new B3(true, true, false), Head(("x-b3-traceid", Trace), ("x-b3-spanid", Parent)));
        Assert.True(span.Shared);
        Assert.Equal(Parent, Get(head, "x-b3-spanid"));
        Assert.Equal("none", Get(head, "x-b3-parentspanid"));
    }

    [Theory]
    [InlineData("xyz", Parent)]
    [InlineData(Trace, "12")]
    [InlineData("00000000000000000000000000000000", Parent)]
    [InlineData(Trace, "0000000000000000")]
    public void B3_that_nobody_understands_is_left_alone(string trace, string span)
    {
        (Span made, HeaderMap head) = Through(new B3(true, false, false), Head(("x-b3-traceid", trace), ("x-b3-spanid", span)));
        Assert.True(made.IsNull);
        Assert.Equal(trace, Get(head, "x-b3-traceid"));
        Assert.Equal(span, Get(head, "x-b3-spanid"));
    }

    [Theory]
    [InlineData($"{Trace}-{Parent}-0", false)]
    [InlineData($"{Trace}-{Parent}-1", true)]
    [InlineData($"{Trace}-{Parent}-d", true)]
    [InlineData($"{Trace}-{Parent}-1-{Parent}", true)]
    [InlineData("0", false)]
    [InlineData("1", true)]
    public void B3_in_one_header_goes_on_in_one(string text, bool sampled)
    {
        (Span span, HeaderMap head) = Through(new B3(true, false, false), Head(("b3", text)));
        Assert.Equal(sampled, span.Sampled);
        Assert.Equal("none", Get(head, "x-b3-traceid"));
        string[] parts = Get(head, "b3").Split('-');
        Assert.Equal(sampled ? "1" : "0", parts[2]);
        if (text.Length > 1)
            Assert.Equal([Trace, $"{span.Id:x16}", parts[2], Parent], parts);
    }

    [Theory]
    [InlineData("2")]
    [InlineData("abc")]
    [InlineData($"{Trace}-12-1")]
    [InlineData($"{Trace}-{Parent}-x")]
    [InlineData($"{Trace}-{Parent}-1-")]
    [InlineData($"{Trace}-{Parent}-1-12")]
    [InlineData($"{Trace}-{Parent}1")]
    public void B3_in_one_header_that_is_broken(string text)
    {
        (Span span, HeaderMap head) = Through(new B3(true, false, false), Head(("b3", text)));
        Assert.True(span.IsNull);
        Assert.Equal(text, Get(head, "b3"));
    }

    [Fact]
    public void New_traces_have_the_width_that_was_asked_for()
    {
        Assert.Equal(16, Get(Through(new B3(false, false, false), Head()).Head, "x-b3-traceid").Length);
        (Span span, HeaderMap head) = Through(new B3(true, false, true), Head(), decision: false);
        Assert.Equal(32, Get(head, "x-b3-traceid").Length);
        Assert.Equal($"00-{Get(head, "x-b3-traceid")}-{span.Id:x16}-00", Get(head, "traceparent"));
    }

    [Theory]
    [InlineData($"00-{Trace}-{Parent}-01", true, true)]
    [InlineData($"00-{Trace}-{Parent}-00", true, false)]
    [InlineData($"00-{Trace}-{Parent}-01", false, false)]
    public void W3c_is_sampled_where_both_want_it(string text, bool decision, bool sampled)
    {
        (Span span, HeaderMap head) = Through(new TraceParent(), Head(("traceparent", text), ("tracestate", "a=b")), decision);
        Assert.Equal(sampled, span.Sampled);
        Assert.Equal($"00-{Trace}-{span.Id:x16}-0{(sampled ? 1 : 0)}", Get(head, "traceparent"));
        Assert.Equal("a=b", Get(head, "tracestate"));
    }

    [Theory]
    [InlineData("00-xyz-1-01")]
    [InlineData("ff-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01")]
    [InlineData("00-00000000000000000000000000000000-a2fb4a1d1a96d312-01")]
    [InlineData("00-463ac35c9f6413ad48485a3953bb6124-0000000000000000-01")]
    public void W3c_that_is_broken_is_left_alone(string text)
    {
        (Span span, HeaderMap head) = Through(new TraceParent(), Head(("traceparent", text)));
        Assert.True(span.IsNull);
        Assert.Equal(text, Get(head, "traceparent"));
    }

    [Fact]
    public void A_later_tag_takes_the_place_of_a_former()
    {
        var span = new Span { Sampled = true };
        span.Tag("a"u8, "1"u8);
        span.Tag("b"u8, 2);
        span.Tag("a"u8, "3"u8);
        Assert.Equal(2, span.TagCount);
        span.TagAt(0, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value);
        Assert.Equal("a3", Encoding.ASCII.GetString(key) + Encoding.ASCII.GetString(value));
    }
}
