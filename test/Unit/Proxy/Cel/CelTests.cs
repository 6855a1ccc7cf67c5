using System.Text;
using Lateen.Proxy.Cel;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Cel;

/// <summary>Expressions: what they come to over a request, what is refused, and that common ones allocate nothing.</summary>
public sealed class CelTests
{
    private const string Request =
        "GET /shop/items?id=7#top HTTP/1.1\r\nHost: shop.test\r\nX-Team: blue\r\nX-Twice: a\r\nX-Twice: b\r\nUser-Agent: curl/8\r\n\r\n";

    // Evaluates over a request within its filter chain; "-" for no value.
    private static string[] Over(params string[] expressions) => Over(json: false, expressions);

    private static string[] Over(bool json, params string[] expressions)
    {
        var rig = new ProxyRig();
        rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        var filter = new Evaluating([.. expressions.Select(e => CelProgram.Parse(e))], json);
        rig.Filters.Add(filter);
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        rig.Ask(Request);
        return [.. filter.Results];
    }

    [Theory]
    [InlineData("[1, 'a\"', 2u, [true, null]]", "[1,\"a\\\"\",2,[true,null]]")]
    [InlineData("{'b': 1.5, 2: request.method}", "{\"b\":1.5,\"2\":\"GET\"}")]
    [InlineData("9007199254740991", "9007199254740991")]
    [InlineData("9007199254740992", "\"9007199254740992\"")]
    [InlineData("18446744073709551615u", "\"18446744073709551615\"")]
    [InlineData("0.1 + 0.2", "0.30000000000000004")]
    [InlineData("1.0 / 0.0", "\"Infinity\"")]
    [InlineData("request.headers", "-")]
    [InlineData("[1 / 0]", "-")]
    [InlineData("'text'", "text")]
    public void Typed_values_are_JSON(string expression, string json) => Assert.Equal([json], Over(json: true, expression));

    [Theory]
    [InlineData("1 + 2 * 3", "7")]
    [InlineData("(1 + 2) * 3 - -4", "13")]
    [InlineData("7 / 2", "3")]
    [InlineData("7 % 4 == 3", "true")]
    [InlineData("1 / 0", "-")]
    [InlineData("9223372036854775807 + 1", "-")]
    [InlineData("-9223372036854775808", "-9223372036854775808")]
    [InlineData("0x10 + 1", "17")]
    [InlineData("2u + 3u", "5")]
    [InlineData("2u - 3u", "-")]
    [InlineData("1.5 + 0.25", "1.75")]
    [InlineData("1 == 1.0", "true")]
    [InlineData("1u == 1", "true")]
    [InlineData("-1 < 1u", "true")]
    [InlineData("'a' < 'b' && 'b' <= 'b'", "true")]
    [InlineData("'a' == 1", "false")]
    [InlineData("'a' < 1", "-")]
    [InlineData("'a' + 'b'", "-")]
    [InlineData("true ? 'yes' : 'no'", "yes")]
    [InlineData("!(1 > 2)", "true")]
    [InlineData("null == null", "true")]
    [InlineData("null", "NULL")]
    [InlineData("r'a\\n' == 'a\\\\n'", "true")]
    [InlineData("'\\u00e9\\x41\\101' == 'éAA'", "true")]
    [InlineData("'''a'b''' == \"a'b\"", "true")]
    [InlineData("b'ab' == b'ab'", "true")]
    [InlineData("size('éa')", "2")]
    [InlineData("size([1, 2, 3])", "3")]
    [InlineData("[1, 2][1]", "2")]
    [InlineData("[1, 2][2]", "-")]
    [InlineData("{'a': 1, 'b': 2}['b']", "2")]
    [InlineData("{'a': 1}.a", "1")]
    [InlineData("has({'a': 1}.b)", "false")]
    [InlineData("'a' in ['b', 'a']", "true")]
    [InlineData("2 in [1, 2.0]", "true")]
    [InlineData("'k' in {'k': 0}", "true")]
    [InlineData("[1, 2] == [1, 2]", "true")]
    [InlineData("'hello'.startsWith('he') && 'hello'.endsWith('lo') && 'hello'.contains('ell')", "true")]
    [InlineData("'abc123'.matches('[0-9]+')", "true")]
    [InlineData("'abc'.matches('^b')", "false")]
    [InlineData("re.extract('v1.22', 'v([0-9]+)\\\\.([0-9]+)', '\\\\2-\\\\1')", "22-1")]
    [InlineData("int('42') + int(2.9)", "44")]
    [InlineData("string(42) == '42'", "true")]
    [InlineData("duration('1h30m') > duration('89m')", "true")]
    [InlineData("duration('1500ms')", "1.5s")]
    [InlineData("duration('2ms')", "2ms")]
    [InlineData("timestamp('2026-01-02T03:04:05Z').getFullYear()", "2026")]
    [InlineData("timestamp('2026-01-02T03:04:05Z') + duration('1s')", "2026-01-02T03:04:06+00:00")]
    public void Values(string expression, string expected) => Assert.Equal([expected], Over(expression));

    [Theory]
    [InlineData("request.method", "GET")]
    [InlineData("request.path", "/shop/items?id=7")]
    [InlineData("request.url_path", "/shop/items")]
    [InlineData("request.query", "id=7")]
    [InlineData("request['host']", "shop.test")]
    [InlineData("request.headers['x-team']", "blue")]
    [InlineData("request.headers['X-Team']", "blue")]
    [InlineData("request.headers['x-twice']", "a,b")]
    [InlineData("request.headers['host']", "shop.test")]
    [InlineData("request.headers['none']", "-")]
    [InlineData("'x-team' in request.headers && request.headers['x-team'] == 'blue'", "true")]
    [InlineData("has(request.headers.none) || request.useragent == 'curl/8'", "true")]
    [InlineData("request.headers['none'] == 'x' || true", "true")]
    [InlineData("false && request.headers['none'] == 'x'", "false")]
    [InlineData("request.headers['none'] == 'x' && true", "-")]
    [InlineData("has(request.referer)", "false")]
    [InlineData("request.protocol", "HTTP/1.1")]
    [InlineData("source.address.startsWith('10.0.0.1:')", "true")]
    [InlineData("destination.port", "8080")]
    [InlineData("connection.mtls", "false")]
    [InlineData("connection.tls_version", "-")]
    [InlineData("response.code", "-")]
    [InlineData("metadata.filter_metadata['test']['a']['b']", "deep")]
    [InlineData("metadata.filter_metadata.test.n == 3", "true")]
    [InlineData("'x' in metadata.filter_metadata['test']['list']", "true")]
    [InlineData("has(metadata.filter_metadata.none)", "false")]
    [InlineData("filter_state['k'] == b'v'", "true")]
    [InlineData("xds.route_name", "/")]
    [InlineData("nonsense.field == 1", "-")]
    public void Attributes(string expression, string expected) => Assert.Equal([expected], Over(expression));

    [Theory]
    [InlineData("")]
    [InlineData("1 +")]
    [InlineData("(1")]
    [InlineData("'open")]
    [InlineData("a b")]
    [InlineData("request.path.frobnicate('x')")]
    [InlineData("[1, 2].all(x, x > 0)")]
    [InlineData("'a'.matches('(')")]
    [InlineData("'a'.matches(request.path)")]
    [InlineData("has(request)")]
    [InlineData("99999999999999999999")]
    public void Refused(string expression) => Assert.Throws<CelException>(() => CelProgram.Parse(expression));

    [Fact]
    public void Depth_is_bounded()
    {
        Assert.Throws<CelException>(() => CelProgram.Parse(new string('(', 100_000)));
        Assert.Throws<CelException>(() => CelProgram.Parse(new string('!', 60_000) + "true"));
        Assert.Throws<CelException>(() => CelProgram.Parse(string.Join("+", Enumerable.Repeat("1", 10_000))));
    }

    [Fact]
    public void Texts_at_random_are_parsed_or_refused()
    {
        var random = new Random(7);
        string[] words = ["request", ".", "[", "]", "(", ")", "'a'", "1", "2u", "1.5", "&&", "||", "==", "<", "in", "!", "-", "?", ":", "{",
            "}", ",", "has", "size", "headers", "metadata", "\\", "\"", "r'", "é", "0x"];
        for (int i = 0; i < 20_000; i++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 14)).Select(_ => words[random.Next(words.Length)]));
            try
            {
                CelProgram.Parse(text);
            }
            catch (CelException)
            {
                // A refusal is an answer; anything else is not.
            }
        }
    }

    [Fact]
    public void Comparing_attributes_allocates_nothing()
    {
        var rig = new ProxyRig();
        rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        var filter = new Measuring(CelProgram.Parse(
            "request.method in ['GET', 'HEAD'] && request.url_path.startsWith('/shop') && request.headers['x-team'] == 'blue' && "
            + "source.address != '' && destination.port == 8080 && !connection.mtls && metadata.filter_metadata.test.a.b == 'deep'"));
        rig.Filters.Add(filter);
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        rig.Ask(Request);
        Assert.True(filter.Matched);
        Assert.Equal(0, filter.Allocated);
    }

    private static void Prepare(Exchange exchange)
    {
        exchange.SetMetadata("test", System.Text.Json.JsonDocument.Parse("""{"a":{"b":"deep"},"n":3,"list":["x","y"]}""").RootElement);
        exchange.SetFilterState("k", "v");
    }

    private sealed class Evaluating(CelProgram[] programs, bool json) : HttpFilter("evaluating")
    {
        public List<string> Results { get; } = [];

        public override FilterPhases Phases => FilterPhases.RequestHead;

        public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
        {
            Prepare(slot.Exchange);
            foreach (CelProgram program in programs)
            {
                var text = new ByteBuffer();
                CelKind kind = json ? program.Export(slot.Exchange.Facts, text) : program.Print(slot.Exchange.Facts, text);
                Results.Add(kind == CelKind.Error ? "-" : Encoding.UTF8.GetString(text.Written));
            }
            return FilterVerdict.Continue;
        }
    }

    private sealed class Measuring(CelProgram program) : HttpFilter("measuring")
    {
        public bool Matched { get; private set; }

        public long Allocated { get; private set; }

        public override FilterPhases Phases => FilterPhases.RequestHead;

        public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
        {
            Prepare(slot.Exchange);
            for (int i = 0; i < 50; i++)
                Matched = program.Matches(slot.Exchange.Facts);
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
                program.Matches(slot.Exchange.Facts);
            Allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            return FilterVerdict.Continue;
        }
    }
}
