// StatefulSession: a client comes back to the host that it had (envoy.extensions.filters.http.stateful_session.v3). The address travels
// with the client, in a cookie or in a header, so that no proxy remembers anything; it is a wish that the balancer follows while the host
// is there. A route may have its own session or none. The value is not signed, as in Envoy: it can name no host that the cluster has not.
using System.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Router;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Filters.StatefulSession;

/// <summary>Where the address travels.</summary>
public abstract class SessionState
{
    /// <summary>False where requests like this one take no part.</summary>
    public abstract bool Concerns(HeaderMap request);

    /// <summary>The address that the client brought; empty for none.</summary>
    public abstract string Read(HeaderMap request, long wallClock);

    /// <summary>Tells the client the address that it had this time.</summary>
    public abstract void Write(string address, HeaderMap response, long wallClock);
}

/// <summary>What a route wants.</summary>
/// <param name="State">The session; null for none.</param>
/// <param name="Strict">No other host than the one of the session.</param>
public sealed record StatefulSessionSettings(SessionState? State, bool Strict);

/// <summary>The filter.</summary>
public sealed class StatefulSessionFilter(string name, StatefulSessionSettings settings) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.ResponseHead;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new SessionSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        StatefulSessionSettings own = slot.Settings as StatefulSessionSettings ?? settings;
        var session = (SessionSlot)slot;
        Exchange exchange = slot.Exchange;
        session.State = own.State is { } state && state.Concerns(exchange.RequestHead) ? state : null;
        session.Brought = "";
        if (session.State is null)
            return FilterVerdict.Continue;
        session.Brought = session.State.Read(exchange.RequestHead, exchange.Worker.Loop.WallClock);
        if (TryAddress(session.Brought, out Address address))
            exchange.SetFilterState(HostChoice.OverrideKey, new HostOverride([address], own.Strict));
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        var session = (SessionSlot)slot;
        if (session.State is not null && slot.Exchange.Upstream.Host is { } host && host.Address.ToString() is { } had
            && had != session.Brought)
            session.State.Write(had, slot.Exchange.ResponseHead, slot.Exchange.Worker.Loop.WallClock);
        return FilterVerdict.Continue;
    }

    private static bool TryAddress(string text, out Address address)
    {
        address = default;
        int colon = text.LastIndexOf(':');
        return colon > 0 && ushort.TryParse(text.AsSpan(colon + 1), out ushort port)
            && Address.TryParse(text[..colon].Trim('[', ']'), port, out address);
    }

    private sealed class SessionSlot : FilterSlot
    {
        public SessionState? State { get; set; }

        public string Brought { get; set; } = "";

        protected internal override void Reset()
        {
            State = null;
            Brought = "";
        }
    }
}

/// <summary>The address in a header, as base64.</summary>
public sealed class HeaderSession(string name) : SessionState
{
    private readonly byte[] _name = Encoding.Latin1.GetBytes(name.ToLowerInvariant());

    /// <inheritdoc/>
    public override bool Concerns(HeaderMap request) => true;

    /// <inheritdoc/>
    public override string Read(HeaderMap request, long wallClock) =>
        request.TryGet(_name, out ReadOnlySpan<byte> value) ? Encoding.Latin1.GetString(SessionText.Decode(value)) : "";

    /// <inheritdoc/>
    public override void Write(string address, HeaderMap response, long wallClock) =>
        response.Set(_name, SessionText.Encode(Encoding.ASCII.GetBytes(address)));
}

/// <summary>The address in a cookie: the base64 of Envoy's message of it, which is field 1 the address and field 2 the second at which it
/// ends.</summary>
/// <param name="name">The cookie's name.</param>
/// <param name="path">Its path; empty for any.</param>
/// <param name="seconds">How long it holds; 0 for the browser's session.</param>
public sealed class CookieSession(string name, string path, long seconds) : SessionState
{
    private readonly byte[] _path = Encoding.Latin1.GetBytes(path);

    /// <inheritdoc/>
    public override bool Concerns(HeaderMap request)
    {
        ReadOnlySpan<byte> asked = request[KnownHeader.Path];
        if (_path.Length == 0 || _path is [(byte)'/'])
            return true;
        if (!asked.StartsWith(_path))
            return false;
        return _path[^1] == '/' || asked.Length == _path.Length || asked[_path.Length] is (byte)'/' or (byte)'?' or (byte)'#';
    }

    /// <inheritdoc/>
    public override string Read(HeaderMap request, long wallClock)
    {
        byte[] text = SessionText.Decode(Cookies.Find(request, name));
        if (text.Length == 0)
            return "";
        if (!SessionText.TryParse(text, out string address, out long ends))
            return Encoding.Latin1.GetString(text);
        return ends == 0 || ends > wallClock / 1_000_000 ? address : "";
    }

    /// <inheritdoc/>
    public override void Write(string address, HeaderMap response, long wallClock)
    {
        byte[] value = SessionText.Encode(SessionText.Message(address, seconds > 0 ? (wallClock / 1_000_000) + seconds : 0));
        var line = new StringBuilder();
        line.Append(name).Append("=\"").Append(Encoding.ASCII.GetString(value)).Append('"');
        if (seconds > 0)
            line.Append("; Max-Age=").Append(seconds);
        if (path.Length > 0)
            line.Append("; Path=").Append(path);
        line.Append("; HttpOnly");
        response.Add(KnownHeader.SetCookie, Encoding.Latin1.GetBytes(line.ToString()));
    }
}
