using System.Net.Sockets;

namespace Lateen.Agent.Discovery;

/// <summary>Serves the proxy's xDS socket: each connection is joined to one of its own to the control plane, and ends with it.</summary>
public sealed class XdsRelay(string path, ControlPlaneDoor door)
{
    private const int BufferBytes = 16 << 10, StackBytes = 128 << 10;

    /// <summary>Listens; from then on connections are served on threads of their own.</summary>
    /// <exception cref="IOException">The socket cannot be made.</exception>
    public void Start()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.Delete(path);
        var listening = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listening.Bind(new UnixDomainSocketEndPoint(path));
        listening.Listen();
        Run("xds", () =>
        {
            while (true)
            {
                Socket proxy = listening.Accept();
                Run("xds-out", () => Serve(proxy));
            }
        });
    }

    private void Serve(Socket proxy)
    {
        using (proxy)
        {
            try
            {
                using Socket upstream = door.Connect();
                Run("xds-in", () => Copy(upstream, proxy));
                Copy(proxy, upstream);
            }
            catch (SocketException)
            {
                // No control plane: the proxy sees a closed connection and asks again, after a while of its own.
            }
        }
    }

    private static void Copy(Socket from, Socket to)
    {
        byte[] buffer = GC.AllocateUninitializedArray<byte>(BufferBytes);
        try
        {
            for (int count; (count = from.Receive(buffer)) > 0;)
                for (int sent = 0; sent < count;) sent += to.Send(buffer, sent, count - sent, SocketFlags.None);
        }
        catch (Exception ended) when (ended is SocketException or ObjectDisposedException)
        {
            // Either side: both end.
        }
        Shut(from);
        Shut(to);
    }

    private static void Shut(Socket socket)
    {
        try { socket.Shutdown(SocketShutdown.Both); }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException) { }
    }

    private static void Run(string name, ThreadStart body) => new Thread(body, StackBytes) { IsBackground = true, Name = name }.Start();
}
