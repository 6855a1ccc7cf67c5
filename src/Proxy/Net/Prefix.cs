using System.Globalization;

namespace Lateen.Proxy.Net;

/// <summary>A range of addresses: 10.0.0.0/8.</summary>
public readonly record struct Prefix
{
    /// <summary>The addresses that share the first <paramref name="length"/> bits with <paramref name="address"/>.</summary>
    public Prefix(Address address, int length)
    {
        Kind = address.Kind;
        Length = length;
        First = address.Masked(length);
    }

    /// <summary>The family.</summary>
    public AddressKind Kind { get; }

    /// <summary>How many bits are given.</summary>
    public int Length { get; }

    /// <summary>The first address.</summary>
    public Address First { get; }

    /// <summary>True where the address lies in the range.</summary>
    public bool Contains(in Address address) => address.Kind == Kind && address.Masked(Length) == First;

    /// <summary>Reads "10.0.0.0/8"; an address alone is its own range. False where it is none.</summary>
    public static bool TryParse(string text, out Prefix prefix)
    {
        prefix = default;
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (!Address.TryParse(slash < 0 ? text : text.AsSpan(0, slash), 0, out Address address))
            return false;
        int length = Width(address.Kind);
        if (slash >= 0 && (!int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out length)
            || length > Width(address.Kind)))
            return false;
        prefix = new Prefix(address, length);
        return true;
    }

    private static int Width(AddressKind kind) => kind == AddressKind.V4 ? 32 : 128;

    /// <inheritdoc/>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{First.Host}/{Length}");
}
