using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace Lateen.Test.Unit.ControlPlane.Findings;

/// <summary>Which properties of the wire messages a program reads, as its compiled code says: a getter that nobody calls belongs to a field
/// that changes nothing.</summary>
internal static class FieldReads
{
    private const byte Call = 0x28;
    private const byte VirtualCall = 0x6F;
    private const int MemberReferenceTable = 0x0A;

    /// <summary>Type and getter, such as <c>Istio.Networking.V1Alpha3.Server.get_Hosts</c>, with who calls it.</summary>
    /// <param name="assemblies">The assemblies that decide what proxies do.</param>
    /// <param name="counts">Whether what the code of a namespace reads counts.</param>
    public static ILookup<string, string> Of(IEnumerable<Assembly> assemblies, Func<string, bool> counts) =>
        assemblies.SelectMany(assembly => Of(assembly.Location, counts)).Distinct().ToLookup(read => read.Getter, read => read.Reader);

    private static IEnumerable<(string Getter, string Reader)> Of(string path, Func<string, bool> counts)
    {
        using var file = new PEReader(File.OpenRead(path));
        var metadata = file.GetMetadataReader();
        var found = new HashSet<(string, string)>();
        foreach (var method in metadata.MethodDefinitions.Select(metadata.GetMethodDefinition)
            .Where(method => method.RelativeVirtualAddress != 0))
        {
            var reader = Name(metadata, method.GetDeclaringType());
            if (!counts(reader)) continue;
            foreach (var getter in Getters(metadata, file.GetMethodBody(method.RelativeVirtualAddress).GetILBytes() ?? []))
                found.Add((getter, reader));
        }
        return found;
    }

    private static IEnumerable<string> Getters(MetadataReader metadata, byte[] code)
    {
        for (var i = 0; i + 4 < code.Length; i++)
        {
            if (code[i] is not (Call or VirtualCall)) continue;
            var token = BitConverter.ToInt32(code, i + 1);
            if (token >>> 24 != MemberReferenceTable || (token & 0xFFFFFF) > metadata.GetTableRowCount(TableIndex.MemberRef)) continue;
            var member = metadata.GetMemberReference((MemberReferenceHandle)MetadataTokens.Handle(token));
            var name = metadata.GetString(member.Name);
            if (name.StartsWith("get_", StringComparison.Ordinal) && member.Parent.Kind == HandleKind.TypeReference)
                yield return $"{Name(metadata, (TypeReferenceHandle)member.Parent)}.{name}";
        }
    }

    private static string Name(MetadataReader metadata, TypeReferenceHandle handle)
    {
        var type = metadata.GetTypeReference(handle);
        var own = metadata.GetString(type.Name);
        return type.ResolutionScope.Kind == HandleKind.TypeReference
            ? $"{Name(metadata, (TypeReferenceHandle)type.ResolutionScope)}+{own}" : $"{metadata.GetString(type.Namespace)}.{own}";
    }

    // A closure belongs to the type that it stands in.
    private static string Name(MetadataReader metadata, TypeDefinitionHandle handle)
    {
        var type = metadata.GetTypeDefinition(handle);
        return type.GetDeclaringType() is { IsNil: false } outer
            ? Name(metadata, outer) : $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}";
    }
}
