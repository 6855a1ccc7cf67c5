using System.Buffers;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Pilot.Generation;

namespace Lateen.Pilot.Push;

/// <summary>A response to be written to a stream, as the pieces that it consists of: the bytes of its resources are those of everybody else's.</summary>
public sealed class AdsResponse
{
    private readonly byte[] _head, _tail;
    private readonly IReadOnlyList<WireResource> _resources;

    private AdsResponse(bool isIncremental, string typeUrl, string nonce, byte[] head, IReadOnlyList<WireResource> resources, byte[] tail)
    {
        (IsIncremental, TypeUrl, Nonce, _head, _resources, _tail) = (isIncremental, typeUrl, nonce, head, resources, tail);
        for (var i = 0; i < PieceCount; i++) Size += Piece(i).Length;
    }

    /// <summary>A response that was made as a message: what is told to one alone.</summary>
    public static AdsResponse Of(DiscoveryResponse message) => new(false, message.TypeUrl, message.Nonce, message.ToByteArray(), [], []);

    /// <summary>The same in the incremental form.</summary>
    public static AdsResponse Of(DeltaDiscoveryResponse message) => new(true, message.TypeUrl, message.Nonce, message.ToByteArray(), [], []);

    /// <summary>A DeltaDiscoveryResponse rather than a DiscoveryResponse.</summary>
    public bool IsIncremental { get; }

    /// <summary>Type of the resources.</summary>
    public string TypeUrl { get; }

    /// <summary>Nonce by which it is answered.</summary>
    public string Nonce { get; }

    /// <summary>Length of the message in bytes.</summary>
    public int Size { get; }

    /// <summary>The resources that it carries.</summary>
    public IReadOnlyList<WireResource> Resources => _resources;

    /// <summary>How many pieces there are.</summary>
    public int PieceCount => _resources.Count + 2;

    /// <summary>The message as an object: for those who are no stream.</summary>
    public IMessage Message => IsIncremental ? DeltaDiscoveryResponse.Parser.ParseFrom(Bytes()) : DiscoveryResponse.Parser.ParseFrom(Bytes());

    /// <summary>The incremental form, or null.</summary>
    public DeltaDiscoveryResponse? Delta => IsIncremental ? (DeltaDiscoveryResponse)Message : null;

    /// <summary>The state-of-the-world form, or null.</summary>
    public DiscoveryResponse? Whole => IsIncremental ? null : (DiscoveryResponse)Message;

    /// <summary>One piece of the message's bytes; they are in order.</summary>
    public ReadOnlySpan<byte> Piece(int index) => index == 0 ? _head : index == PieceCount - 1 ? _tail
        : IsIncremental ? _resources[index - 1].Entry.Span : _resources[index - 1].Whole.Span;

    /// <summary>The message's bytes in one array.</summary>
    public byte[] Bytes()
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(Size, 1));
        for (var i = 0; i < PieceCount; i++) bytes.Write(Piece(i));
        return bytes.WrittenSpan.ToArray();
    }

    // Fields before and behind the resources by their numbers: what precedes them is the version, everything else follows.
    internal static AdsResponse Incremental(string typeUrl, string revision, string nonce, SetChange change)
    {
        var tail = new DeltaDiscoveryResponse { TypeUrl = typeUrl, Nonce = nonce };
        tail.RemovedResources.Add(change.Gone);
        return new AdsResponse(true, typeUrl, nonce, new DeltaDiscoveryResponse { SystemVersionInfo = revision }.ToByteArray(), change.News, tail.ToByteArray());
    }

    internal static AdsResponse StateOfTheWorld(string typeUrl, string revision, string nonce, IReadOnlyList<WireResource> resources) =>
        new(false, typeUrl, nonce, new DiscoveryResponse { VersionInfo = revision }.ToByteArray(), resources, new DiscoveryResponse { TypeUrl = typeUrl, Nonce = nonce }.ToByteArray());
}
