using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Google.Protobuf.Reflection;

namespace Lateen.Api.Schemas.Constraints;

/// <summary>The rules of one field (validate.FieldRules). What is not among them asks for nothing.</summary>
internal sealed class FieldRules
{
    // HTTP field names and values as protoc-gen-validate writes them.
    private const string StrictName = "^:?[0-9a-zA-Z!#$%&'*+-.^_|~`]+$", LooseName = "^[^\\u0000\\u000A\\u000D]+$";
    private const string StrictValue = "^[^\\u0000-\\u0008\\u000A-\\u001F\\u007F]*$", LooseValue = "^[^\\u0000\\u000A\\u000D]*$";

    // The same read by bytes: they are met in most resources, and the framework's expressions cost more to load than all of them to check.
    private static readonly SearchValues<byte> NameBytes =
        SearchValues.Create("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+,-.^_|~`"u8);
    private static readonly SearchValues<byte> StrictBarred =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Where(b => b != '\t').Append(0x7f).Select(b => (byte)b)]);
    private static readonly SearchValues<byte> LooseBarred = SearchValues.Create("\0\n\r"u8);

    private readonly List<ulong> _numbers = [], _refusedNumbers = [];
    private readonly List<string> _texts = [], _refusedTexts = [];
    private readonly bool _isBytes;
    private (Int128 Value, bool Has) _less, _lessOrSame, _greater, _greaterOrSame;
    private (double Value, bool Has) _lessF, _lessOrSameF, _greaterF, _greaterOrSameF;
    private ulong _lengthMin, _bytesMin;
    private ulong _lengthMax = ulong.MaxValue, _bytesMax = ulong.MaxValue;
    private ulong _known;
    private bool _strict = true, _definedOnly, _ignoreEmpty;
    private string _prefix = "", _suffix = "", _patternText = "";
    // Made by the first text that is checked by it: most never are.
    private Lazy<Regex?>? _pattern;

    public FieldRules(ReadOnlySpan<byte> bytes, FieldShape field)
    {
        _isBytes = field.Type == FieldType.Bytes || field.Message?.FullName == "google.protobuf.BytesValue";
        var kinds = new WireFields(bytes);
        while (kinds.Next())
            Read(kinds.Number, kinds.Bytes, field);
        if (_known is 1 or 2)
        {
            // A header that is not named at all is named rightly: who needs one says min_len beside it.
            _patternText = _known == 1 ? (_strict ? StrictName : LooseName) : _strict ? StrictValue : LooseValue;
        }
        else if (_patternText.Length > 0)
        {
            _pattern = new Lazy<Regex?>(() => Compile(_patternText));
        }
    }

    /// <summary>Must be set.</summary>
    public bool IsRequired { get; private set; }

    /// <summary>What is inside is not looked at.</summary>
    public bool Skips { get; private set; }

    /// <summary>Fewest items, or entries of a map.</summary>
    public ulong ItemsMin { get; private set; }

    /// <summary>Most items, or entries of a map.</summary>
    public ulong ItemsMax { get; private set; } = ulong.MaxValue;

    /// <summary>The rules of each item, or of a map's values.</summary>
    public FieldRules? Items { get; private set; }

    /// <summary>The rules of a map's keys.</summary>
    public FieldRules? Keys { get; private set; }

    /// <summary>True where a duration is compared.</summary>
    public bool IsDuration { get; private set; }

    // RE2's syntax is nearly the framework's; what it can't read is left to the translator.
    private static Regex? Compile(string pattern)
    {
        try
        {
            return new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return null;
        }
    }

    private void Read(int kind, ReadOnlySpan<byte> bytes, FieldShape field)
    {
        var rules = new WireFields(bytes);
        while (rules.Next())
        {
            switch (kind)
            {
                case 1 or 2: ReadFraction(rules.Number,
                    kind == 1 ? BitConverter.UInt32BitsToSingle((uint)rules.Value) : BitConverter.UInt64BitsToDouble(rules.Value)); break;
                case >= 3 and <= 12: ReadNumber(rules.Number, rules.Value, IsSigned(kind)); break;
                case 14: ReadText(rules.Number, rules.Value, rules.Bytes); break;
                case 15: ReadBytes(rules.Number, rules.Value); break;
                case 16: ReadEnum(rules.Number, rules.Value, rules.IsBytes, rules.Bytes); break;
                case 17: (Skips, IsRequired) = (Skips || rules.Number == 1, IsRequired || rules is { Number: 2, Value: not 0 }); break;
                case 18: ReadRepeated(rules.Number, rules.Value, rules.Bytes, field); break;
                case 19: ReadMap(rules.Number, rules.Value, rules.Bytes, field); break;
                case 20: ReadAny(rules.Number, rules.Value, rules.Bytes); break;
                case 21: ReadDuration(rules.Number, rules.Value, rules.Bytes); break;
                case 22: IsRequired |= rules is { Number: 1, Value: not 0 }; break;
            }
        }
    }

    private static bool IsSigned(int kind) => kind is 3 or 4 or 7 or 8 or 11 or 12;

    private void ReadNumber(int number, ulong raw, bool signed)
    {
        Int128 value = signed ? (long)raw : raw;
        switch (number)
        {
            case 1: _numbers.Add(raw); break;
            case 2: _less = (value, true); break;
            case 3: _lessOrSame = (value, true); break;
            case 4: _greater = (value, true); break;
            case 5: _greaterOrSame = (value, true); break;
            case 6: _numbers.Add(raw); break;
            case 7: _refusedNumbers.Add(raw); break;
            case 8: _ignoreEmpty = raw != 0; break;
        }
    }

    private void ReadFraction(int number, double value)
    {
        switch (number)
        {
            case 2: _lessF = (value, true); break;
            case 3: _lessOrSameF = (value, true); break;
            case 4: _greaterF = (value, true); break;
            case 5: _greaterOrSameF = (value, true); break;
        }
    }

    private void ReadText(int number, ulong value, ReadOnlySpan<byte> bytes)
    {
        switch (number)
        {
            case 2: _lengthMin = value; break;
            case 3: _lengthMax = value; break;
            case 4: _bytesMin = value; break;
            case 5: _bytesMax = value; break;
            case 6: _patternText = Encoding.UTF8.GetString(bytes); break;
            case 7: _prefix = Encoding.UTF8.GetString(bytes); break;
            case 8: _suffix = Encoding.UTF8.GetString(bytes); break;
            case 1 or 10: _texts.Add(Encoding.UTF8.GetString(bytes)); break;
            case 11: _refusedTexts.Add(Encoding.UTF8.GetString(bytes)); break;
            case 24: _known = value; break;
            case 25: _strict = value != 0; break;
            case 26: _ignoreEmpty = value != 0; break;
        }
    }

    private void ReadBytes(int number, ulong value)
    {
        if (number == 2)
            _bytesMin = value;
        else if (number == 3)
            _bytesMax = value;
    }

    private void ReadEnum(int number, ulong value, bool packed, ReadOnlySpan<byte> bytes)
    {
        if (number == 2)
        {
            _definedOnly = value != 0;
            return;
        }
        List<ulong> list = number == 4 ? _refusedNumbers : _numbers;
        if (!packed)
        {
            list.Add(value);
            return;
        }
        var items = new WireFields(bytes);
        while (items.NextPacked(out ulong item))
            list.Add(item);
    }

    private void ReadRepeated(int number, ulong value, ReadOnlySpan<byte> bytes, FieldShape field)
    {
        switch (number)
        {
            case 1: ItemsMin = value; break;
            case 2: ItemsMax = value; break;
            case 4: Items = new FieldRules(bytes, field); break;
            case 5: _ignoreEmpty = value != 0; break;
        }
    }

    private void ReadMap(int number, ulong value, ReadOnlySpan<byte> bytes, FieldShape field)
    {
        switch (number)
        {
            case 1: ItemsMin = value; break;
            case 2: ItemsMax = value; break;
            case 4 when field.Message?.Field("key") is { } key: Keys = new FieldRules(bytes, key); break;
            case 5 when field.Message?.Field("value") is { } item: Items = new FieldRules(bytes, item); break;
        }
    }

    private void ReadAny(int number, ulong value, ReadOnlySpan<byte> bytes)
    {
        if (number == 1)
            IsRequired = value != 0;
        else if (number == 2)
            _texts.Add(Encoding.UTF8.GetString(bytes));
    }

    private void ReadDuration(int number, ulong value, ReadOnlySpan<byte> bytes)
    {
        if (number == 1)
        {
            IsRequired = value != 0;
            return;
        }
        IsDuration = true;
        Int128 nanos = Nanos(bytes);
        switch (number)
        {
            case 3: _less = (nanos, true); break;
            case 4: _lessOrSame = (nanos, true); break;
            case 5: _greater = (nanos, true); break;
            case 6: _greaterOrSame = (nanos, true); break;
        }
    }

    /// <summary>A duration's nanoseconds.</summary>
    public static Int128 Nanos(ReadOnlySpan<byte> bytes)
    {
        Int128 nanos = 0;
        var fields = new WireFields(bytes);
        while (fields.Next())
            nanos += fields.Number == 1 ? (Int128)(long)fields.Value * 1_000_000_000 : fields.Number == 2 ? (int)fields.Value : 0;
        return nanos;
    }

    // ---- Checks: null, or what is wrong

    /// <summary>A number or an enumeration's value.</summary>
    public string? Check(ulong raw, FieldShape field) =>
        _definedOnly && field.Enum is { } known && !known.Has((int)raw)
            ? "value must be one of the defined enum values" : CheckAs(field.Type, raw);

    /// <summary>A number of that type.</summary>
    public string? CheckAs(FieldType type, ulong raw)
    {
        if (_ignoreEmpty && raw == 0)
            return null;
        if (type is FieldType.Double or FieldType.Float)
            return Check(type == FieldType.Double ? BitConverter.UInt64BitsToDouble(raw) : BitConverter.UInt32BitsToSingle((uint)raw));
        if ((_numbers.Count > 0 && !_numbers.Contains(raw)) || _refusedNumbers.Contains(raw))
            return $"value must {(_numbers.Count > 0 ? "be in" : "not be in")} list "
                + $"[{string.Join(", ", _numbers.Count > 0 ? _numbers : _refusedNumbers)}]";
        return Compare(type is FieldType.Int32 or FieldType.Int64 or FieldType.SInt32 or FieldType.SInt64 or FieldType.SFixed64
            ? (long)raw : raw, static v => v.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>A duration.</summary>
    public string? CheckDuration(ReadOnlySpan<byte> bytes) =>
        Compare(Nanos(bytes), static v => ((double)v / 1e9).ToString(CultureInfo.InvariantCulture) + "s");

    private string? Compare(Int128 value, Func<Int128, string> show)
    {
        string? low = _greater.Has && value <= _greater.Value ? $"value must be greater than {show(_greater.Value)}"
            : _greaterOrSame.Has && value < _greaterOrSame.Value
            ? $"value must be greater than or equal to {show(_greaterOrSame.Value)}" : null;
        string? high = _less.Has && value >= _less.Value ? $"value must be less than {show(_less.Value)}"
            : _lessOrSame.Has && value > _lessOrSame.Value ? $"value must be less than or equal to {show(_lessOrSame.Value)}" : null;
        bool both = (_greater.Has || _greaterOrSame.Has) && (_less.Has || _lessOrSame.Has);
        return (low ?? high) is null ? null : both
            ? $"value must be inside "
                + $"range {(_greater.Has ? "(" : "[")}{show(_greater.Has ? _greater.Value : _greaterOrSame.Value)}, {show(_less.Has ? _less.Value : _lessOrSame.Value)}{(_less.Has ? ")" : "]")}" : low ?? high;
    }

    private string? Check(double value)
    {
        bool inside = (!_greaterF.Has || value > _greaterF.Value) && (!_greaterOrSameF.Has || value >= _greaterOrSameF.Value)
            && (!_lessF.Has || value < _lessF.Value) && (!_lessOrSameF.Has || value <= _lessOrSameF.Value);
        return inside ? null : "value is outside of its range";
    }

    /// <summary>A text or bytes.</summary>
    public string? Check(ReadOnlySpan<byte> bytes)
    {
        if (_ignoreEmpty && bytes.IsEmpty)
            return null;
        if ((ulong)bytes.Length < _bytesMin)
            return $"value length must be at least {_bytesMin} bytes";
        if ((ulong)bytes.Length > _bytesMax)
            return $"value length must be at most {_bytesMax} bytes";
        return _isBytes ? null : CheckLength(bytes) ?? CheckForm(bytes) ?? CheckText(bytes);
    }

    private string? CheckLength(ReadOnlySpan<byte> bytes)
    {
        // A character has at most four bytes: nearly always the length says it without counting.
        if ((ulong)bytes.Length >= _lengthMin * 4 && (ulong)bytes.Length <= _lengthMax)
            return null;
        ulong length = Ascii.IsValid(bytes) ? (ulong)bytes.Length : (ulong)Encoding.UTF8.GetString(bytes).EnumerateRunes().Count();
        if (length < _lengthMin)
            return $"value length must be at least {_lengthMin} characters";
        return length > _lengthMax ? $"value length must be at most {_lengthMax} characters" : null;
    }

    // A name or a value of an HTTP field.
    private string? CheckForm(ReadOnlySpan<byte> bytes)
    {
        if (_known is not (1 or 2) || bytes.IsEmpty)
            return null;
        bool isFine = (_known == 1, _strict) switch
        {
            (true, true) => bytes[(bytes[0] == ':' ? 1 : 0)..] is { IsEmpty: false } name && name.IndexOfAnyExcept(NameBytes) < 0,
            (false, true) => bytes.IndexOfAny(StrictBarred) < 0,
            _ => bytes.IndexOfAny(LooseBarred) < 0,
        };
        return isFine ? null : Unlike();
    }

    private string Unlike() => $"value does not match regex pattern \"{_patternText}\"";

    private string? CheckText(ReadOnlySpan<byte> bytes)
    {
        if (_prefix.Length + _suffix.Length + _texts.Count + _refusedTexts.Count == 0 && _pattern is null)
            return null;
        string text = Encoding.UTF8.GetString(bytes);
        if (!text.StartsWith(_prefix, StringComparison.Ordinal))
            return $"value does not have prefix \"{_prefix}\"";
        if (!text.EndsWith(_suffix, StringComparison.Ordinal))
            return $"value does not have suffix \"{_suffix}\"";
        if ((_texts.Count > 0 && !_texts.Contains(text)) || _refusedTexts.Contains(text))
            return "value must be in list";
        return _pattern?.Value is { } pattern && !pattern.IsMatch(text) ? Unlike() : null;
    }
}
