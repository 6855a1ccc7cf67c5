using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Matching;

/// <summary>An address of a stream, or its port.</summary>
public sealed class AddressInput(Func<IStreamFacts, Address> address, bool port = false) : MatchInput<IStreamFacts>
{
    /// <inheritdoc/>
    public override bool Read(IStreamFacts facts, ByteBuffer text)
    {
        Address found = address(facts);
        if (!found.IsIp)
            return false;
        if (port)
            text.Append(found.Port);
        else
            text.Advance(IpText.Write(found, text.Room(46)));
        return true;
    }

    /// <inheritdoc/>
    public override Address AddressOf(IStreamFacts facts) => port ? default : address(facts).WithPort(0);
}

/// <summary>Which head or trailers a header is looked for in.</summary>
public enum HeadKind : byte
{
    Request,
    Response,
    ResponseTrailers,
}

/// <summary>A header; several of one name are joined by commas.</summary>
public sealed class HeaderInput(HeadKind kind, string name) : MatchInput<IStreamFacts>
{
    private readonly byte[] _name = System.Text.Encoding.Latin1.GetBytes(name.ToLowerInvariant());

    /// <inheritdoc/>
    public override bool Read(IStreamFacts facts, ByteBuffer text)
    {
        HeaderMap? head = kind switch
        {
            HeadKind.Request => facts.RequestHead,
            HeadKind.Response => facts.ResponseHead,
            _ => facts.ResponseTrailers,
        };
        if (head is null)
            return false;
        KnownHeader known = KnownHeaders.Find(_name);
        int found = 0;
        for (int at = Next(head, known, 0); at >= 0; at = Next(head, known, at + 1))
        {
            if (found++ > 0)
                text.Append((byte)',');
            head.At(at, out _, out _, out ReadOnlySpan<byte> value);
            text.Append(value);
        }
        return found > 0;
    }

    private int Next(HeaderMap head, KnownHeader known, int from) =>
        known != KnownHeader.None ? head.IndexOf(known, from) : head.IndexOf(_name, from);
}

/// <summary>The first value of a query parameter, decoded.</summary>
public sealed class QueryInput(string name) : MatchInput<IStreamFacts>
{
    private readonly byte[] _name = System.Text.Encoding.UTF8.GetBytes(name);

    /// <inheritdoc/>
    public override bool Read(IStreamFacts facts, ByteBuffer text)
    {
        if (facts.RequestHead is not { } head
            || !QueryMatch.TryFind(Text.QueryOf(head[KnownHeader.Path]), _name, out ReadOnlySpan<byte> value))
            return false;
        if (value.Contains((byte)'%'))
            text.Append(QueryText.Decode(value));
        else
            text.Append(value);
        return true;
    }
}

/// <summary>The response's status, or its class (5xx).</summary>
public sealed class StatusInput(bool ofClass) : MatchInput<IStreamFacts>
{
    /// <inheritdoc/>
    public override bool Read(IStreamFacts facts, ByteBuffer text)
    {
        if (facts.Status <= 0)
            return false;
        text.Append(ofClass ? facts.Status / 100 : facts.Status);
        if (ofClass)
            text.Append("xx"u8);
        return true;
    }
}

/// <summary>A text of the stream; an empty one is none.</summary>
public sealed class TextInput(Func<IStreamFacts, string?> read) : MatchInput<IStreamFacts>
{
    /// <inheritdoc/>
    public override bool Read(IStreamFacts facts, ByteBuffer text)
    {
        if (read(facts) is not { Length: > 0 } found)
            return false;
        text.Append(found);
        return true;
    }
}

/// <summary>Names of the client's certificate, joined by commas.</summary>
public sealed class NamesInput(Func<TlsFacts, IReadOnlyList<string>> names) : MatchInput<IStreamFacts>
{
    /// <inheritdoc/>
    public override bool Read(IStreamFacts facts, ByteBuffer text)
    {
        if (facts.DownstreamTls is not { } tls)
            return false;
        IReadOnlyList<string> all = names(tls);
        for (int i = 0; i < all.Count; i++)
        {
            if (i > 0)
                text.Append((byte)',');
            text.Append(all[i]);
        }
        return all.Count > 0;
    }
}
