namespace Lateen.Api.Documents;

/// <summary>Numbers of fields. Nearly all messages number theirs below 64, for which nothing is allocated.</summary>
internal struct NumberSet
{
    private ulong _low;
    private HashSet<int>? _others;

    /// <summary>Adds a number; false when it is there.</summary>
    public bool Add(int number)
    {
        if (number is < 0 or > 63) return (_others ??= []).Add(number);
        var before = _low;
        _low |= 1UL << number;
        return _low != before;
    }
}
