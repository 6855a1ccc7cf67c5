using System.Text;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Epoll;

namespace Lateen.Proxy.Server.HotRestart;

/// <summary>A unix socket of records (SOCK_SEQPACKET) between two processes of one user, each record a short text and perhaps a descriptor.
/// Blocking: for a thread of its own.</summary>
public sealed unsafe class SequencedSocket : IDisposable
{
    private const int TextMax = 512, ControlBytes = 24;

    private readonly int _descriptor;

    private SequencedSocket(int descriptor) => _descriptor = descriptor;

    /// <summary>Listens under an abstract name; null where it is taken.</summary>
    public static SequencedSocket? Listen(string name)
    {
        int fd = Sys.Socket(Sys.AfUnix, Sys.SockSequence | Sys.CloseOnExec, 0);
        if (fd >= 0 && SocketAddress.TryFrom(Address.Unix(name), out SocketAddress at) && Sys.Bind(fd, at.Bytes, at.Length) == 0
            && Sys.Listen(fd, 4) == 0)
            return new SequencedSocket(fd);
        if (fd >= 0)
            Sys.Close(fd);
        return null;
    }

    /// <summary>Connects; null where nobody listens, or somebody else's process does.</summary>
    public static SequencedSocket? Connect(string name)
    {
        int fd = Sys.Socket(Sys.AfUnix, Sys.SockSequence | Sys.CloseOnExec, 0);
        if (fd >= 0 && SocketAddress.TryFrom(Address.Unix(name), out SocketAddress at) && Sys.Connect(fd, at.Bytes, at.Length) == 0
            && IsOurs(fd))
            return new SequencedSocket(fd);
        if (fd >= 0)
            Sys.Close(fd);
        return null;
    }

    /// <summary>The next who connects; null when the socket is closed. Strangers are sent away.</summary>
    public SequencedSocket? Accept()
    {
        while (true)
        {
            int fd = Sys.Accept(_descriptor, null, null, Sys.CloseOnExec);
            if (fd < 0 && Sys.Errno != Sys.EIntr)
                return null;
            if (fd >= 0 && IsOurs(fd))
                return new SequencedSocket(fd);
            if (fd >= 0)
                Sys.Close(fd);
        }
    }

    // struct ucred: process, user, group. An abstract name is open to everybody; listening sockets are for our own user.
    private static bool IsOurs(int fd)
    {
        int* credentials = stackalloc int[3];
        int length = 12;
        return Sys.GetOption(fd, Sys.SolSocket, Sys.SoPeerCredentials, credentials, &length) == 0
            && (uint)credentials[1] == Sys.EffectiveUser();
    }

    /// <summary>Sends a record; false where the peer is gone.</summary>
    public bool Send(string text, int descriptor = -1)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        byte* control = stackalloc byte[ControlBytes];
        fixed (byte* start = bytes)
        {
            var vector = new Sys.Vector { Start = start, Length = bytes.Length };
            var message = new Sys.MessageHeader { Vectors = &vector, VectorCount = 1 };
            if (descriptor >= 0)
            {
                // struct cmsghdr: length (with the head of 16), level, type; then the descriptor.
                *(long*)control = 20;
                *(int*)(control + 8) = Sys.SolSocket;
                *(int*)(control + 12) = Sys.ScmRights;
                *(int*)(control + 16) = descriptor;
                message.Control = control;
                message.ControlLength = ControlBytes;
            }
            return Sys.SendMessage(_descriptor, &message, Sys.MsgNoSignal) == bytes.Length;
        }
    }

    /// <summary>The next record; null when the peer is gone.</summary>
    public string? Receive(out int descriptor)
    {
        descriptor = -1;
        byte* bytes = stackalloc byte[TextMax];
        byte* control = stackalloc byte[ControlBytes];
        var vector = new Sys.Vector { Start = bytes, Length = TextMax };
        var message = new Sys.MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = ControlBytes };
        nint count;
        do
        {
            count = Sys.ReceiveMessage(_descriptor, &message, Sys.CloseOnExecMessage);
        }
        while (count < 0 && Sys.Errno == Sys.EIntr);
        if (count <= 0)
            return null;
        if (message.ControlLength >= 20 && *(int*)(control + 8) == Sys.SolSocket && *(int*)(control + 12) == Sys.ScmRights)
            descriptor = *(int*)(control + 16);
        return Encoding.UTF8.GetString(bytes, (int)count);
    }

    /// <summary>Ends it; whoever waits in it comes back.</summary>
    public void Dispose()
    {
        Sys.Shutdown(_descriptor, 2);
        Sys.Close(_descriptor);
    }
}
