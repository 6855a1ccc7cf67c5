using System.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Filters.ExtProc;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>A processor by script: heads, bodies and answers of its own, in each mode; slow and failing ones.</summary>
public sealed class ExtProcTests
{
    private static readonly DirectionMode Head = new(true, BodyMode.None, false), Skip = new(false, BodyMode.None, false), Whole = new(true, BodyMode.Buffered, false), Parts = new(true, BodyMode.Streamed, false);

    private readonly ProxyRig _rig = new();
    private readonly Script _script = new();

    // Silent to so many pieces that end with an empty line, an answer to the next.
    private ScriptedUpstream Start(DirectionMode request, DirectionMode response, Func<ExtProcSettings, ExtProcSettings>? change = null, int silent = 0)
    {
        ScriptedUpstream app = _rig.AddUpstream(80, (n, _) => n <= silent ? "" : "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        var settings = new ExtProcSettings { Service = _script, Mode = new ProcessingMode(request, response) };
        _rig.Filters.Add(new ExtProcFilter("proc", change?.Invoke(settings) ?? settings));
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80)));
        return app;
    }

    private static HeaderEdit Set(string name, string value) => new(HeaderEditAction.Set, Encoding.ASCII.GetBytes(name), Encoding.ASCII.GetBytes(value));

    [Fact]
    public void Heads_are_changed_in_both_directions()
    {
        ScriptedUpstream app = Start(Head, Head);
        _script.Answer = (step, _, _) => new ProcessingAnswer { Step = step, Edits = [Set("x-proc", step.ToString().ToLowerInvariant()), Set(":method", "DELETE"), Set("x-envoy-not", "1")], Remove = ["x-gone"u8.ToArray()] };
        string answer = _rig.Ask("GET /a HTTP/1.1\r\nHost: x.test\r\nX-Gone: 1\r\n\r\n");
        string request = Assert.Single(app.Requests);
        Assert.StartsWith("GET /a", request, StringComparison.Ordinal);
        Assert.Contains("x-proc: requesthead\r\n", request, StringComparison.Ordinal);
        Assert.DoesNotContain("x-gone", request, StringComparison.Ordinal);
        Assert.DoesNotContain("x-envoy-not", request, StringComparison.Ordinal);
        Assert.Contains("x-proc: responsehead\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("hello", answer, StringComparison.Ordinal);
        Assert.Equal(["RequestHead - True", "ResponseHead - False"], _script.Seen);
    }

    [Fact]
    public void Buffered_bodies_are_replaced_with_their_length()
    {
        ScriptedUpstream app = Start(Whole, Whole);
        _script.Answer = (step, body, _) => new ProcessingAnswer { Step = step, Body = body is null ? null : Encoding.ASCII.GetBytes(body.ToUpperInvariant() + "!!") };
        string answer = _rig.Ask("POST /a HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\n\r\nbody");
        Assert.Contains("content-length: 6\r\n", Assert.Single(app.Requests), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nBODY!!", app.Requests[0], StringComparison.Ordinal);
        Assert.Contains("content-length: 7\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("HELLO!!", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void Streamed_parts_are_each_replaced_while_more_come()
    {
        ScriptedUpstream app = Start(Parts, Parts, silent: 1);
        _script.Answer = (step, body, _) => new ProcessingAnswer { Step = step, Body = body is null ? null : Encoding.ASCII.GetBytes($"<{body}>") };
        RawClient client = _rig.Connect();
        client.Send("POST /a HTTP/1.1\r\nHost: x.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        _rig.Network.RunUntil(() => false, 50_000);
        client.Send("3\r\ndef\r\n0\r\n\r\n");
        Assert.True(_rig.Network.RunUntil(() => client.Text.Contains("hello", StringComparison.Ordinal), 1_000_000));
        string sent = string.Concat(app.Requests);
        Assert.Contains("<abc>", sent, StringComparison.Ordinal);
        Assert.Contains("<def>", sent, StringComparison.Ordinal);
        Assert.Contains("<hello>", client.Text, StringComparison.Ordinal);
        Assert.Equal("RequestBody abc False", _script.Seen[1]);
    }

    [Fact]
    public void An_answer_of_its_own_ends_the_exchange()
    {
        ScriptedUpstream app = Start(Head, Head);
        _script.Answer = (_, _, _) => new ProcessingAnswer { Step = ProcessingStep.Immediate, Status = 451, Body = "no"u8.ToArray(), Edits = [Set("x-law", "1")], Details = "by law" };
        string answer = _rig.Ask("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 451", answer, StringComparison.Ordinal);
        Assert.Contains("x-law: 1\r\n", answer, StringComparison.Ordinal);
        Assert.Empty(app.Requests);
        Assert.Equal(["451 - by_law 0"], _rig.Records.Lines);
    }

    [Theory]
    [InlineData(false, "504 - ext_proc_error_per-message_timeout_exceeded 0")]
    [InlineData(true, "200 - via_upstream 1")]
    public void A_slow_processor_is_not_waited_for(bool allow, string record)
    {
        Start(Whole, Skip, s => s with { FailureModeAllow = allow });
        _script.Answer = (_, _, _) => null;
        _rig.Ask("POST /a HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\n\r\nbody");
        Assert.Equal([record], _rig.Records.Lines);
        Assert.True(_script.Closed);
    }

    [Fact]
    public void A_client_that_leaves_closes_the_stream()
    {
        ScriptedUpstream app = Start(Head, Head);
        _script.Answer = (_, _, _) => null;
        RawClient client = _rig.Connect();
        client.Send("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n");
        _rig.Network.RunUntil(() => _script.Seen.Count == 1, 50_000);
        client.Transport.Close();
        _rig.Network.RunUntil(() => false, 500_000);
        Assert.True(_script.Closed);
        Assert.Empty(app.Requests);
    }

    private sealed class Script : ProcessorService
    {
        public List<string> Seen { get; } = [];

        public bool Closed { get; set; }

        public Func<ProcessingStep, string?, bool, ProcessingAnswer?> Answer { get; set; } = (_, _, _) => null;

        public override ProcessorStream NewStream(ProcessorReceiver receiver) => new Talk(this, receiver);
    }

    private sealed class Talk(Script script, ProcessorReceiver receiver) : ProcessorStream
    {
        private int _generation;

        public override void SendHead(Exchange exchange, bool request, HeaderMap head, bool end) => Say(exchange, request ? ProcessingStep.RequestHead : ProcessingStep.ResponseHead, null, end);

        public override void SendBody(Exchange exchange, bool request, ReadOnlySpan<byte> body, bool end) =>
            Say(exchange, request ? ProcessingStep.RequestBody : ProcessingStep.ResponseBody, Encoding.ASCII.GetString(body), end);

        public override void SendTrailers(Exchange exchange, bool request, HeaderMap trailers) => Say(exchange, request ? ProcessingStep.RequestTrailers : ProcessingStep.ResponseTrailers, null, true);

        public override void Close()
        {
            script.Closed = true;
            _generation++;
        }

        private void Say(Exchange exchange, ProcessingStep step, string? body, bool end)
        {
            script.Seen.Add($"{step} {body ?? "-"} {end}");
            if (script.Answer(step, body, end) is { } answer)
                exchange.Worker.Loop.Arm(new Later(this, answer, _generation), 1000);
        }

        private sealed class Later(Talk talk, ProcessingAnswer answer, int generation) : Deadline
        {
            protected override void OnDue(long now)
            {
                if (generation == talk._generation)
                    talk.Tell(answer);
            }
        }

        private void Tell(ProcessingAnswer answer) => receiver.OnAnswer(answer);
    }
}
