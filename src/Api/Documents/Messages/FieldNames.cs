using System.Runtime.CompilerServices;
using Google.Protobuf.Reflection;

namespace Lateen.Api.Documents;

/// <summary>Fields by the two names that proto-JSON accepts.</summary>
internal static class FieldNames
{
    private static readonly ConditionalWeakTable<MessageDescriptor, Dictionary<string, FieldDescriptor>> Tables = [];

    public static FieldDescriptor? FindFieldByJsonOrOriginalName(this MessageDescriptor descriptor, string name) =>
        Tables.GetValue(descriptor, Build).GetValueOrDefault(name);

    private static Dictionary<string, FieldDescriptor> Build(MessageDescriptor descriptor)
    {
        var table = new Dictionary<string, FieldDescriptor>();
        foreach (var field in descriptor.Fields.InDeclarationOrder())
        {
            table.TryAdd(field.JsonName, field);
            table.TryAdd(field.Name, field);
        }

        return table;
    }
}
