// Functions: what templates may call, in three tables: the language's own and chart functions (Core, Text, Collections) and those of meshes
// (MeshFunctions). Each is a few words long;
// what needs more stands where it belongs (quantities, probes) and is called from here. None reads files, clocks or the network: a template
// must render the same everywhere.
//
// Functions for randomness, time, certificates and lookups in a cluster are left out for that reason; a template that calls one is refused
// by name when it is rendered.
namespace Lateen.Injector.Templates.Functions;

/// <summary>The tables together.</summary>
public static class FunctionTable
{
    /// <summary>Functions of templates of pods and gateways.</summary>
    public static readonly IReadOnlyDictionary<string, TemplateFunction> All =
        Join(CoreFunctions.Table, NumberFunctions.Table, TextFunctions.Table, CollectionFunctions.Table, MeshFunctions.Table);

    // Later tables win: meshes have their own idea of some functions of charts.
    private static Dictionary<string, TemplateFunction> Join(params IReadOnlyDictionary<string, TemplateFunction>[] tables)
    {
        var all = new Dictionary<string, TemplateFunction>(StringComparer.Ordinal);
        foreach (var (name, function) in tables.SelectMany(table => table)) all[name] = function;
        return all;
    }
}
