using System.Text;
using Envoy.Tcp.Metadataexchange.Config;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.Proxy.Filters.Istio;
using Lateen.Proxy.Tcp;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>istio.metadata_exchange for TCP: of listeners' chains and of clusters.</summary>
internal static class PeerExchangeTranslator
{
    /// <summary>The type of its configuration.</summary>
    public const string Type = "envoy.tcp.metadataexchange.config.MetadataExchange";

    // Any.Pack and Any.Is would ask for the message's descriptor: all of the library's reflection for one word.
    private const string StructUrl = "type.googleapis.com/google.protobuf.Struct", StructType = "/google.protobuf.Struct";
    private const string IdKey = "x-envoy-peer-metadata-id", PeerKey = "x-envoy-peer-metadata";

    /// <summary>The exchange; null where <paramref name="rejections"/> tells why not.</summary>
    public static PeerExchange? Translate(Any config, PeerCodec peers, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, MetadataExchange.Parser, rejections) is not { } message)
            return null;
        var own = new Struct();
        own.Fields[IdKey] = Value.ForString(Encoding.UTF8.GetString(peers.OwnId));
        own.Fields[PeerKey] = Value.ForStruct(Decoded(peers.OwnText) ?? new Struct());
        return new Codec(message.Protocol, new Any { TypeUrl = StructUrl, Value = own.ToByteString() }.ToByteArray(), peers);
    }

    private static Struct? Decoded(ReadOnlySpan<byte> base64)
    {
        try
        {
            return Struct.Parser.ParseFrom(Convert.FromBase64String(Encoding.ASCII.GetString(base64)));
        }
        catch (Exception e) when (e is FormatException || BrokenBytes.Shown(e))
        {
            return null;
        }
    }

    private sealed class Codec(string protocol, byte[] payload, PeerCodec peers) : PeerExchange(protocol, payload)
    {
        public override object? Read(ReadOnlySpan<byte> payload)
        {
            try
            {
                Any any = Any.Parser.ParseFrom(payload);
                if (!any.TypeUrl.EndsWith(StructType, StringComparison.Ordinal))
                    return null;
                Struct told = Struct.Parser.ParseFrom(any.Value);
                if (!told.Fields.TryGetValue(IdKey, out Value? id) || !told.Fields.TryGetValue(PeerKey, out Value? peer)
                    || peer.StructValue is null)
                    return null;
                return peers.Find(Encoding.UTF8.GetBytes(id.StringValue),
                    Encoding.ASCII.GetBytes(Convert.ToBase64String(peer.StructValue.ToByteArray())));
            }
            catch (Exception e) when (BrokenBytes.Shown(e))
            {
                return null;
            }
        }
    }
}
