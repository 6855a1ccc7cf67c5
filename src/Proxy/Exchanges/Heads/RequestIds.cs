using System.Buffers.Binary;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Exchanges.Heads;

/// <summary>x-request-id: a random UUID (version 4), whose 15th character can tell the trace decision.</summary>
public static class RequestIds
{
    /// <summary>Makes an id where none is there, or where an external client may not bring one.</summary>
    internal static void Ensure(Exchange exchange)
    {
        HttpOptions options = exchange.Options;
        HeaderMap head = exchange.RequestHead;
        if (!options.GenerateRequestId)
            return;
        bool edge = !exchange.IsInternal && options.UseRemoteAddress;
        bool force = edge && !options.PreserveExternalRequestId;
        if (!force && head.TryGet(KnownHeader.XRequestId, out ReadOnlySpan<byte> id) && !id.IsEmpty)
        {
            // An external id that is kept may not claim a trace decision.
            if (edge && options.PackTraceReason && id.Length == 36 && id[14] != '4')
                SetReason(head, (byte)'4');
            return;
        }
        Span<byte> text = stackalloc byte[36];
        Write(exchange.Worker.Loop.Chance, text);
        head.Set(KnownHeader.XRequestId, text);
    }

    /// <summary>Writes a new UUID.</summary>
    public static void Write(Chance chance, Span<byte> to)
    {
        Span<byte> bits = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bits, chance.NextULong());
        BinaryPrimitives.WriteUInt64LittleEndian(bits[8..], chance.NextULong());
        bits[6] = (byte)(0x40 | bits[6] & 0x0f);
        bits[8] = (byte)(0x80 | bits[8] & 0x3f);
        new Guid(bits, bigEndian: true).TryFormat(to, out _);
    }

    /// <summary>Writes the trace decision into the id: 4 none, 9 sampled, a forced by the service, b asked by the client.</summary>
    public static void SetReason(HeaderMap head, byte reason)
    {
        if (!head.TryGet(KnownHeader.XRequestId, out ReadOnlySpan<byte> id) || id.Length != 36 || id[14] == reason)
            return;
        Span<byte> changed = stackalloc byte[36];
        id.CopyTo(changed);
        changed[14] = reason;
        head.Set(KnownHeader.XRequestId, changed);
    }
}
