using System.Net;
using System.Net.Sockets;

namespace Lateen.Agent.Dns;

/// <summary>The machine's own resolvers, asked one after the other from a random one on.</summary>
public sealed class DnsUpstream(IReadOnlyList<IPEndPoint> resolvers)
{
    private const int TimeoutMs = 5000, AnswerBytesMax = 4096;

    /// <summary>Those of a resolv.conf.</summary>
    public static DnsUpstream FromFile(string path = "/etc/resolv.conf")
    {
        try
        {
            return new([.. File.ReadLines(path).Select(line => line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
                .Where(words => words is ["nameserver", _, ..])
                .Select(words => IPAddress.TryParse(words[1], out IPAddress? address) ? new IPEndPoint(address, 53) : null)
                .OfType<IPEndPoint>()]);
        }
        catch (IOException)
        {
            return new([]);
        }
    }

    /// <summary>The first answer, as it came; null where none came.</summary>
    public byte[]? Ask(byte[] query)
    {
        int first = resolvers.Count == 0 ? 0 : Random.Shared.Next(resolvers.Count);
        for (int i = 0; i < resolvers.Count; i++)
            if (Ask(resolvers[(first + i) % resolvers.Count], query) is { } answer) return answer;
        return null;
    }

    private static byte[]? Ask(IPEndPoint resolver, byte[] query)
    {
        try
        {
            using var socket = new Socket(resolver.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = TimeoutMs };
            socket.Connect(resolver);
            socket.Send(query);
            byte[] answer = new byte[AnswerBytesMax];
            while (true)
            {
                int count = socket.Receive(answer);
                // An answer to another question is somebody's guess.
                if (count >= 12 && answer[0] == query[0] && answer[1] == query[1]) return answer[..count];
            }
        }
        catch (SocketException)
        {
            return null;
        }
    }
}
