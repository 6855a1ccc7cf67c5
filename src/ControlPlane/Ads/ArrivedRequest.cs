using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Api.Texts;
using Lateen.ControlPlane.Grpc;
using Lateen.Pilot.Push;

namespace Lateen.ControlPlane.Ads;

/// <summary>A request, and the memory that a part of it still lies in until it is dealt with.</summary>
internal sealed class ArrivedRequest : IDisposable
{
    private BorrowedMessage? _memory;

    /// <summary>The request.</summary>
    public required IMessage Message { get; init; }

    /// <summary>What the proxy has from an earlier stream.</summary>
    public HeldVersions Held { get; private init; }

    /// <summary>Its length in bytes.</summary>
    public int Size { get; private init; }

    /// <summary>Reads an incremental request.</summary>
    public static ArrivedRequest Delta(BorrowedMessage message, TextPool names)
    {
        bool isKept = false;
        try
        {
            DeltaRequest read = DeltaRequest.Read(message.Bytes, names);
            isKept = !read.Held.IsEmpty;
            return new ArrivedRequest { Message = read.Message, Held = read.Held, Size = read.Size, _memory = isKept ? message : null };
        }
        finally
        {
            if (!isKept) message.Dispose();
        }
    }

    /// <summary>Reads a request for the state of the world.</summary>
    public static ArrivedRequest Whole(BorrowedMessage message)
    {
        using (message) return new ArrivedRequest
        {
            Message = DiscoveryRequest.Parser.ParseFrom(message.Bytes.Span),
            Size = message.Length,
        };
    }

    /// <summary>Gives the memory back. By whoever deals with it, not by who waits for that: he may be called away first.</summary>
    public void Dispose()
    {
        _memory?.Dispose();
        _memory = null;
    }
}
