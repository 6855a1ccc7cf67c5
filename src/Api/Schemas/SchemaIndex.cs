namespace Lateen.Api.Schemas;

/// <summary>Where each message and enumeration stands in the descriptor set, by a hash of its name.</summary>
/// <remarks>Names of protobuf and of the generated class fall together, since protoc makes one of the other by case and underscores alone;
/// a test proves that no two collide.</remarks>
internal sealed class SchemaIndex
{
    private readonly record struct Place(int From, int Length, int Parent, int Package, int PackageLength, bool IsEnum, bool IsExplicit);

    private readonly DescriptorBytes _set;
    private readonly List<Place> _places = new(4096);
    private readonly Dictionary<ulong, int> _byHash = new(4096);

    public SchemaIndex(DescriptorBytes set)
    {
        _set = set;
        int at = 0;
        while (set.Next(ref at, out int number, out long from, out int length))
        {
            if (number == 1)
                AddFile((int)from, length);
        }
    }

    public int Count => _places.Count;

    /// <summary>The place of a name: of protobuf, of a reference (with a leading dot) or of a generated class; -1 when there is
    /// none.</summary>
    public int Find(string name)
    {
        ReadOnlySpan<char> rest = name;
        ulong hash = Seed;
        const string WellKnown = "Google.Protobuf.WellKnownTypes.";
        if (rest.StartsWith(WellKnown))
        {
            hash = Add(hash, "google.protobuf.");
            rest = rest[WellKnown.Length..];
        }
        while (rest.IndexOf("+Types+") is var nested and >= 0)
        {
            hash = Add(Add(hash, rest[..nested]), ".");
            rest = rest[(nested + 7)..];
        }
        return _byHash.GetValueOrDefault(Add(hash, rest is ['.', .. var absolute] ? absolute : rest), -1);
    }

    public bool IsEnum(int place) => _places[place].IsEnum;

    /// <summary>Whether scalars tell unset from zero without being told so (proto2).</summary>
    public bool IsExplicit(int place) => _places[place].IsExplicit;

    public DescriptorBytes BytesOf(int place) => _set.Slice(_places[place].From, _places[place].Length);

    /// <summary>The full protobuf name.</summary>
    public string NameOf(int place)
    {
        Place p = _places[place];
        string before = p.Parent >= 0 ? NameOf(p.Parent) : _set.Text(p.Package, p.PackageLength);
        string own = OwnName(BytesOf(place));
        return before.Length == 0 ? own : $"{before}.{own}";
    }

    private static string OwnName(DescriptorBytes type)
    {
        int at = 0;
        while (type.Next(ref at, out int number, out long from, out int length))
        {
            if (number == 1)
                return type.Text(from, length);
        }
        return "";
    }

    private void AddFile(int from, int length)
    {
        DescriptorBytes file = _set.Slice(from, length);
        (int package, int packageLength, bool proto3) = (0, 0, false);
        int at = 0;
        while (file.Next(ref at, out int number, out long value, out int count))
        {
            if (number == 2)
                (package, packageLength) = (from + (int)value, count);
            else if (number == 12)
                proto3 = file.Text(value, count) == "proto3";
        }
        at = 0;
        ulong hash = packageLength == 0 ? Seed : Add(Add(Seed, _set.Text(package, packageLength)), ".");
        while (file.Next(ref at, out int number, out long value, out int count))
        {
            if (number is 4 or 5)
                AddType(new Place(from + (int)value, count, -1, package, packageLength, number == 5, !proto3), hash);
        }
    }

    private void AddType(Place place, ulong before)
    {
        DescriptorBytes type = _set.Slice(place.From, place.Length);
        ulong hash = Add(before, OwnName(type));
        int index = _places.Count;
        _places.Add(place);
        _byHash.Add(hash, index);
        int at = 0;
        hash = Add(hash, ".");
        while (!place.IsEnum && type.Next(ref at, out int number, out long from, out int length))
        {
            if (number is 3 or 4)
                AddType(place with { From = place.From + (int)from, Length = length, Parent = index, IsEnum = number == 4 }, hash);
        }
    }

    private const ulong Seed = 14695981039346656037;

    // FNV-1a over the letters and digits in lower case, and dots.
    private static ulong Add(ulong hash, ReadOnlySpan<char> text)
    {
        foreach (char c in text)
        {
            if (c != '_')
                hash = (hash ^ char.ToLowerInvariant(c)) * 1099511628211;
        }
        return hash;
    }
}
