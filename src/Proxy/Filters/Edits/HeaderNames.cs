using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Edits;

/// <summary>Tests of header names.</summary>
public sealed class HeaderNames(IReadOnlyList<StringMatch> tests)
{
    /// <summary>No name.</summary>
    public static readonly HeaderNames None = new([]);

    /// <summary>True where there is no test.</summary>
    public bool IsEmpty => tests.Count == 0;

    /// <summary>True where one of the tests takes the name.</summary>
    public bool Includes(ReadOnlySpan<byte> name)
    {
        for (int i = 0; i < tests.Count; i++)
        {
            if (tests[i].Matches(name))
                return true;
        }
        return false;
    }
}
