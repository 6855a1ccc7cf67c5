using Google.Protobuf.Reflection;

namespace Lateen.Api.Schemas;

/// <summary>A field of a message.</summary>
public sealed class FieldShape
{
    private readonly string _reference = "";
    private readonly DescriptorBytes _options;
    private MessageShape? _message;
    private EnumShape? _enum;

    internal FieldShape(bool isExplicit, DescriptorBytes descriptor)
    {
        (bool optional, int oneof, int at) = (false, -1, 0);
        while (descriptor.Next(ref at, out int number, out long value, out int length))
        {
            switch (number)
            {
                case 1: Name = descriptor.Text(value, length); break;
                case 3: Number = (int)value; break;
                case 4: IsRepeated = value == 3; break;
                case 5: Type = TypeOf((int)value); break;
                case 6: _reference = descriptor.Text(value, length); break;
                case 8: _options = descriptor.Slice((int)value, length); break;
                case 9: oneof = (int)value; break;
                case 10: JsonName = descriptor.Text(value, length); break;
                case 17: optional = value != 0; break;
            }
        }
        Oneof = optional ? -1 : oneof;
        HasPresence = !IsRepeated && (isExplicit || oneof >= 0 || Type is FieldType.Message or FieldType.Group);
    }

    /// <summary>As in the .proto file.</summary>
    public string Name { get; } = "";

    /// <summary>In lowerCamelCase.</summary>
    public string JsonName { get; } = "";

    /// <summary>The number on the wire.</summary>
    public int Number { get; }

    /// <summary>What it holds.</summary>
    public FieldType Type { get; }

    /// <summary>Whether it is a list or a map.</summary>
    public bool IsRepeated { get; }

    /// <summary>The oneof that it belongs to, counted within its message; -1 for none.</summary>
    public int Oneof { get; }

    /// <summary>Whether unset and zero are two things.</summary>
    public bool HasPresence { get; }

    /// <summary>Whether it is a map, whose entries are <see cref="Message"/> with the fields 1 and 2.</summary>
    public bool IsMap => IsRepeated && Type == FieldType.Message && Message!.IsMapEntry;

    /// <summary>What a field of messages holds; null for others.</summary>
    public MessageShape? Message => Type is FieldType.Message or FieldType.Group ? _message ??= SchemaSet.MessageAt(_reference) : null;

    /// <summary>What a field of an enumeration holds; null for others.</summary>
    public EnumShape? Enum => Type == FieldType.Enum ? _enum ??= SchemaSet.EnumAt(_reference) : null;

    /// <summary>What its values must keep; null for nothing.</summary>
    internal Constraints.FieldRules? Rules =>
        _options.Find(DescriptorBytes.ValidateExtension, out ReadOnlySpan<byte> rules) ? new Constraints.FieldRules(rules, this) : null;

    // descriptor.proto counts from 1 in another order than the library's enumeration.
    private static FieldType TypeOf(int type) => type switch
    {
        1 => FieldType.Double,
        2 => FieldType.Float,
        3 => FieldType.Int64,
        4 => FieldType.UInt64,
        5 => FieldType.Int32,
        6 => FieldType.Fixed64,
        7 => FieldType.Fixed32,
        8 => FieldType.Bool,
        9 => FieldType.String,
        10 => FieldType.Group,
        11 => FieldType.Message,
        12 => FieldType.Bytes,
        13 => FieldType.UInt32,
        14 => FieldType.Enum,
        15 => FieldType.SFixed32,
        16 => FieldType.SFixed64,
        17 => FieldType.SInt32,
        _ => FieldType.SInt64,
    };
}

/// <summary>An enumeration: names and numbers.</summary>
public sealed class EnumShape
{
    private readonly Dictionary<string, int> _numbers = [];

    internal EnumShape(string fullName, DescriptorBytes descriptor)
    {
        FullName = fullName;
        var names = new List<string>();
        int at = 0;
        while (descriptor.Next(ref at, out int number, out long from, out int length))
        {
            if (number == 2)
                AddValue(descriptor.Slice((int)from, length), names);
        }
        Names = names;
    }

    /// <summary>The full protobuf name.</summary>
    public string FullName { get; }

    /// <summary>The names of all values, in the order of their declaration.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Whether a number has a name.</summary>
    public bool Has(int number) => _numbers.ContainsValue(number);

    /// <summary>The number of a name.</summary>
    public bool TryNumber(string name, out int number) => _numbers.TryGetValue(name, out number);

    private void AddValue(DescriptorBytes value, List<string> names)
    {
        (string name, int numeral, int at) = ("", 0, 0);
        while (value.Next(ref at, out int number, out long field, out int length))
        {
            if (number == 1)
                name = value.Text(field, length);
            else if (number == 2)
                numeral = (int)field;
        }
        names.Add(name);
        _numbers[name] = numeral;
    }
}
