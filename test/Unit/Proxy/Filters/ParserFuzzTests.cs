using System.Text;
using System.Text.Json;
using Lateen.Proxy.Cel;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Jwt;
using Lateen.Proxy.Filters.Lua;
using Lateen.Proxy.Filters.MetadataRules;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Telemetry;
using Lateen.Proxy.Tracing;
using Lateen.Proxy.Tracing.Datadog;
using Lateen.Proxy.Tracing.SkyWalking;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>Parsers of filters under changed inputs: a value or the error they promise, nothing else, in bounded time. Changes come from a
/// seeded source; a failure names its seed.</summary>
public sealed class ParserFuzzTests
{
    private const int Rounds = 4_000;

    private static string Changed(Chance chance, string[] seeds, string pieces)
    {
        var text = new StringBuilder(seeds[chance.Below((uint)seeds.Length)]);
        if (chance.Hits(1, 4))
            text.Append(seeds[chance.Below((uint)seeds.Length)]);
        for (uint n = chance.Below(6); n > 0 && text.Length > 0; n--)
        {
            int at = (int)chance.Below((uint)text.Length);
            switch (chance.Below(4))
            {
                case 0:
                    text[at] = pieces[(int)chance.Below((uint)pieces.Length)];
                    break;
                case 1:
                    text.Remove(at, Math.Min((int)chance.Below(8) + 1, text.Length - at));
                    break;
                case 2:
                    text.Insert(at, text.ToString(at, Math.Min((int)chance.Below(40), text.Length - at)));
                    break;
                default:
                    text.Insert(at, new string(pieces[(int)chance.Below((uint)pieces.Length)], (int)chance.Below(200)));
                    break;
            }
        }
        return text.ToString();
    }

    private static void Play(ulong seed, string[] seeds, string pieces, Action<string> parse)
    {
        var chance = new Chance(seed);
        for (int i = 0; i < Rounds; i++)
        {
            string input = Changed(chance, seeds, pieces);
            try
            {
                parse(input);
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"seed {seed}, round {i}: {e.GetType().Name} {e.Message}\n{input}");
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Tokens_and_keys(ulong seed)
    {
        using var tokens = new Tokens();
        KeySet keys = tokens.Keys();
        string[] seeds = [tokens.Sign(new { iss = "iss", sub = "me", aud = new[] { "a", "b" }, exp = 4102444800 }),
            $"{Tokens.Part(new { alg = "none" })}.{Tokens.Part(new { iss = "iss" })}.AA"];
        Play(seed, seeds, "._-=AZaz09+/{\"\0é", text => Token.Parse(Encoding.UTF8.GetBytes(text), out _));
        Play(seed, [tokens.Jwks()], "{}[]\":,.0e-AQkty\0é\\", text => KeySet.Parse(Encoding.UTF8.GetBytes(text)));
        Assert.NotNull(keys);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void Expressions(ulong seed) => Play(
        seed,
        ["request.headers['x'].startsWith(\"a\") && (1 + 2) * -3 < 4u ? [1, 2][0] : {'a': 1.5}.a",
            "has(a.b) || !(duration('1h') > x) in [b'\\x41', r'\\n', '''q''']", "re.extract('v1', 'v(.)', '\\\\1') + string(1)"],
        "()[]{}'\"\\.,:?!<>=&|+-*/%u0x9e é\0\n",
        text =>
        {
            try
            {
                CelProgram.Parse(text);
            }
            catch (CelException)
            {
                // What it promises for a text that is no expression.
            }
        });

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public void Log_formats(ulong seed)
    {
        string[] seeds = [AccessLog.EnvoyDefault,
            "%DYNAMIC_METADATA(a:b:c):20% %START_TIME(%Y-%m-%dT%H:%M:%S.%3f)% %REQ(X?Y):5% %CEL(request.path)% %%",
            "%RESPONSE_CODE_DETAILS% %FILTER_STATE(k:PLAIN:F)% %DURATION% %COMMON_DURATION(DS_RX_BEG:US_TX_END:us)%"];
        Play(seed, seeds, "%():?:0129ABZ{}\"\\ é\0", text =>
        {
            try
            {
                TextFormat.Parse(text);
            }
            catch (FormatException e)
            {
                Assert.NotEmpty(e.Message);
            }
        });
    }

    [Theory]
    [InlineData(7)]
    [InlineData(8)]
    public void Contexts_of_traces(ulong seed)
    {
        string sw8 = $"1-{Convert.ToBase64String("trace"u8)}-{Convert.ToBase64String("seg"u8)}-3-YQ==-Yg==-Yw==-ZA==";
        string[] seeds = [sw8, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1-0020000000000001", "255", "dd=s:1;p:0000000000000010,other=1"];
        Propagation[] all = [new SkyWalkingContext("s", "i"), new TraceParent(), new B3(true, false, true), new DatadogContext()];
        Play(seed, seeds, "-=;,:0123456789abcdefxyzAZ+/ \t", text =>
        {
            foreach (Propagation propagation in all)
            {
                var head = new HeaderMap();
                head.Add(KnownHeader.Authority, "a"u8);
                foreach (string name in (string[])["sw8", "traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid",
                    "x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-tags", "x-datadog-sampling-priority"])
                    head.Add(Encoding.ASCII.GetBytes(name), Encoding.Latin1.GetBytes(text));
                var span = new Span();
                propagation.Begin(head, span, true, new Chance(1));
                if (!span.IsNull)
                    propagation.Write(span, head, Address.V4(0x0a000001, 80));
            }
        });
    }

    [Fact]
    public void Bodies_as_metadata()
    {
        var target = new JsonTarget("test", "found", null, JsonValueKindWanted.AsIs, false);
        var failed = new JsonTarget("test", "failed", JsonSerializer.SerializeToElement(true), JsonValueKindWanted.AsIs, false);
        var rules = new JsonRules { Rules = [new JsonRule(["a", "b"], target, null, failed)], Types = ["application/json"u8.ToArray()] };
        var rig = new ProxyRig();
        rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        rig.Filters.Add(new JsonToMetadataFilter("json", new JsonToMetadataSettings(rules, null)));
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        var chance = new Chance(9);
        for (int i = 0; i < 150; i++)
        {
            byte[] body = Encoding.UTF8.GetBytes(
                Changed(chance, ["{\"a\":{\"b\":[1,2.5e3,\"x\",null,{\"c\":true}]}}",
                    "{\"a\":{\"b\":\"\\u00e9\\ud83d\\ude00\"},\"z\":-0.0}"], "{}[]\":,\\0123456789eutfn\0é"));
            string answer =
                rig.Ask($"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: "
                    + $"application/json\r\nContent-Length: {body.Length}\r\n\r\n{Encoding.Latin1.GetString(body)}");
            Assert.True(answer.StartsWith("HTTP/1.1 200", StringComparison.Ordinal), $"round {i}: {Encoding.UTF8.GetString(body)}");
        }
    }

    [Fact]
    public void Scripts_end_and_stay_within_their_memory()
    {
        string[] seeds =
        [
            "function envoy_on_request(h) local t = {} for k, v in pairs(h:headers()) do t[#t + 1] = k .. v end h:headers():add('x', "
            + "table.concat(t, ',')) end",
            "function envoy_on_request(h) local s = string.rep('a', 10) while #s < 100 do s = s .. s end h:metadata():get(s) end",
        ];
        var bounds = new LuaBounds(Instructions: 200_000, MemoryBytes: 2 << 20);
        var chance = new Chance(10);
        for (int i = 0; i < 300; i++)
        {
            byte[] code = Encoding.UTF8.GetBytes(Changed(chance, seeds, "(){}[]'\"=.:,#+-*/<> \nend\0"));
            if (LuaScript.Of(code, bounds, 1, LuaLog.None, out string error) is null)
                Assert.NotEmpty(error);
        }
    }
}
