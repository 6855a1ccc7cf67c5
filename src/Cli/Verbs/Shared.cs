using System.CommandLine;

namespace Lateen.Cli.Verbs;

/// <summary>Options that several verbs take, with one wording.</summary>
internal static class Shared
{
    public static Option<string?> State() => new("--state")
    {
        Description = "the mesh's state folder (else LATEEN_STATE, else .lateen here or above)",
        HelpName = "folder",
    };

    public static Option<string?> Namespace() => new("--namespace", "-n") { Description = "the namespace (else \"default\")", HelpName = "name" };

    public static Option<bool> AllNamespaces() => new("--all-namespaces", "-A") { Description = "of all namespaces" };

    public static Option<string> Output(params string[] formats) => new("--output", "-o")
    {
        Description = "one of " + string.Join(", ", formats),
        HelpName = "format",
        DefaultValueFactory = _ => "",
    };
}
