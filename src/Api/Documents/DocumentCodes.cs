using Lateen.Api.Diagnostics;

namespace Lateen.Api.Documents;

/// <summary>The codes that reading a text can give: LTN10xx.</summary>
public static class DocumentCodes
{
    public static readonly DiagnosticCode Syntax =
        new("LTN1001", DiagnosticLevel.Error, "the text is neither YAML nor JSON", "correct the syntax at the given place");
    public static readonly DiagnosticCode DuplicateKey =
        new("LTN1002", DiagnosticLevel.Error, "a key occurs twice in one object", "keep one of the two");
    public static readonly DiagnosticCode TooLarge = new("LTN1003", DiagnosticLevel.Error,
        "the text is larger, deeper or more repetitive than allowed", "split the file, or remove the nesting or the aliases");
    public static readonly DiagnosticCode Unreadable =
        new("LTN1004", DiagnosticLevel.Error, "the file cannot be read", "check that it exists, its permissions and its encoding (UTF-8)");
    public static readonly DiagnosticCode UnknownField =
        new("LTN1010", DiagnosticLevel.Error, "the field does not exist", "remove it or correct its name");
    public static readonly DiagnosticCode WrongType =
        new("LTN1011", DiagnosticLevel.Error, "the value has another type than the field", "write a value of the field's type");
    public static readonly DiagnosticCode BadValue =
        new("LTN1012", DiagnosticLevel.Error, "the value is out of range or malformed", "write a value that the field allows");
    public static readonly DiagnosticCode UnknownEnumValue =
        new("LTN1013", DiagnosticLevel.Error, "the value is none of those that the field knows", "use one of the field's values");
    public static readonly DiagnosticCode OneofTwice =
        new("LTN1014", DiagnosticLevel.Error, "two fields are set of which only one may be", "remove one of the two");
    public static readonly DiagnosticCode UnknownType =
        new("LTN1015", DiagnosticLevel.Error, "the @type is not known", "correct the type's name, or remove the extension");
    public static readonly DiagnosticCode FieldTwice =
        new("LTN1016", DiagnosticLevel.Error, "one field is given under two of its names", "keep one of the two");
}
