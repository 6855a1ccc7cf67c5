namespace Lateen.Api.Schemas;

/// <summary>Messages that proto-JSON writes in another form than their fields.</summary>
public enum SpecialForm
{
    /// <summary>By its fields.</summary>
    None,

    /// <summary>google.protobuf.Duration.</summary>
    Duration,

    /// <summary>google.protobuf.Timestamp.</summary>
    Timestamp,

    /// <summary>google.protobuf.Struct.</summary>
    Struct,

    /// <summary>google.protobuf.Value.</summary>
    Value,

    /// <summary>google.protobuf.ListValue.</summary>
    List,

    /// <summary>google.protobuf.FieldMask.</summary>
    FieldMask,

    /// <summary>google.protobuf.Any.</summary>
    Any,

    /// <summary>google.protobuf.UInt32Value and its like: the bare value.</summary>
    Wrapper,

    /// <summary>Kubernetes' IntOrString: a number or a text.</summary>
    IntOrString,

    /// <summary>Kubernetes' Quantity: its text.</summary>
    Quantity,
}

/// <summary>Fields of which at most one is set.</summary>
/// <param name="Name">As in the .proto file.</param>
/// <param name="IsRequired">One of them must be.</param>
public sealed record OneofShape(string Name, bool IsRequired);

/// <summary>A message type: its name and its fields.</summary>
public sealed class MessageShape
{
    private readonly Dictionary<string, FieldShape> _byName = [];

    internal MessageShape(string fullName, bool isExplicit, DescriptorBytes descriptor)
    {
        FullName = fullName;
        var fields = new List<FieldShape>();
        var oneofs = new List<OneofShape>();
        int at = 0;
        while (descriptor.Next(ref at, out int number, out long from, out int length))
        {
            if (number == 2)
                fields.Add(new FieldShape(isExplicit, descriptor.Slice((int)from, length)));
            else if (number == 7)
                (IsMapEntry, IsFreeOfRules) = (Says(descriptor.Slice((int)from, length), 7),
                    Says(descriptor.Slice((int)from, length), DescriptorBytes.ValidateExtension));
            else if (number == 8)
                oneofs.Add(OneofOf(descriptor.Slice((int)from, length)));
        }
        Fields = fields;
        Oneofs = oneofs;
        foreach (FieldShape field in fields)
        {
            _byName.TryAdd(field.JsonName, field);
            _byName.TryAdd(field.Name, field);
        }
        Form = FormOf(fullName);
    }

    /// <summary>Such as <c>envoy.config.core.v3.Address</c>.</summary>
    public string FullName { get; }

    /// <summary>The name without package and enclosing messages.</summary>
    public string Name => FullName[(FullName.LastIndexOf('.') + 1)..];

    /// <summary>In the order of their declaration.</summary>
    public IReadOnlyList<FieldShape> Fields { get; }

    /// <summary>In the order of their declaration; those that protoc made for optional fields come last.</summary>
    public IReadOnlyList<OneofShape> Oneofs { get; }

    /// <summary>The rules of its fields, once somebody has asked for them; made twice where two threads ask first, which harms
    /// nobody.</summary>
    internal Constraints.MessageRules? Rules { get; set; }

    /// <summary>Whether the rules of its fields are switched off.</summary>
    internal bool IsFreeOfRules { get; }

    /// <summary>How proto-JSON writes it.</summary>
    public SpecialForm Form { get; }

    /// <summary>Whether it was made by protoc for the entries of a map.</summary>
    public bool IsMapEntry { get; }

    /// <summary>The field by either of the names that proto-JSON accepts.</summary>
    public FieldShape? Field(string name) => _byName.GetValueOrDefault(name);

    private static bool Says(DescriptorBytes options, int option)
    {
        int at = 0;
        while (options.Next(ref at, out int number, out long value, out _))
        {
            if (number == option)
                return value != 0;
        }
        return false;
    }

    private static OneofShape OneofOf(DescriptorBytes descriptor)
    {
        (string name, bool required, int at) = ("", false, 0);
        while (descriptor.Next(ref at, out int number, out long value, out int length))
        {
            if (number == 1)
                name = descriptor.Text(value, length);
            else if (number == 2)
                required = Says(descriptor.Slice((int)value, length), DescriptorBytes.ValidateExtension);
        }
        return new OneofShape(name, required);
    }

    private static SpecialForm FormOf(string name) => name switch
    {
        "google.protobuf.Duration" => SpecialForm.Duration,
        "google.protobuf.Timestamp" => SpecialForm.Timestamp,
        "google.protobuf.Struct" => SpecialForm.Struct,
        "google.protobuf.Value" => SpecialForm.Value,
        "google.protobuf.ListValue" => SpecialForm.List,
        "google.protobuf.FieldMask" => SpecialForm.FieldMask,
        "google.protobuf.Any" => SpecialForm.Any,
        "google.protobuf.DoubleValue" or "google.protobuf.FloatValue" or "google.protobuf.Int64Value" or "google.protobuf.UInt64Value"
            or "google.protobuf.Int32Value"
            or "google.protobuf.UInt32Value" or "google.protobuf.BoolValue" or "google.protobuf.StringValue"
            or "google.protobuf.BytesValue" => SpecialForm.Wrapper,
        "kubernetes.meta.v1.IntOrString" => SpecialForm.IntOrString,
        "kubernetes.meta.v1.Quantity" => SpecialForm.Quantity,
        _ => SpecialForm.None,
    };
}
