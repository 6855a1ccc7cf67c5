using System.Buffers;
using Envoy.Service.Discovery.V3;
using Lateen.Api.Schemas.Constraints;
using Lateen.Api.Texts;

namespace Lateen.Pilot.Push;

/// <summary>An incremental request as it arrived. What every proxy says alike, and what is looked at once, does not become objects of its
/// own.</summary>
/// <param name="Message">The request without <see cref="Held"/>.</param>
/// <param name="Held">What the proxy has from an earlier stream; good for as long as the bytes are.</param>
/// <param name="Size">Its length in bytes.</param>
public sealed record DeltaRequest(DeltaDiscoveryRequest Message, HeldVersions Held, int Size)
{
    // DeltaDiscoveryRequest: resource_names_subscribe, resource_names_unsubscribe.
    private const int Subscribe = 3, Unsubscribe = 4;

    /// <summary>Reads a request.</summary>
    /// <exception cref="Google.Protobuf.InvalidProtocolBufferException">The bytes are none.</exception>
    public static DeltaRequest Read(ReadOnlyMemory<byte> bytes, TextPool names)
    {
        var rest = ArrayPool<byte>.Shared.Rent(Math.Max(1, bytes.Length));
        try
        {
            if (Divide(bytes.Span, rest) is not var (length, subscribed, unsubscribed, isHolding))
                return new(DeltaDiscoveryRequest.Parser.ParseFrom(bytes.Span), default, bytes.Length);
            var message = DeltaDiscoveryRequest.Parser.ParseFrom(rest.AsSpan(0, length));
            (message.ResourceNamesSubscribe.Capacity, message.ResourceNamesUnsubscribe.Capacity) = (subscribed, unsubscribed);
            for (var fields = new WireFields(bytes.Span); subscribed + unsubscribed > 0 && fields.Next();)
            {
                if (fields.Number == Subscribe) message.ResourceNamesSubscribe.Add(names.Of(fields.Bytes));
                else if (fields.Number == Unsubscribe) message.ResourceNamesUnsubscribe.Add(names.Of(fields.Bytes));
            }
            return new(message, isHolding ? HeldVersions.In(bytes) : default, bytes.Length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rest);
        }
    }

    // What is neither names nor versions goes to `rest`; names are counted. Null where the bytes are broken: the parser finds the words for
    // it.
    private static (int Length, int Subscribed, int Unsubscribed, bool IsHolding)? Divide(ReadOnlySpan<byte> bytes, Span<byte> rest)
    {
        var (length, subscribed, unsubscribed, isHolding) = (0, 0, 0, false);
        var fields = new WireFields(bytes);
        for (var left = fields.Left; left > 0; left = fields.Left)
        {
            if (!fields.Next() || (fields.Number is Subscribe or Unsubscribe or HeldVersions.Field && !fields.IsBytes)) return null;
            if (fields.Number == Subscribe) subscribed++;
            else if (fields.Number == Unsubscribe) unsubscribed++;
            else if (fields.Number == HeldVersions.Field) isHolding = true;
            else
            {
                var field = bytes[^left..^fields.Left];
                field.CopyTo(rest[length..]);
                length += field.Length;
            }
        }
        return (length, subscribed, unsubscribed, isHolding);
    }
}
