using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Lateen.Cli.Network;

/// <summary>Listening sockets of the machine's own network in a process that lives in another: what is accepted there is handed on to the
/// same port of this network.</summary>
internal sealed class PassedDoors : IDisposable
{
    /// <summary>How many of the last doors are the control plane's: HTTP, xDS, metrics, xDS over TLS.</summary>
    public const int ControlPlanePorts = 4;

    private const int BufferBytes = 16 << 10;
    private readonly List<(Socket Door, int Port)> _doors = [];

    private PassedDoors()
    {
    }

    /// <summary>The doors that <see cref="UserNamespace"/> gave this process; they are open from now on.</summary>
    public static PassedDoors Open()
    {
        var passed = new PassedDoors();
        foreach (string door in (Environment.GetEnvironmentVariable(UserNamespace.Inside)
            ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = door.Split(':');
            int descriptor = int.Parse(parts[0], CultureInfo.InvariantCulture);
            // What this process starts has no business with them.
            _ = Processes.Posix.fcntl(descriptor, 2 /* F_SETFD */, 1 /* FD_CLOEXEC */);
            passed._doors.Add((new Socket(new SafeSocketHandle(descriptor, ownsHandle: true)),
                int.Parse(parts[1], CultureInfo.InvariantCulture)));
        }
        foreach ((Socket door, int port) in passed._doors) _ = AcceptAsync(door, port);
        return passed;
    }

    /// <summary>Where the control plane is to listen, so that its addresses hold outside, too: HTTP, xDS, metrics, xDS over TLS.</summary>
    public IReadOnlyList<int> ControlPlane => [.. _doors.TakeLast(ControlPlanePorts).Select(door => door.Port)];

    public void Dispose()
    {
        foreach ((Socket door, _) in _doors) door.Dispose();
    }

    private static async Task AcceptAsync(Socket door, int port)
    {
        while (true)
        {
            try
            {
                _ = RelayAsync(await door.AcceptAsync().ConfigureAwait(false), port);
            }
            catch (Exception closed) when (closed is ObjectDisposedException
                or SocketException { SocketErrorCode: SocketError.OperationAborted or SocketError.Interrupted })
            {
                return;
            }
            catch (SocketException)
            {
                // A client that has gone before it was served.
            }
        }
    }

    private static async Task RelayAsync(Socket outside, int port)
    {
        using (outside)
        {
            using var inside = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                outside.NoDelay = true;
                await inside.ConnectAsync(IPAddress.Loopback, port).ConfigureAwait(false);
                await Task.WhenAll(PumpAsync(outside, inside), PumpAsync(inside, outside)).ConfigureAwait(false);
            }
            catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
            {
                // Nobody listens there yet, or one of the two has gone: the other sees its connection closed.
            }
        }
    }

    private static async Task PumpAsync(Socket from, Socket to)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (int count; (count = await from.ReceiveAsync(buffer).ConfigureAwait(false)) > 0;)
            {
                for (int sent = 0; sent < count;) sent += await to.SendAsync(buffer.AsMemory(sent, count - sent)).ConfigureAwait(false);
            }
            to.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            from.Close();
            to.Close();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
