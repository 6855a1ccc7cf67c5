using System.Net;
using System.Net.Sockets;

namespace Lateen.Agent.Dns;

/// <summary>Answers queries over UDP and TCP.</summary>
public sealed class DnsServer(DnsTable table, DnsUpstream upstream, int mark = 0)
{
    private const int UdpBytesMax = 1232, TcpBytesMax = 65535, ForwardsMax = 64;
    private int _forwards;

    /// <summary>Listens; from then on queries are answered on threads of their own.</summary>
    /// <exception cref="SocketException">The port is taken.</exception>
    public void Start(IPAddress address, int port)
    {
        var udp = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        Marked(udp);
        udp.Bind(new IPEndPoint(address, port));
        var tcp = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Marked(tcp);
        tcp.Bind(new IPEndPoint(address, port));
        tcp.Listen();
        new Thread(() => ServeUdp(udp), 256 << 10) { IsBackground = true, Name = "dns" }.Start();
        new Thread(() => AcceptTcp(tcp), 128 << 10) { IsBackground = true, Name = "dns-tcp" }.Start();
    }

    /// <summary>The answer from the table, or 0 where the machine's resolvers are to be asked.</summary>
    public int FromTable(ReadOnlySpan<byte> query, int bytesMax, Span<byte> into)
    {
        if (!DnsMessage.TryRead(query, out DnsQuestion question)) return 0;
        if (!table.IsReady) return DnsMessage.Answer(query, question, DnsMessage.ServerFailure, [], bytesMax, into);
        if (table.Find(question.Name) is not { } addresses) return 0;
        if (question.Type is not (DnsMessage.A or DnsMessage.Aaaa))
            return DnsMessage.Answer(query, question, DnsMessage.NoError, [], bytesMax, into);
        // In another order each time, as clients take the first.
        IPAddress[] shuffled = [.. addresses];
        Random.Shared.Shuffle(shuffled);
        return DnsMessage.Answer(query, question, DnsMessage.NoError, shuffled, bytesMax, into);
    }

    // Answers are told by the mark, too: without it they would be taken for the application's own and not find back to it.
    private void Marked(Socket socket)
    {
        const int SocketLevel = 1, SetMark = 36; // SOL_SOCKET, SO_MARK
        if (mark != 0) socket.SetRawSocketOption(SocketLevel, SetMark, BitConverter.GetBytes(mark));
    }

    private void ServeUdp(Socket udp)
    {
        byte[] query = new byte[TcpBytesMax], answer = new byte[UdpBytesMax];
        EndPoint from = new IPEndPoint(IPAddress.Any, 0);
        while (true)
        {
            try
            {
                int length = udp.ReceiveFrom(query, ref from);
                int count = FromTable(query.AsSpan(0, length), UdpBytesMax, answer);
                if (count > 0) udp.SendTo(answer.AsSpan(0, count), from);
                else Forward(query.AsSpan(0, length).ToArray(), udp, from);
            }
            catch (SocketException)
            {
                // A client that has gone; the next one is not concerned.
            }
        }
    }

    private void Forward(byte[] query, Socket udp, EndPoint client)
    {
        // More at once are dropped, as a full resolver does; clients ask again.
        if (Interlocked.Increment(ref _forwards) > ForwardsMax)
        {
            Interlocked.Decrement(ref _forwards);
            return;
        }
        ThreadPool.UnsafeQueueUserWorkItem(_ =>
        {
            try { udp.SendTo(Asked(query), client); }
            catch (SocketException) { }
            finally { Interlocked.Decrement(ref _forwards); }
        }, null);
    }

    private byte[] Asked(byte[] query)
    {
        if (upstream.Ask(query) is { } answer) return answer;
        if (!DnsMessage.TryRead(query, out DnsQuestion question)) return query;
        byte[] failure = new byte[question.EndsAt];
        DnsMessage.Answer(query, question, DnsMessage.ServerFailure, [], failure.Length, failure);
        return failure;
    }

    private void AcceptTcp(Socket tcp)
    {
        while (true)
        {
            try
            {
                Socket client = tcp.Accept();
                ThreadPool.UnsafeQueueUserWorkItem(_ => ServeTcp(client), null);
            }
            catch (SocketException)
            {
                // A client that has gone before it was served.
            }
        }
    }

    // Two bytes of length stand before each message (RFC 1035, 4.2.2).
    private void ServeTcp(Socket client)
    {
        using (client)
        {
            try
            {
                client.ReceiveTimeout = client.SendTimeout = 5000;
                using var stream = new NetworkStream(client);
                byte[] prefix = new byte[2], answer = new byte[TcpBytesMax];
                while (true)
                {
                    stream.ReadExactly(prefix);
                    byte[] query = new byte[(prefix[0] << 8) | prefix[1]];
                    stream.ReadExactly(query);
                    int count = FromTable(query, TcpBytesMax, answer);
                    ReadOnlySpan<byte> said = count > 0 ? answer.AsSpan(0, count) : Asked(query);
                    stream.Write([(byte)(said.Length >> 8), (byte)said.Length]);
                    stream.Write(said);
                }
            }
            catch (Exception ended) when (ended is IOException or SocketException)
            {
                // The client is done.
            }
        }
    }
}
