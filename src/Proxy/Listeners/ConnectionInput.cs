using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Matching;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Listeners;

/// <summary>What the tree of a listener (Listener.filter_chain_matcher) looks at.</summary>
public enum ChainInput : byte
{
    DestinationIp,
    DestinationPort,
    SourceIp,
    SourcePort,
    DirectSourceIp,
    SourceType,
    ServerName,
    TransportProtocol,
    ApplicationProtocol,
}

/// <summary>A fact of a connection as text; what it does not know is absent. The tree's actions are names of chains.</summary>
public sealed class ConnectionInput(ChainInput input) : MatchInput<ConnectionFacts>
{
    /// <inheritdoc/>
    public override bool Read(ConnectionFacts facts, ByteBuffer text)
    {
        switch (input)
        {
            case ChainInput.DestinationIp or ChainInput.SourceIp or ChainInput.DirectSourceIp:
                return Ip(AddressOf(facts), text);
            case ChainInput.DestinationPort:
                return Port(facts.Local, text);
            case ChainInput.SourcePort:
                return Port(facts.Remote, text);
            case ChainInput.SourceType:
                return Word(facts.Remote.IsLoopback || (facts.Remote.IsIp && facts.Remote.WithPort(0) == facts.Local.WithPort(0))
                    ? "local" : "", text);
            case ChainInput.ServerName:
                return Word(facts.ServerName, text);
            case ChainInput.TransportProtocol:
                return Word(facts.TransportProtocol, text);
            default:
                return Word(facts.ApplicationProtocols.Count == 0 ? "" : "'" + string.Join("','", facts.ApplicationProtocols) + "'", text);
        }
    }

    /// <inheritdoc/>
    public override Address AddressOf(ConnectionFacts facts) => input switch
    {
        ChainInput.DestinationIp => facts.Local.WithPort(0),
        ChainInput.SourceIp => facts.Remote.WithPort(0),
        ChainInput.DirectSourceIp => facts.DirectRemote.WithPort(0),
        _ => default,
    };

    private static bool Ip(Address address, ByteBuffer text)
    {
        if (!address.IsIp)
            return false;
        text.Advance(IpText.Write(address, text.Room(46)));
        return true;
    }

    private static bool Port(Address address, ByteBuffer text)
    {
        if (!address.IsIp)
            return false;
        text.Append(address.Port);
        return true;
    }

    private static bool Word(string word, ByteBuffer text)
    {
        text.Append(word);
        return word.Length > 0;
    }
}
