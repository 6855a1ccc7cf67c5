using System.Text;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Tracing;
using Lateen.Proxy.Tracing.Datadog;
using Lateen.Proxy.Tracing.SkyWalking;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tracing;

/// <summary>Contexts of Datadog and SkyWalking: taken up, sent on, begun anew, broken.</summary>
public sealed class CollectorTests
{
    private static readonly Address Host = Address.V4(0x0a000001, 80);

    private static HeaderMap Head(params (string Name, string Value)[] headers)
    {
        var head = new HeaderMap();
        head.Add(KnownHeader.Authority, "shop.test"u8);
        foreach ((string name, string value) in headers)
            head.Add(Encoding.ASCII.GetBytes(name), Encoding.ASCII.GetBytes(value));
        return head;
    }

    private static string Get(HeaderMap head, string name) =>
        head.TryGet(Encoding.ASCII.GetBytes(name), out ReadOnlySpan<byte> value) ? Encoding.ASCII.GetString(value) : "none";

    [Fact]
    public void Datadog_takes_up_a_trace_of_128_bits_and_sends_it_on()
    {
        HeaderMap head = Head(("x-datadog-trace-id", "255"), ("x-datadog-parent-id", "16"), ("x-datadog-sampling-priority", "2"),
            ("x-datadog-tags", "_dd.p.dm=-4,_dd.p.tid=00000000000000ab"), ("tracestate", "dd=s:2,other=1"));
        var span = new Span();
        var context = new DatadogContext();
        context.Begin(head, span, false, new Chance(3));
        Assert.Equal((0xabul, 255ul, 16ul, true), (span.TraceHigh, span.TraceLow, span.Parent, span.Sampled));
        context.Write(span, head, Host);
        Assert.Equal("255", Get(head, "x-datadog-trace-id"));
        Assert.Equal(span.Id.ToString(), Get(head, "x-datadog-parent-id"));
        Assert.Equal("2", Get(head, "x-datadog-sampling-priority"));
        Assert.Equal($"00-00000000000000ab00000000000000ff-{span.Id:x16}-01", Get(head, "traceparent"));
        Assert.Equal($"dd=s:1;p:{span.Id:x16},other=1", Get(head, "tracestate"));
    }

    [Theory]
    [InlineData("x-datadog-trace-id", "0")]
    [InlineData("x-datadog-trace-id", "12x")]
    [InlineData("x-datadog-trace-id", "99999999999999999999999")]
    [InlineData("x-other", "1")]
    public void Datadog_begins_anew_where_nothing_is_understood(string name, string value)
    {
        HeaderMap head = Head((name, value));
        var span = new Span { StartedAt = 1_700_000_000_000_000 };
        var context = new DatadogContext();
        context.Begin(head, span, false, new Chance(3));
        Assert.Equal(1_700_000_000ul << 32, span.TraceHigh);
        context.Write(span, head, Host);
        Assert.Equal(("-1", $"_dd.p.dm=-0,_dd.p.tid={span.TraceHigh:x16}"),
            (Get(head, "x-datadog-sampling-priority"), Get(head, "x-datadog-tags")));
    }

    private static string Encoded(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    [Fact]
    public void SkyWalking_goes_on_with_the_trace_that_came()
    {
        HeaderMap head = Head(("sw8",
            $"1-{Encoded("trace.1")}-{Encoded("segment.2")}-3-{Encoded("caller")}-{Encoded("caller-1")}-{Encoded("/buy")}-{Encoded("shop.test:80")}"));
        var span = new Span();
        var context = new SkyWalkingContext("shop", "shop-1");
        context.Begin(head, span, false, new Chance(3));
        span.SetName("ingress"u8);
        Assert.True(span.Sampled);
        var attempt = new Span { Outer = span, Place = 1, Sampled = true };
        context.Write(attempt, head, Host);
        string segment = $"{span.TraceHigh:x16}{span.TraceLow:x16}";
        Assert.Equal(
            $"1-{Encoded("trace.1")}-{Encoded(segment)}-1-{Encoded("shop")}-{Encoded("shop-1")}-{Encoded("ingress")}-{Encoded("10.0.0.1:80")}", Get(head, "sw8"));
    }

    [Theory]
    [InlineData("1-eA==-eA==-0-eA==-eA==-eA==")]
    [InlineData("1-eA==-eA==-0-eA==-eA==-eA==-eA==-eA==")]
    [InlineData("2-eA==-eA==-0-eA==-eA==-eA==-eA==")]
    [InlineData("1-eA==-eA==-x-eA==-eA==-eA==-eA==")]
    [InlineData("1-eA==-eA==--1-eA==-eA==-eA==")]
    [InlineData("1-e!==-eA==-0-eA==-eA==-eA==-eA==")]
    [InlineData("")]
    public void SkyWalking_leaves_a_broken_context_alone(string text)
    {
        var span = new Span();
        new SkyWalkingContext("shop", "shop-1").Begin(Head(("sw8", text)), span, true, new Chance(3));
        Assert.True(span.IsNull);
    }
}
