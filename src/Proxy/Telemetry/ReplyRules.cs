using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Telemetry;

/// <summary>A body made by a format: text, or (where <paramref name="Text"/> is null) JSON.</summary>
/// <param name="Text">The text.</param>
/// <param name="Json">The JSON template.</param>
/// <param name="OmitEmpty">Missing values are written as nothing.</param>
/// <param name="ContentType">The type; null leaves text/plain.</param>
public sealed record ReplyBody(TextFormat? Text, JsonElement Json, bool OmitEmpty, string? ContentType)
{
    /// <summary>Writes it. Local replies are rare: a JSON format is made anew for each.</summary>
    public void Write(IStreamFacts facts, ByteBuffer to)
    {
        if (Text is not null)
        {
            Text.Write(facts, to, OmitEmpty);
            return;
        }
        new JsonFormat(Json, OmitEmpty).Write(facts, to);
        to.Append((byte)'\n');
    }
}

/// <summary>One rule: for which replies, and what changes.</summary>
/// <param name="Filter">For which; null for all.</param>
/// <param name="Status">The status in place of the reply's.</param>
/// <param name="Body">The body in place of the reply's, before formatting.</param>
/// <param name="Format">The format in place of the common one.</param>
/// <param name="Headers">Headers to add.</param>
public sealed record ReplyMapper(LogFilter? Filter, int? Status, byte[]? Body, ReplyBody? Format, HeaderMutations Headers);

/// <summary>The first mapper whose filter matches changes the reply; then the format makes its body (local_reply_config).</summary>
public sealed class ReplyRules(IReadOnlyList<ReplyMapper> mappers, ReplyBody? format) : LocalReplyRules
{
    /// <inheritdoc/>
    public override void Rewrite(Exchange exchange, ref int status, HeaderMap head, ByteBuffer body, ref string? contentType)
    {
        ReplyMapper? mapper = mappers.FirstOrDefault(m => m.Filter is null || m.Filter.Keeps(exchange.Facts, exchange.Random));
        if (mapper is not null)
        {
            status = mapper.Status ?? status;
            if (mapper.Body is not null)
            {
                body.Clear();
                body.Append(mapper.Body);
            }
            foreach (HeaderAddition addition in mapper.Headers.Add)
                Add(exchange, head, addition);
        }
        ReplyBody? chosen = mapper?.Format ?? format;
        if (chosen is null)
            return;
        var made = new ByteBuffer();
        exchange.LocalBody.Clear();
        exchange.LocalBody.Append(body.Written);
        chosen.Write(exchange.Facts, made);
        body.Clear();
        body.Append(made.Written);
        contentType = chosen.ContentType ?? contentType;
    }

    private static void Add(Exchange exchange, HeaderMap head, HeaderAddition addition)
    {
        var value = new ByteBuffer();
        addition.Value.Write(exchange.Facts, value, omitEmpty: true);
        bool exists = head.TryGet(addition.NameBytes, out _);
        switch (addition.Append)
        {
            case HeaderAppend.AppendOrAdd:
                head.Add(addition.NameBytes, value.Written);
                break;
            case HeaderAppend.AddIfAbsent when !exists:
                head.Add(addition.NameBytes, value.Written);
                break;
            case HeaderAppend.OverwriteOrAdd:
                head.Set(addition.NameBytes, value.Written);
                break;
            case HeaderAppend.OverwriteIfExists when exists:
                head.Set(addition.NameBytes, value.Written);
                break;
            default:
                break;
        }
    }
}
