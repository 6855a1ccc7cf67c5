using System.Globalization;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Formats;

/// <summary>Operators about addresses and hosts.</summary>
internal static partial class Operators
{
    private static Func<IStreamFacts, ByteBuffer, bool>? Place(OperatorText op) => op.Name switch
    {
        "UPSTREAM_HOST" => static (f, b) => Full(b, f.UpstreamHost),
        "UPSTREAM_REMOTE_ADDRESS" => static (f, b) => Full(b, f.UpstreamRemote),
        "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => WithoutPort(op, static f => f.UpstreamRemote),
        "UPSTREAM_HOST_NAME" => static (f, b) => Put(b, f.UpstreamHostName) || Full(b, f.UpstreamHost),
        "UPSTREAM_HOST_NAME_WITHOUT_PORT" => static (f, b) => Put(b, f.UpstreamHostName.Split(':')[0]) || Host(b, f.UpstreamHost),
        "UPSTREAM_LOCAL_ADDRESS" => static (f, b) => Full(b, f.UpstreamLocal),
        "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => WithoutPort(op, static f => f.UpstreamLocal),
        "DOWNSTREAM_REMOTE_ADDRESS" => static (f, b) => Full(b, f.DownstreamRemote),
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => WithoutPort(op, static f => f.DownstreamRemote),
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS" => static (f, b) => Full(b, f.DownstreamDirectRemote),
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT" => WithoutPort(op, static f => f.DownstreamDirectRemote),
        "DOWNSTREAM_LOCAL_ADDRESS" => static (f, b) => Full(b, f.DownstreamLocal),
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => WithoutPort(op, static f => f.DownstreamLocal),
        "DOWNSTREAM_DIRECT_LOCAL_ADDRESS" => static (f, b) => Full(b, f.DownstreamDirectLocal),
        "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT" => WithoutPort(op, static f => f.DownstreamDirectLocal),
        "DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID" or "UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID" => static (_, _) => false,
        "UPSTREAM_HOSTS_ATTEMPTED" or "UPSTREAM_HOST_NAMES_ATTEMPTED" => static (f, b) => Full(b, f.UpstreamHost),
        "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT" or "UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT" => static (f, b) => Host(b, f.UpstreamHost),
        "UPSTREAM_CONNECTION_IDS_ATTEMPTED" => static (f, b) => f.UpstreamConnectionId != 0 && Put(b, f.UpstreamConnectionId),
        "REQUESTED_SERVER_NAME" => static (f, b) => Put(b, f.RequestedServerName),
        _ => null,
    };

    private static bool Full(ByteBuffer to, in Address address)
    {
        if (address.Kind == AddressKind.V4)
        {
            PutV4(to, (uint)address.Low);
            to.Append((byte)':');
            to.Append(address.Port);
            return true;
        }
        return Put(to, address.ToString());
    }

    private static bool Host(ByteBuffer to, in Address address)
    {
        if (address.Kind != AddressKind.V4)
            return Put(to, address.Host);
        PutV4(to, (uint)address.Low);
        return true;
    }

    private static void PutV4(ByteBuffer to, uint ip)
    {
        for (int shift = 24; shift >= 0; shift -= 8)
        {
            to.Append((ip >> shift) & 0xff);
            if (shift > 0)
                to.Append((byte)'.');
        }
    }

    // A unix socket has an address, but its port is nothing.
    private static bool Port(ByteBuffer to, in Address address) => address.IsIp ? Put(to, address.Port) : address.Kind == AddressKind.Unix;

    private static Func<IStreamFacts, ByteBuffer, bool> WithoutPort(OperatorText op, Func<IStreamFacts, Address> of)
    {
        if (string.IsNullOrEmpty(op.Argument))
            return (f, b) => Host(b, of(f));
        // MASK_PREFIX_LEN=24 masks the address as rate limiting and privacy want it.
        int eq = op.Argument.IndexOf('=', StringComparison.Ordinal);
        if (eq < 0 || !op.Argument.StartsWith("MASK_PREFIX_LEN", StringComparison.Ordinal)
            || !int.TryParse(op.Argument.AsSpan(eq + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int bits))
            throw new FormatException($"operator %{op.Name}({op.Argument})%: the argument is MASK_PREFIX_LEN=N");
        return (f, b) => Masked(b, of(f), bits);
    }

    private static bool Masked(ByteBuffer to, Address address, int bits)
    {
        if (!address.IsIp)
            return Host(to, address);
        int width = address.Kind == AddressKind.V4 ? 32 : 128;
        bits = Math.Min(bits, width);
        return Put(to, string.Create(CultureInfo.InvariantCulture, $"{address.Masked(bits).Host}/{bits}"));
    }
}
