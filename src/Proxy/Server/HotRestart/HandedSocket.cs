// HotRestart: a new process takes the place of a running one without a refused connection (--restart-epoch). The old one listens on an
// abstract unix socket named after base id and epoch; the new one asks it for its listening sockets (descriptors travel as SCM_RIGHTS),
// binds nothing anew, and when it serves tells the old one to drain, and later to end. Sockets with the connections that wait in them are
// one kernel object for both, so nothing is lost between. Refused: Envoy's shared memory (statistics begin anew here: scrapers know how to
// read a restart).
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Server.HotRestart;

/// <summary>A listening socket that goes from one process to the next.</summary>
/// <param name="Worker">Whose it was; -1 for the main loop's.</param>
/// <param name="Address">The address that was asked for.</param>
/// <param name="Descriptor">The socket.</param>
public readonly record struct HandedSocket(int Worker, Address Address, int Descriptor)
{
    /// <summary>What is told beside the descriptor: "0 ip 127.0.0.1 80", "-1 unix /path".</summary>
    public string Text => Address.IsIp ? $"{Worker} ip {Address.Host} {Address.Port}" : $"{Worker} unix {Address.Name}";

    /// <summary>Reads it; false where it is none.</summary>
    public static bool TryRead(string text, int descriptor, out HandedSocket socket)
    {
        socket = default;
        string[] words = text.Split(' ', 3);
        if (words.Length != 3 || !int.TryParse(words[0], out int worker))
            return false;
        if (words[1] == "unix")
        {
            socket = new HandedSocket(worker, Address.Unix(words[2]), descriptor);
            return true;
        }
        int blank = words[2].LastIndexOf(' ');
        if (blank < 0 || !int.TryParse(words[2].AsSpan(blank + 1), out int port)
            || !Address.TryParse(words[2].AsSpan(0, blank), port, out Address address))
            return false;
        socket = new HandedSocket(worker, address, descriptor);
        return true;
    }
}
