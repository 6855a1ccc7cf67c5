using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Resolution;

/// <summary>In which order the addresses of one host are tried (RFC 8305, 4).</summary>
public static class HappyEyeballs
{
    /// <summary>The first stays the first; from there on the families take turns, each in its own order, so that one that leads nowhere
    /// costs one attempt.</summary>
    public static List<Address> Order(IReadOnlyList<Address> addresses)
    {
        var ordered = new List<Address>(addresses.Count);
        if (addresses.Count == 0)
            return ordered;
        var own = new Queue<Address>(addresses.Where(a => a.Kind == addresses[0].Kind));
        var other = new Queue<Address>(addresses.Where(a => a.Kind != addresses[0].Kind));
        while (own.Count + other.Count > 0)
        {
            if (own.TryDequeue(out Address first))
                ordered.Add(first);
            if (other.TryDequeue(out Address second))
                ordered.Add(second);
        }
        return ordered;
    }
}
