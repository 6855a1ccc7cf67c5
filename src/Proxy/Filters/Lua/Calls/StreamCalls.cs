// Calls: what scripts may ask of the objects that they are handed, a file for each kind of object. Each call is given a LuaFrame (its
// arguments and results) and answers with a code and values; none of them raises a Lua error, waits, or keeps anything: state is the
// LuaRun's. Names and words of errors are Envoy's, so that scripts and their users find what they know.
using System.Globalization;
using System.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Router;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Filters.Lua.Calls;

/// <summary>The handle that <c>envoy_on_request</c> and <c>envoy_on_response</c> are given.</summary>
internal static class StreamCalls
{
    public static readonly (string, Func<LuaFrame, int>)[] All =
    [
        Of("headers", f => f.Answer(LuaKind.Headers)), Of("body", Body), Of("bodyChunks", BodyChunks), Of("nextChunk", NextChunk),
        Of("trailers", Trailers),
        Of("metadata", f => f.Answer(LuaKind.Metadata, MetadataCalls.OfRoute)),
        Of("filterContext", f => f.Answer(LuaKind.Metadata, MetadataCalls.Context)),
        Of("streamInfo", f => f.Answer(LuaKind.StreamInfo)), Of("connectionStreamInfo", f => f.Answer(LuaKind.ConnectionStreamInfo)),
        Of("connection", f => f.Answer(LuaKind.Connection)), Of("virtualHost", f => f.Answer(LuaKind.VirtualHost)),
        Of("route", f => f.Answer(LuaKind.Route)),
        Of("respond", Respond), Of("httpCall", HttpCall), Of("clearRouteCache", ClearRoute), Of("setUpstreamOverrideHost", OverrideHost),
        Of("importPublicKey", SignatureCalls.Import), Of("verifySignature", SignatureCalls.Verify),
        Of("base64Escape", SignatureCalls.Base64),
        Of("timestamp", Timestamp), Of("timestampString", TimestampText), Of("log", f => f.Nothing()),
    ];

    private static (string, Func<LuaFrame, int>) Of(string name, Func<LuaFrame, int> call) =>
        ("stream_" + name, f => f.Self(LuaKind.Stream, out _) ? call(f) : f.DeadSelf());

    // ---- body and trailers

    private static int Body(LuaFrame f)
    {
        LuaRun run = f.Run;
        bool always = false;
        if (f.Count >= 2)
        {
            if (f.TypeOf(2) != LuaNative.TypeBoolean)
                return f.Expected(2, "body", "boolean");
            always = LuaNative.lua_toboolean(f.State, 2) != 0;
        }
        if (run.Ended)
        {
            if (!run.HasWhole && run.SawBody)
                return f.Fail("cannot call body() after body has been streamed");
            return run.TakeWhole(always) ? f.Answer(LuaKind.Buffer) : f.Nothing();
        }
        if (run.SawBody)
            return f.Fail("cannot call body() after body streaming has started");
        run.Wait = LuaWait.Body;
        run.WrapsAlways = always;
        return f.Wait();
    }

    private static int BodyChunks(LuaFrame f) =>
        f.Run.SawBody ? f.Fail("cannot call bodyChunks after body processing has begun") : f.Nothing();

    private static int NextChunk(LuaFrame f)
    {
        if (f.Run.Ended)
            return f.AnswerNil();
        f.Run.Wait = LuaWait.Chunk;
        return f.Wait();
    }

    private static int Trailers(LuaFrame f)
    {
        if (f.Run.Trailers is not null)
            return f.Answer(LuaKind.Headers, 1);
        if (f.Run.Ended)
            return f.Nothing();
        f.Run.Wait = LuaWait.Trailers;
        return f.Wait();
    }

    // ---- answering and calling

    private static int Respond(LuaFrame f)
    {
        LuaRun run = f.Run;
        if (run.HeadContinued)
            return f.Fail("respond() cannot be called if headers have been continued");
        if (f.TypeOf(2) != LuaNative.TypeTable)
            return f.Expected(2, "respond", "table");
        ReadOnlySpan<byte> body = default;
        if (f.TypeOf(3) > LuaNative.TypeNil && !f.TryText(3, out body))
            return f.Expected(3, "respond", "string");
        var reply = new LuaReply();
        reply.Body.Append(body);
        if (Fill(f, 2, reply.Head, ":status") is { } wrong)
            return f.Fail(wrong);
        int status = HeaderRules.Status(reply.Head);
        if (status is < 200 or >= 600)
            return f.Fail(":status must be between 200-599");
        if (run.IsResponse)
            return f.Fail("respond not currently supported in the response path");
        reply.Status = status;
        reply.Head.Remove(KnownHeader.Status);
        reply.Head.Remove(KnownHeader.ContentLength);
        run.Reply = reply;
        run.Wait = LuaWait.Responded;
        return f.Wait();
    }

    private static int HttpCall(LuaFrame f)
    {
        if (!f.TryText(2, out _))
            return f.Expected(2, "httpCall", "string");
        if (f.TypeOf(3) != LuaNative.TypeTable)
            return f.Expected(3, "httpCall", "table");
        var call = new LuaCall(f.Run);
        if (ReadOptions(f, call) is { } wrong)
            return f.Fail(wrong);
        ReadOnlySpan<byte> body = default;
        if (f.TypeOf(4) > LuaNative.TypeNil && !f.TryText(4, out body))
            return f.Expected(4, "httpCall", "string");
        if (!call.FindCluster(f.TextOf(2)))
            return f.Fail("http call cluster invalid. Must be configured");
        if (Fill(f, 3, call.Head, ":method", ":path", ":authority", ":scheme", "host") is { } bad)
            return f.Fail(bad);
        if (!call.Head.Has(KnownHeader.Path) || !call.Head.Has(KnownHeader.Method) || !call.Head.Has(KnownHeader.Authority))
            return f.Fail("http call headers must include ':path', ':method', and ':authority'");
        call.SetBody(body, f.TypeOf(4) > LuaNative.TypeNil);
        if (call.IsAsynchronous)
        {
            call.BeginUnattended();
            return f.Nothing();
        }
        f.Run.Call = call;
        f.Run.Wait = LuaWait.Call;
        return f.Wait();
    }

    private static string? ReadOptions(LuaFrame f, LuaCall call)
    {
        double millis;
        if (f.TypeOf(5) != LuaNative.TypeTable)
        {
            if (f.TypeOf(6) is not (LuaNative.TypeNone or LuaNative.TypeBoolean))
                return "http call asynchronous flag must be 'true', 'false', or empty";
            if (!f.TryNumber(5, out millis))
                return $"bad argument #4 to 'httpCall' (number expected, "
                    + $"got {(f.TypeOf(5) == LuaNative.TypeNone ? "no value" : "another type")})";
            call.IsAsynchronous = LuaNative.lua_toboolean(f.State, 6) != 0;
            return TakeTimeout(call, millis);
        }
        LuaNative.lua_pushnil(f.State);
        string? wrong = null;
        while (wrong is null && LuaNative.lua_next(f.State, 5) != 0)
        {
            int value = f.Count;
            bool flag = LuaNative.lua_toboolean(f.State, value) != 0;
            string key = f.TypeOf(value - 1) == LuaNative.TypeString ? f.TextOf(value - 1) : "?";
            switch (key)
            {
                case "asynchronous":
                    call.IsAsynchronous = flag;
                    break;
                case "timeout_ms":
                    wrong = f.TryNumber(value, out millis) ? TakeTimeout(call, millis) : "bad argument #-1 to 'httpCall' (number expected)";
                    break;
                case "return_duplicate_headers":
                    call.ReturnsDuplicates = flag;
                    break;
                case "send_xff":
                    call.SendsForwardedFor = flag;
                    break;
                case "trace_sampled":
                    break;
                default:
                    wrong = $"\"{key}\" is not valid key for httpCall() options";
                    break;
            }
            LuaNative.Pop(f.State, 1);
        }
        return wrong;
    }

    private static string? TakeTimeout(LuaCall call, double millis)
    {
        call.TimeoutMicros = (long)millis * 1000;
        return millis < 0 ? "http call timeout must be >= 0" : null;
    }

    // A table of names, each with a text or a list of texts. Null, or what is wrong.
    private static string? Fill(LuaFrame f, int table, HeaderMap head, params ReadOnlySpan<string> pseudo)
    {
        string? wrong = null;
        LuaNative.lua_checkstack(f.State, 8);
        LuaNative.lua_pushnil(f.State);
        while (wrong is null && LuaNative.lua_next(f.State, table) != 0)
        {
            int value = f.Count;
            if (f.TypeOf(value - 1) != LuaNative.TypeString)
                return "header names must be strings";
            byte[] name = Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(LuaNative.Text(f.State, value - 1)).ToLowerInvariant());
            if (f.TypeOf(value) == LuaNative.TypeTable)
            {
                LuaNative.lua_pushnil(f.State);
                while (wrong is null && LuaNative.lua_next(f.State, value) != 0)
                {
                    wrong = Put(f, f.Count, name, head, pseudo);
                    LuaNative.Pop(f.State, 1);
                }
            }
            else
            {
                wrong = Put(f, value, name, head, pseudo);
            }
            LuaNative.Pop(f.State, 1);
        }
        return wrong;
    }

    private static string? Put(LuaFrame f, int index, byte[] name, HeaderMap head, ReadOnlySpan<string> pseudo)
    {
        string text = Encoding.Latin1.GetString(name);
        if (!f.TryText(index, out ReadOnlySpan<byte> value))
            return $"bad argument: the value of header '{text}' is no string";
        bool known = pseudo.Contains(text);
        if ((!known && !HeaderRules.IsLowerToken(name)) || !HeaderRules.IsValue(value))
            return $"'{text}' is no header that can be set so";
        if (text == "host")
            head.Set(KnownHeader.Authority, value);
        else if (known)
            head.Set(name, value);
        else
            head.Add(name, value);
        return null;
    }

    // ---- routing

    private static int ClearRoute(LuaFrame f)
    {
        f.Run.ClearRoute();
        return f.Nothing();
    }

    private static int OverrideHost(LuaFrame f)
    {
        if (!f.TryText(2, out _))
            return f.Expected(2, "setUpstreamOverrideHost", "string");
        if (f.Count >= 3 && f.TypeOf(3) != LuaNative.TypeBoolean)
            return f.Expected(3, "setUpstreamOverrideHost", "boolean");
        if (!TryAddress(f.TextOf(2), out Address address))
            return f.Fail("host is not a valid IP address");
        f.Run.Exchange.SetFilterState(HostChoice.OverrideKey, new HostOverride([address], LuaNative.lua_toboolean(f.State, 3) != 0));
        return f.Nothing();
    }

    private static bool TryAddress(string text, out Address address)
    {
        if (System.Net.IPEndPoint.TryParse(text, out System.Net.IPEndPoint? end)
            && Address.TryParse(end.Address.ToString(), end.Port, out address))
            return true;
        address = default;
        return false;
    }

    // ---- time

    private static int Timestamp(LuaFrame f)
    {
        string unit = f.TextOf(2);
        return unit is "" or "0" ? f.Answer((double)(f.Run.Exchange.Worker.Loop.WallClock / 1000))
            : f.Fail("timestamp format must be MILLISECOND.");
    }

    private static int TimestampText(LuaFrame f)
    {
        long micros = f.Run.Exchange.Worker.Loop.WallClock;
        return f.TextOf(2) switch
        {
            "" or "0" => f.Answer((micros / 1000).ToString(CultureInfo.InvariantCulture)),
            "1" => f.Answer(micros.ToString(CultureInfo.InvariantCulture)),
            _ => f.Fail("timestamp format must be MILLISECOND or MICROSECOND."),
        };
    }
}
