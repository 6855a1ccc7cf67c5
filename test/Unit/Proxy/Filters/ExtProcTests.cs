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
    private static readonly DirectionMode Head = new(true, BodyMode.None, false), Skip = new(false, BodyMode.None, false),
        Whole = new(true, BodyMode.Buffered, false), Parts = new(true, BodyMode.Streamed, false);

    private readonly ProxyRig _rig = new();
    private readonly Script _script = new();

    // Silent to so many pieces that end with an empty line, an answer to the next.
    private ScriptedUpstream Start(DirectionMode request, DirectionMode response, Func<ExtProcSettings, ExtProcSettings>? change = null,
        int silent = 0)
    {
        ScriptedUpstream app = _rig.AddUpstream(80, (n, _) => n <= silent ? "" : "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        var settings = new ExtProcSettings { Service = _script, Mode = new ProcessingMode(request, response) };
        _rig.Filters.Add(new ExtProcFilter("proc", change?.Invoke(settings) ?? settings));
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80)));
        return app;
    }

    private static HeaderEdit Set(string name, string value) =>
        new(HeaderEditAction.Set, Encoding.ASCII.GetBytes(name), Encoding.ASCII.GetBytes(value));

    [Fact]
    public void Heads_are_changed_in_both_directions()
    {
        ScriptedUpstream app = Start(Head, Head);
        _script.Answer = (step, _, _) =>
            new ProcessingAnswer
            {
                Step = step,
                Edits = [Set("x-proc", step.ToString().ToLowerInvariant()), Set(":method", "DELETE"), Set("x-envoy-not", "1")],
                Remove = ["x-gone"u8.ToArray()],
            };
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
        _script.Answer = (step, body, _) =>
            new ProcessingAnswer { Step = step, Body = body is null ? null : Encoding.ASCII.GetBytes(body.ToUpperInvariant() + "!!") };
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
        _script.Answer = (step, body, _) =>
            new ProcessingAnswer { Step = step, Body = body is null ? null : Encoding.ASCII.GetBytes($"<{body}>") };
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
        _script.Answer = (_, _, _) => new ProcessingAnswer
        {
            Step = ProcessingStep.Immediate,
            Status = 451,
            Body = "no"u8.ToArray(),
            Edits = [Set("x-law", "1")],
            Details = "by law",
        };
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

    private static readonly DirectionMode Both = new(true, BodyMode.Duplex, true);

    [Fact]
    public void Both_talk_at_once_and_the_server_sends_the_body_that_goes_on()
    {
        ScriptedUpstream app = Start(Both, Both);
        _script.Talks = (step, body, end, say) =>
        {
            bool request = step < ProcessingStep.ResponseHead;
            // The head is answered when the body has come, in three parts of the server's own.
            if (!end || body is null)
                return;
            say(new ProcessingAnswer
            {
                Step = request ? ProcessingStep.RequestHead : ProcessingStep.ResponseHead,
                Edits = [Set("x-proc", "1")],
            });
            ProcessingStep of = request ? ProcessingStep.RequestBody : ProcessingStep.ResponseBody;
            say(new ProcessingAnswer { Step = of, IsStreamed = true, Body = "<"u8.ToArray() });
            say(new ProcessingAnswer { Step = of, IsStreamed = true, Body = "own"u8.ToArray() });
            say(new ProcessingAnswer { Step = of, IsStreamed = true, Body = ">"u8.ToArray(), EndsStream = true });
        };
        RawClient client = _rig.Connect();
        client.Send("POST /a HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\n\r\nbody");
        Assert.True(_rig.Network.RunUntil(() => client.Text.EndsWith("0\r\n\r\n", StringComparison.Ordinal), 1_000_000));
        string sent = string.Concat(app.Requests);
        Assert.Contains("x-proc: 1\r\n", sent, StringComparison.Ordinal);
        Assert.Contains("transfer-encoding: chunked\r\n", sent, StringComparison.Ordinal);
        Assert.Contains("x-proc: 1\r\n", client.Text, StringComparison.Ordinal);
        Assert.Contains("own", client.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("hello", client.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("body", sent, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, "200 - via_upstream 1")]
    [InlineData(false, "500 - ext_proc_error_gRPC_error_14 0")]
    public void A_server_that_dies_before_it_answered_the_head_is_left_out_where_that_is_allowed(bool allow, string record)
    {
        ScriptedUpstream app = Start(Both, Skip, s => s with { FailureModeAllow = allow });
        _script.Talks = (_, body, end, _) => _script.Dies = body is not null && end;
        _rig.Ask("POST /a HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\n\r\nbody");
        Assert.Equal([record], _rig.Records.Lines);
        if (allow)
            Assert.Contains("body", string.Concat(app.Requests), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1_000_000, "200 - via_upstream 1")]
    [InlineData(0, "504 - ext_proc_error_per-message_timeout_exceeded 0")]
    public void A_server_may_ask_for_more_time_within_bounds(long most, string record)
    {
        Start(Head, Skip, s => s with { MessageMicrosMax = most });
        _script.Talks = (step, _, _, say) =>
        {
            say(new ProcessingAnswer { Step = step, NeedsMicros = 900_000 });
            _script.After = 600_000;
            say(new ProcessingAnswer { Step = step });
        };
        _rig.Ask("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.Equal([record], _rig.Records.Lines);
    }

    [Fact]
    public void A_route_has_a_server_of_its_own()
    {
        var other = new Script { Answer = (step, _, _) => new ProcessingAnswer { Step = step, Edits = [Set("x-other", "1")] } };
        _script.Routed = other;
        ScriptedUpstream app = _rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        _rig.Filters.Add(new ExtProcFilter("proc", new ExtProcSettings { Service = _script, Mode = new ProcessingMode(Skip, Skip) }));
        var settings = new ExtProcRouteSettings(false, new ProcessingMode(Head, Skip)) { Overrides = new Elsewhere() };
        Lateen.Proxy.Routing.Route route = ProxyRig.Forward("/", _rig.AddCluster("web", 80));
        _rig.Start(new Lateen.Proxy.Routing.Route
        {
            Name = route.Name,
            Path = route.Path,
            Action = route.Action,
            Filters = new Lateen.Proxy.Routing.FilterSettings([KeyValuePair.Create<string, object>("proc", settings)]),
        });
        _rig.Ask("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.Contains("x-other: 1\r\n", Assert.Single(app.Requests), StringComparison.Ordinal);
        Assert.Empty(_script.Seen);
    }

    private sealed class Elsewhere : ProcessorOverrides;

    private sealed class Script : ProcessorService
    {
        public List<string> Seen { get; } = [];

        public bool Closed { get; set; }

        public Func<ProcessingStep, string?, bool, ProcessingAnswer?> Answer { get; set; } = (_, _, _) => null;

        // In place of Answer: says as much as it likes.
        public Action<ProcessingStep, string?, bool, Action<ProcessingAnswer>>? Talks { get; set; }

        public bool Dies { get; set; }

        public long After { get; set; } = 1000;

        public Script? Routed { get; set; }

        public override ProcessorService With(ProcessorOverrides overrides) => Routed ?? this;

        public override ProcessorStream NewStream(ProcessorReceiver receiver) => new Talk(this, receiver);
    }

    private sealed class Talk(Script script, ProcessorReceiver receiver) : ProcessorStream
    {
        private int _generation;

        public override void SendHead(Exchange exchange, bool request, HeaderMap head, bool end) =>
            Say(exchange, request ? ProcessingStep.RequestHead : ProcessingStep.ResponseHead, null, end);

        public override void SendBody(Exchange exchange, bool request, ReadOnlySpan<byte> body, bool end) =>
            Say(exchange, request ? ProcessingStep.RequestBody : ProcessingStep.ResponseBody, Encoding.ASCII.GetString(body), end);

        public override void SendTrailers(Exchange exchange, bool request, HeaderMap trailers) =>
            Say(exchange, request ? ProcessingStep.RequestTrailers : ProcessingStep.ResponseTrailers, null, true);

        public override void Close()
        {
            script.Closed = true;
            _generation++;
        }

        private void Say(Exchange exchange, ProcessingStep step, string? body, bool end)
        {
            script.Seen.Add($"{step} {body ?? "-"} {end}");
            script.Talks?.Invoke(step, body, end, a => exchange.Worker.Loop.Arm(new Later(this, a, _generation), script.After));
            if (script.Dies)
                exchange.Worker.Loop.Arm(new Later(this, null, _generation), 1000);
            else if (script.Talks is null && script.Answer(step, body, end) is { } answer)
                exchange.Worker.Loop.Arm(new Later(this, answer, _generation), 1000);
        }

        private sealed class Later(Talk talk, ProcessingAnswer? answer, int generation) : Deadline
        {
            protected override void OnDue(long now)
            {
                if (generation == talk._generation)
                    talk.Tell(answer);
            }
        }

        private void Tell(ProcessingAnswer? answer)
        {
            if (answer is null)
                receiver.OnEnd(14);
            else
                receiver.OnAnswer(answer);
        }
    }
}
