using System.Globalization;
using System.Text;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Test.Fuzz.Frame;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>The first bytes of a TLS connection. The verdict is asked for after each piece, as a listener does; it must be the one that all
/// bytes at once get.</summary>
internal sealed class ClientHelloTarget : FuzzTarget
{
    public override string Name => "client-hello";

    public override IReadOnlyList<byte[]> Words =>
        [[0x16, 3, 1], [0, 0, 0, 14, 0, 12, 0, 0, 9, .. "a.example"u8], [0, 16, 0, 5, 0, 3, 2, .. "h2"u8], [0xff, 0xff]];

    public override byte[] Make(Chance chance, InputPool pool)
    {
        var extensions = new List<byte>();
        for (uint n = chance.Below(5); n > 0; n--)
        {
            byte[] body = chance.Below(3) switch
            {
                0 => [0, 12, 0, 0, 9, .. "A.example"u8],
                1 => [0, 12, 2, .. "h2"u8, 8, .. "http/1.1"u8],
                _ => new byte[chance.Below(700)],
            };
            extensions.AddRange([0, (byte)(body.Length == 14 ? (body[2] == 0 ? 0u : 16u) : chance.Below(60)), (byte)(body.Length >> 8),
                (byte)body.Length, .. body]);
        }
        byte[] hello = [3, 3, .. new byte[32], 0, 0, 2, 0x13, 1, 1, 0, (byte)(extensions.Count >> 8), (byte)extensions.Count,
            .. extensions];
        byte[] message = [1, 0, (byte)(hello.Length >> 8), (byte)hello.Length, .. hello];
        return [.. Records(chance, message)];
    }

    // One handshake message over records of chance.
    private static IEnumerable<byte> Records(Chance chance, byte[] message)
    {
        bool many = chance.Hits(1, 3);
        for (int at = 0; at < message.Length;)
        {
            int n = many ? (int)Math.Min(message.Length - at, 1 + chance.Below(200)) : message.Length;
            foreach (byte b in (byte[])[0x16, 3, 1, (byte)(n >> 8), (byte)n, .. message[at..(at + n)]])
                yield return b;
            at += n;
        }
    }

    public override string Play(byte[] input, Chance? cuts)
    {
        string verdict = "NeedMore";
        var seen = new List<byte>();
        Feed(input, cuts, piece =>
        {
            seen.AddRange(piece);
            Inspection found = ClientHello.Inspect([.. seen], out string name, out IReadOnlyList<string> protocols);
            verdict = $"{found} {name} {string.Join(',', protocols)}";
            return found == Inspection.NeedMore;
        });
        return verdict;
    }

    // Every piece is looked at together with what came before it.
    public override long AllocationMax(int length) => 4_000_000 + (400L * length);
}

/// <summary>PROXY protocol headers, read as a listener does; what is written again reads the same.</summary>
internal sealed class ProxyHeaderTarget : FuzzTarget
{
    private static readonly byte[] Signature = Encoding.Latin1.GetBytes("\r\n\r\n\0\r\nQUIT\n");

    public override string Name => "proxy-header";

    public override IReadOnlyList<byte[]> Words =>
        [Signature, "PROXY TCP4 "u8.ToArray(), "PROXY UNKNOWN\r\n"u8.ToArray(), "255.255.255.255 "u8.ToArray(), "65536\r\n"u8.ToArray(),
            "::1 "u8.ToArray()];

    public override byte[] Make(Chance chance, InputPool pool) => chance.Hits(1, 2) ? MakeValues(chance) : MakeNoise(chance);

    // Version 2 in order, with values of the types that there are; now and then a length is wrong.
    private static byte[] MakeValues(Chance chance)
    {
        bool six = chance.Hits(1, 2), local = chance.Hits(1, 8);
        var body = new List<byte>();
        for (int i = six ? 36 : 12; i > 0 && !local; i--)
            body.Add((byte)chance.Below(256));
        for (uint n = chance.Below(6); n > 0; n--)
        {
            byte[] value = new byte[chance.Hits(1, 12) ? chance.Below(3000) : chance.Below(20)];
            int told = value.Length + (chance.Hits(1, 10) ? (int)chance.Below(3) - 1 : 0);
            body.AddRange([(byte)(chance.Hits(3, 4) ? chance.Below(6) : 0x20 + chance.Below(6)), (byte)(told >> 8), (byte)told, .. value]);
        }
        int length = body.Count - (chance.Hits(1, 12) && body.Count > 0 ? 1 : 0);
        return [.. Signature, (byte)(local ? 0x20 : 0x21), (byte)(six ? 0x21 : 0x11), (byte)(length >> 8), (byte)length, .. body,
            .. "GET /"u8];
    }

    private static byte[] MakeNoise(Chance chance)
    {
        byte[] body = new byte[chance.Below(60)];
        for (int i = 0; i < body.Length; i++)
            body[i] = (byte)chance.Below(256);
        int length = chance.Hits(1, 4) ? (int)chance.Below(80) : body.Length;
        return [.. Signature, (byte)(chance.Hits(9, 10) ? 0x20 | chance.Below(3) : chance.Below(256)),
            (byte)(chance.Hits(3, 4) ? 0x11 + (16 * chance.Below(2)) : chance.Below(256)), (byte)(length >> 8), (byte)length, .. body,
            .. "GET /"u8];
    }

    public override string Play(byte[] input, Chance? cuts)
    {
        string verdict = "NeedMore";
        var seen = new List<byte>();
        Feed(input, cuts, piece =>
        {
            seen.AddRange(piece);
            Inspection found = ProxyHeader.Inspect([.. seen], out ProxyHeader? header, out int taken);
            if (taken > seen.Count)
                throw new InvalidOperationException($"took {taken} of {seen.Count}");
            verdict = string.Create(CultureInfo.InvariantCulture,
                $"{found} {taken} {Told(header)}");
            if (header is { Source.IsIp: true } && header.Source.Kind == header.Destination.Kind)
                Again(header);
            return found == Inspection.NeedMore;
        });
        return verdict;
    }

    private static string Told(ProxyHeader? header) => header is null ? "-" : string.Create(CultureInfo.InvariantCulture,
        $"\n{(header.Version == 1 ? "text" : "binary")} {header.Source.Kind}\n{Values(header)}\n{header.Source} {header.Destination}");

    private static string Values(ProxyHeader header) =>
        string.Join('\n', header.Values.Select(static v => $"value {(char)('a' + (v.Type & 15))}"));

    private static void Again(ProxyHeader header)
    {
        byte[] written = ProxyHeader.Write(2, header.Source, header.Destination, header.Values);
        if (ProxyHeader.Inspect(written, out ProxyHeader? again, out int taken) != Inspection.Found || taken != written.Length
            || again?.Source != header.Source || again.Destination != header.Destination)
            throw new InvalidOperationException("what was written again reads otherwise");
    }
}
