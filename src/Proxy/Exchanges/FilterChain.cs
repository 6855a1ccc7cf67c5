namespace Lateen.Proxy.Exchanges;

/// <summary>The filters of one connection manager, the router last, with the masks of who wants which moment. Bit i is filter i.</summary>
public sealed class FilterChain
{
    /// <summary>A chain of at most 64 filters.</summary>
    /// <exception cref="InvariantException">There are more, or the last is not terminal.</exception>
    public FilterChain(IReadOnlyList<HttpFilter> filters)
    {
        if (filters.Count is 0 or > 64 || !filters[^1].IsTerminal)
            throw new InvariantException("a filter chain has 1 to 64 filters and ends with a terminal one");
        Filters = [.. filters];
        for (int i = 0; i < Filters.Length; i++)
        {
            if (!Filters[i].DisabledByDefault)
                OnByDefault |= 1ul << i;
        }
    }

    /// <summary>In the order of requests.</summary>
    public HttpFilter[] Filters { get; }

    /// <summary>Filters that are on where no route says otherwise.</summary>
    public ulong OnByDefault { get; }

    /// <summary>Filters that want a moment.</summary>
    public ulong Wanting(FilterPhases phase)
    {
        ulong mask = 0;
        for (int i = 0; i < Filters.Length; i++)
        {
            if ((Filters[i].Phases & phase) != 0)
                mask |= 1ul << i;
        }
        return mask;
    }

    /// <summary>New slots for a pooled exchange.</summary>
    internal FilterSlot[] NewSlots(Exchange exchange)
    {
        var slots = new FilterSlot[Filters.Length];
        for (int i = 0; i < slots.Length; i++)
        {
            slots[i] = Filters[i].NewSlot();
            slots[i].Exchange = exchange;
            slots[i].Filter = Filters[i];
            slots[i].Index = i;
        }
        return slots;
    }
}
