using System.Buffers;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Pilot.Generation;

namespace Lateen.Pilot.Push;

/// <summary>A response to be written to a stream, as the pieces that it consists of: the bytes of its resources are those of everybody
/// else's.</summary>
public sealed class AdsResponse
{
    private readonly byte[] _head, _tail;
    private readonly IReadOnlyList<WireResource> _resources;

    private AdsResponse(bool isIncremental, string typeUrl, string nonce, byte[] head, IReadOnlyList<WireResource> resources, byte[] tail)
    {
        (IsIncremental, TypeUrl, Nonce, _head, _resources, _tail) = (isIncremental, typeUrl, nonce, head, resources, tail);
        Size = head.Length + tail.Length;
        foreach (var resource in resources) Size += isIncremental ? resource.EntryBytes : resource.WholeBytes;
    }

    /// <summary>A response that was made as a message: what is told to one alone.</summary>
    public static AdsResponse Of(DiscoveryResponse message) => new(false, message.TypeUrl, message.Nonce, message.ToByteArray(), [], []);

    /// <summary>The same in the incremental form.</summary>
    public static AdsResponse Of(DeltaDiscoveryResponse message) =>
        new(true, message.TypeUrl, message.Nonce, message.ToByteArray(), [], []);

    /// <summary>A DeltaDiscoveryResponse rather than a DiscoveryResponse.</summary>
    public bool IsIncremental { get; }

    /// <summary>Others are sent the same <see cref="Resources"/>, as one object.</summary>
    public bool IsShared { get; private init; }

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
    public IMessage Message =>
        IsIncremental ? DeltaDiscoveryResponse.Parser.ParseFrom(Bytes()) : DiscoveryResponse.Parser.ParseFrom(Bytes());

    /// <summary>The incremental form, or null.</summary>
    public DeltaDiscoveryResponse? Delta => IsIncremental ? (DeltaDiscoveryResponse)Message : null;

    /// <summary>The state-of-the-world form, or null.</summary>
    public DiscoveryResponse? Whole => IsIncremental ? null : (DiscoveryResponse)Message;

    /// <summary>Of how many parts a piece consists.</summary>
    public int PartsOf(int piece) => piece == 0 || piece == PieceCount - 1 ? 1 : _resources[piece - 1].PartCount;

    /// <summary>One part of a piece of the message's bytes; pieces and their parts are in order.</summary>
    public ReadOnlySpan<byte> Part(int piece, int part) => piece == 0 ? _head : piece == PieceCount - 1 ? _tail
        : IsIncremental ? _resources[piece - 1].EntryPart(part) : _resources[piece - 1].WholePart(part);

    /// <summary>The message's bytes in one array.</summary>
    public byte[] Bytes()
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(Size, 1));
        for (var piece = 0; piece < PieceCount; piece++)
        {
            for (var part = 0; part < PartsOf(piece); part++) bytes.Write(Part(piece, part));
        }
        return bytes.WrittenSpan.ToArray();
    }

    // Fields before and behind the resources by their numbers: what precedes them is the version, everything else follows.
    internal static AdsResponse Incremental(string typeUrl, string revision, string nonce, SetChange change)
    {
        var tail = new DeltaDiscoveryResponse { TypeUrl = typeUrl, Nonce = nonce };
        tail.RemovedResources.Add(change.Gone);
        return new AdsResponse(true, typeUrl, nonce, new DeltaDiscoveryResponse { SystemVersionInfo = revision }.ToByteArray(), change.News,
            tail.ToByteArray()) { IsShared = change.IsShared };
    }

    internal static AdsResponse StateOfTheWorld(string typeUrl, string revision, string nonce, IReadOnlyList<WireResource> resources) =>
        new(false, typeUrl, nonce, new DiscoveryResponse { VersionInfo = revision }.ToByteArray(), resources,
            new DiscoveryResponse { TypeUrl = typeUrl, Nonce = nonce }.ToByteArray());
}
