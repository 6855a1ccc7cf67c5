using System.Net.Sockets;

namespace Lateen.ControlPlane.Grpc;

/// <summary>A socket as the way out of a connection in clear text.</summary>
internal static class ClearText
{
    // IPPROTO_TCP and TCP_NOTSENT_LOWAT of tcp(7).
    private const int TcpLevel = 6, TcpUnsentBytesMax = 25, UnsentBytesMax = 128 << 10;

    /// <summary>The kernel would take megabytes for each peer that reads slowly: memory that is copied into once and cold when its turn
    /// comes. What is not under way waits here, where it is shared.</summary>
    public static void LimitUnsent(Socket? socket)
    {
        if (OperatingSystem.IsLinux() && socket?.ProtocolType == ProtocolType.Tcp)
            socket.SetRawSocketOption(TcpLevel, TcpUnsentBytesMax, BitConverter.GetBytes(UnsentBytesMax));
    }

    /// <summary>Sends all of these bytes.</summary>
    public static async ValueTask SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0) bytes = bytes[await socket.SendAsync(bytes)..];
    }

    /// <summary>Sends all of these frames.</summary>
    public static async ValueTask SendAsync(Socket socket, FramesInFile frames)
    {
        // Nothing flows with it: the caller's context is its own.
        using var packets = new SocketAsyncEventArgs(true);
        packets.SendPacketsElements = [new SendPacketsElement(frames.File!, frames.Offset, frames.Length)];
        var taken = new TaskCompletionSource();
        packets.Completed += (_, _) => taken.SetResult();
        if (socket.SendPacketsAsync(packets)) await taken.Task;
        if (packets.SocketError != SocketError.Success) throw new SocketException((int)packets.SocketError);
    }
}
