using System.Diagnostics;
using System.Text;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Filters.Lua;
using Lateen.Proxy.Statistics;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters.Transforms;

/// <summary>Scripts at requests and responses: the handles, waiting, and what a hostile script can not do.</summary>
public sealed class LuaTests
{
    private readonly List<string> _said = [];
    private readonly ProxyRig _rig = new();
    private readonly StatGroup _stats = StatGroup.Unread(LuaFilter.Counted, 1);
    private string _upstreamSaw = "";

    private long Errors => _stats.Of(0)[1];

    private string Play(string script, string request = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", LuaBounds? bounds = null)
    {
        LuaScript? loaded = LuaScript.Of(Encoding.UTF8.GetBytes(script), bounds ?? new LuaBounds(), 1, new LuaLog(_said.Add),
            out string error);
        Assert.True(loaded is not null, error);
        _rig.Filters.Add(new LuaFilter("lua", loaded, new Dictionary<string, LuaScript>(), clearsRoute: true, _rig.Upstreams, _stats));
        ClusterHandle app = _rig.AddCluster("app", 9000);
        _rig.AddCluster("side", 9001);
        _rig.AddUpstream(9000, (_, head) =>
        {
            _upstreamSaw = head;
            return answer;
        });
        _rig.AddUpstream(9001, (_, _) => "HTTP/1.1 201 Created\r\nx-side: 1\r\nx-side: 2\r\nContent-Length: 4\r\n\r\npong");
        _rig.Start(ProxyRig.Forward("/", app));
        return _rig.Ask(request);
    }

    [Fact]
    public void Headers_are_read_and_changed_on_both_ways()
    {
        string answer = Play("""
            function envoy_on_request(h)
              h:headers():add("x-added", h:headers():get(":method") .. h:headers():get(":path"))
              h:headers():remove("x-gone")
            end
            function envoy_on_response(h)
              h:headers():replace("x-status", h:headers():get(":status"))
            end
            """, "GET /x HTTP/1.1\r\nHost: a\r\nX-Gone: 1\r\n\r\n");
        Assert.Contains("x-added: GET/x", _upstreamSaw, StringComparison.Ordinal);
        Assert.DoesNotContain("x-gone", _upstreamSaw, StringComparison.Ordinal);
        Assert.Contains("x-status: 200", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void A_script_waits_for_a_call_and_sees_its_answer()
    {
        Play("""
            function envoy_on_request(h)
              local hs, body = h:httpCall("side", {[":method"]="GET", [":path"]="/", [":authority"]="s"}, nil, {timeout_ms=500, return_duplicate_headers=true})
              h:headers():add("x-side", hs[":status"] .. hs["x-side"][2] .. body)
            end
            """);
        Assert.Contains("x-side: 2012pong", _upstreamSaw, StringComparison.Ordinal);
    }

    [Fact]
    public void A_body_is_given_to_a_request_that_had_none()
    {
        Play("function envoy_on_request(h) h:body(true):setBytes('made') end");
        Assert.Contains("content-length: 4", _upstreamSaw, StringComparison.Ordinal);
    }

    [Fact]
    public void Parts_of_a_body_are_replaced_as_they_go_by()
    {
        string answer = Play("""
            function envoy_on_response(h)
              h:headers():remove("content-length")
              for chunk in h:bodyChunks() do chunk:setBytes(string.upper(chunk:getBytes(0, chunk:length()))) end
            end
            """);
        Assert.Contains("HI", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_obtained_before_a_wait_is_dead_after_it()
    {
        Play("function envoy_on_request(h) local hs = h:headers() h:body() hs:add('x-late', '1') end",
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
        Assert.DoesNotContain("x-late", _upstreamSaw, StringComparison.Ordinal);
        Assert.Contains(_said, l => l.Contains("object used outside of proper scope", StringComparison.Ordinal));
        Assert.Equal(1, Errors);
    }

    [Theory]
    [InlineData("h:headers():add('x-bad', 'a\\r\\nx-injected: 1')")]
    [InlineData("h:headers():add('bad name', 'v')")]
    [InlineData("h:headers():get(nil)")]
    [InlineData("coroutine.yield()")]
    [InlineData("h:respond({}, 'no status')")]
    [InlineData("h:httpCall('nobody', {[':method']='GET', [':path']='/', [':authority']='s'}, nil, 100)")]
    public void An_error_of_the_script_is_logged_and_the_request_goes_on(string statement)
    {
        string answer = Play($"function envoy_on_request(h) {statement} end");
        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("x-injected", _upstreamSaw, StringComparison.Ordinal);
        Assert.Equal(1, Errors);
    }

    [Theory]
    [InlineData("while true do end")]
    [InlineData("while true do pcall(function() while true do end end) end")]
    [InlineData("local t = {} for i = 1, 100 do t[i] = i end table.sort(t, function(a, b) while true do end end)")]
    [InlineData("string.gsub('aaa', 'a', function() while true do end end)")]
    [InlineData("xpcall(error, function() while true do end end)")]
    [InlineData("local c = coroutine.wrap(function() while true do end end) pcall(c) while true do end")]
    [InlineData("setmetatable({}, {__gc = function() while true do end end}) collectgarbage() for i = 1, 1e5 do local t = {} end while "
        + "true do end")]
    public void A_script_without_end_is_ended(string statement)
    {
        long before = Stopwatch.GetTimestamp();
        string answer = Play($"function envoy_on_request(h) {statement} end", bounds: new LuaBounds(Instructions: 200_000));
        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.Equal(1, Errors);
        Assert.Contains(_said, l => l.Contains("more than 200000 instructions", StringComparison.Ordinal));
        Assert.True(Stopwatch.GetElapsedTime(before) < TimeSpan.FromSeconds(20));
    }

    [Theory]
    [InlineData("local t = {} while true do t[#t + 1] = string.rep('x', 1000) .. #t end")]
    [InlineData("local s = string.rep('x', 1 << 30)")]
    [InlineData("local s = 'x' while true do s = s .. s end")]
    public void A_script_gets_no_more_memory_than_it_may_have(string statement)
    {
        string answer = Play($"function envoy_on_request(h) {statement} end", bounds: new LuaBounds(MemoryBytes: 4 << 20));
        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.Contains(_said, l => l.Contains("not enough memory", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("io")]
    [InlineData("require")]
    [InlineData("dofile")]
    [InlineData("loadfile")]
    [InlineData("package")]
    [InlineData("debug")]
    [InlineData("os.execute")]
    [InlineData("os.remove")]
    [InlineData("string.dump")]
    [InlineData("load('\\27Lua')")]
    public void What_reaches_outside_is_not_there(string name)
    {
        Play($"function envoy_on_request(h) h:headers():add('x-there', tostring({name} ~= nil)) end");
        Assert.Contains("x-there: false", _upstreamSaw, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("unpack({1, 2})", "1")]
    [InlineData("loadstring('return 7')()", "7")]
    [InlineData("table.getn({1, 2, 3})", "3")]
    [InlineData("math.pow(2, 3)", "8")]
    [InlineData("10 / 2", "5")]
    [InlineData("string.format('%d', 7 / 2)", "3")]
    [InlineData("bit.band(0xff, 0x0f)", "15")]
    [InlineData("bit.bnot(0)", "-1")]
    [InlineData("bit.tohex(255)", "000000ff")]
    [InlineData("#{string.gfind('a b', '%a')()}", "1")]
    public void Scripts_for_Lua_5_1_find_their_names(string expression, string text)
    {
        Play($"function envoy_on_request(h) local v = {expression} h:headers():add('x-v', tostring(v)) end");
        Assert.Contains($"x-v: {text}\r\n", _upstreamSaw, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("function envoy_on_request(h", "script load error: [string \"function envoy_on_request(h\"]:1:")]
    [InlineData("error('at load')", "at load")]
    [InlineData("while true do end", "instructions")]
    public void A_script_that_does_not_load_is_refused(string script, string reason)
    {
        LuaScript? loaded = LuaScript.Of(Encoding.UTF8.GetBytes(script), new LuaBounds(Instructions: 100_000), 1, LuaLog.None,
            out string error);
        Assert.Null(loaded);
        Assert.Contains(reason, error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_error_tells_the_line_of_the_script()
    {
        Play("function envoy_on_request(h)\n  h:headers():add('x', nil)\nend");
        Assert.Contains(_said, l => l.Contains(":2: bad argument #2 to 'add' (string expected, got nil)", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("h:streamInfo():protocol()", "HTTP/1.1")]
    [InlineData("h:streamInfo():routeName()", "/")]
    [InlineData("h:streamInfo():virtualClusterName() .. '-'", "-")]
    [InlineData("h:streamInfo():requestedServerName() .. '-'", "-")]
    [InlineData("h:streamInfo():downstreamRemoteAddress():match('^[^:]+')", "10.0.0.1")]
    [InlineData("h:streamInfo():downstreamLocalAddress()", "10.0.0.2:8080")]
    [InlineData("h:streamInfo():downstreamSslConnection() == nil", "true")]
    [InlineData("h:connection():ssl() == nil", "true")]
    [InlineData("h:metadata():get('k') == nil", "true")]
    [InlineData("h:route():metadata():get('k') == nil", "true")]
    [InlineData("h:virtualHost():metadata():get('k') == nil", "true")]
    [InlineData("h:filterContext():get('k') == nil", "true")]
    [InlineData("h:streamInfo():dynamicTypedMetadata('x') == nil", "true")]
    [InlineData("h:streamInfo():filterState():get('x') == nil", "true")]
    [InlineData("h:connectionStreamInfo():dynamicMetadata():get('x') == nil", "true")]
    [InlineData("(function() local m = h:streamInfo():dynamicMetadata() m:set('n', 'k', {a = 1, b = {true, 'x'}}) local v = "
        + "m:get('n').k return v.a .. tostring(v.b[1]) .. v.b[2] end)()", "1truex")]
    [InlineData("(function() local m = h:streamInfo():dynamicMetadata() m:set('n', 'k', 2.5) local s = '' for ns, v in pairs(m) do s = "
        + "s .. ns .. v.k end return s end)()", "n2.5")]
    [InlineData("(function() local n = 0 for k, v in pairs(h:headers()) do if k == 'x-two' then n = n + tonumber(v) end end return n "
        + "end)()", "3")]
    [InlineData("h:headers():get('X-Two')", "1,2")]
    [InlineData("h:headers():getAtIndex('x-two', 1)", "2")]
    [InlineData("h:headers():getAtIndex('x-two', 2) == nil", "true")]
    [InlineData("h:headers():getNumValues('x-two')", "2")]
    [InlineData("select('#', h:headers():get('none'))", "0")]
    [InlineData("h:base64Escape('hi\0')", "aGkA")]
    [InlineData("h:timestamp() == tonumber(h:timestampString())", "true")]
    [InlineData("#h:timestampString(EnvoyTimestampResolution.MICROSECOND) - #h:timestampString()", "3")]
    [InlineData("h:importPublicKey('no key', 6):get() == nil", "true")]
    [InlineData("os.date('!%Y', 0) .. type(os.time())", "1970number")]
    [InlineData("type(h)", "userdata")]
    [InlineData("getmetatable(h)", "false")]
    [InlineData("h:body() == nil", "true")]
    [InlineData("h:trailers() == nil", "true")]
    public void A_handle_tells(string expression, string text)
    {
        Play($"function envoy_on_request(h) local v = {expression} h:headers():add('x-v', tostring(v)) end",
            "GET / HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n");
        Assert.True(Errors == 0, string.Join('\n', _said));
        Assert.Contains($"x-v: {text}\r\n", _upstreamSaw, StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_of_the_script_may_have_several_headers_of_a_name_and_passes_its_response_function()
    {
        string answer = Play("""
            function envoy_on_request(h) h:respond({[":status"] = 418, ["set-cookie"] = {"a=1", "b=2"}, ["x-n"] = 7}, "short") end
            function envoy_on_response(h) local n = h:body():length() h:headers():add("x-seen", n) end
            """);
        Assert.StartsWith("HTTP/1.1 418", answer, StringComparison.Ordinal);
        Assert.Contains("set-cookie: a=1\r\nset-cookie: b=2", answer, StringComparison.Ordinal);
        Assert.Contains("x-seen: 5", answer, StringComparison.Ordinal);
        Assert.EndsWith("short", answer, StringComparison.Ordinal);
        Assert.Equal("", _upstreamSaw);
    }

    [Fact]
    public void An_answer_may_follow_a_body_and_a_call()
    {
        string answer = Play("""
            function envoy_on_request(h)
              local b = h:body():getBytes(0, 2)
              local hs = h:httpCall("side", {[":method"]="GET", [":path"]="/", [":authority"]="s"}, b, 500)
              h:respond({[":status"] = hs[":status"]}, b)
            end
            """, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
        Assert.StartsWith("HTTP/1.1 201", answer, StringComparison.Ordinal);
        Assert.EndsWith("ab", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void A_body_is_replaced_after_a_call()
    {
        string answer = Play("""
            function envoy_on_response(h)
              local b = h:body()
              h:httpCall("side", {[":method"]="GET", [":path"]="/", [":authority"]="s"}, nil, 500)
              h:body():setBytes("longer than before")
            end
            """);
        Assert.Contains("content-length: 18", answer, StringComparison.Ordinal);
        Assert.EndsWith("longer than before", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void A_client_that_leaves_while_a_script_waits_leaves_nothing_behind()
    {
        Play("function envoy_on_request(h) h:body() end", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
        for (int i = 0; i < 50; i++)
        {
            RawClient client = _rig.Connect();
            client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
            _rig.Network.RunUntil(() => false, 1000);
            client.Transport.Close(abort: true);
            _rig.Network.RunUntil(() => false, 1000);
        }
        Assert.StartsWith("HTTP/1.1 200", _rig.Ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"), StringComparison.Ordinal);
        Assert.Equal(0, Errors);
    }

    [Fact]
    public void Scripts_that_end_well_use_their_threads_again()
    {
        LuaScript script = LuaScript.Of("function envoy_on_request(h) n = (n or 0) + 1 h:headers():add('x-n', n) end"u8.ToArray(),
            new LuaBounds(), 1, LuaLog.None, out _)!;
        _rig.Filters.Add(new LuaFilter("lua", script, new Dictionary<string, LuaScript>(), true, _rig.Upstreams));
        ClusterHandle app = _rig.AddCluster("app", 9000);
        _rig.AddUpstream(9000, (_, head) =>
        {
            _upstreamSaw = head;
            return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        });
        _rig.Start(ProxyRig.Forward("/", app));
        for (int i = 0; i < 200; i++)
            _rig.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Contains("x-n: 200", _upstreamSaw, StringComparison.Ordinal);
        Assert.True(script.MemoryBytes < 1 << 20);
    }
}
