using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Resolution;

/// <summary>One resolution of a name to the addresses of the families that are wanted: one question, or two. <paramref name="done"/> hears
/// its end once, unless it was stopped before.</summary>
internal sealed class NameQuery(DnsResolver resolver, string name, DnsFamily family, IReadOnlyList<Address> servers,
    Action<DnsOutcome, IReadOnlyList<Address>, uint> done)
{
    private readonly List<Address> _found = [];
    private uint _ttl = uint.MaxValue;
    private bool _second, _stopped;

    /// <summary>Asks.</summary>
    public void Begin() => Ask(family is DnsFamily.V4Only or DnsFamily.V4Preferred or DnsFamily.All
        ? DnsMessage.TypeA : DnsMessage.TypeAaaa);

    /// <summary>Nobody wants to know any more.</summary>
    public void Stop() => _stopped = true;

    private void Ask(ushort type) =>
        resolver.Resolve(name, type, servers, (outcome, addresses, ttl) => OnAnswer(type, outcome, addresses, ttl));

    private void OnAnswer(ushort type, DnsOutcome outcome, IReadOnlyList<Address> addresses, uint ttl)
    {
        if (_stopped)
            return;
        _found.AddRange(addresses);
        _ttl = Math.Min(_ttl, ttl);
        bool other = !_second && (family == DnsFamily.All || (_found.Count == 0 && family is DnsFamily.Auto or DnsFamily.V4Preferred));
        if (other)
        {
            _second = true;
            Ask(type == DnsMessage.TypeA ? DnsMessage.TypeAaaa : DnsMessage.TypeA);
            return;
        }
        done(_found.Count > 0 ? DnsOutcome.Answer : outcome, _found, _ttl);
    }
}
