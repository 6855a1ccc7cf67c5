using System.CommandLine;
using System.Text.Json.Nodes;
using Istio.Mesh.V1Alpha1;
using Lateen.Api.Diagnostics;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;
using Lateen.ControlPlane.Injection;
using Lateen.Injector.BuiltIn;
using Lateen.Injector.Settings;
using Lateen.Injector.Templates;
using Lateen.Injector.Workloads;
using Lateen.Pilot.Meaning.Settings;

namespace Lateen.Cli.Verbs.Files;

/// <summary>`lateen kube-inject -f`: workloads with their sidecars, as the webhook would make them, for those who have none; istioctl's
/// verb of that name.</summary>
internal static class InjectVerb
{
    public static Command Command(Terminal terminal)
    {
        Option<string[]> files = Shared.Files(required: true);
        var output = new Option<string?>("--output", "-o") { Description = "write to a file", HelpName = "file" };
        var templates = new Option<string?>("--injectConfigFile")
        {
            Description = "templates (key `config` of the injector's ConfigMap), else the built-in ones",
            HelpName = "file",
        };
        var mesh = new Option<string?>("--meshConfigFile") { Description = "MeshConfig", HelpName = "file" };
        var values = new Option<string?>("--valuesFile") { Description = "settings that templates read", HelpName = "file" };
        var operators = new Option<string?>("--operatorFileName")
        {
            Description = "an IstioOperator whose values and meshConfig count",
            HelpName = "file",
        };
        var revision = new Option<string?>("--revision", "-r") { Description = "revision of the control plane", HelpName = "name" };
        var native = new Option<bool>("--native") { Description = "proxies come first and stay (Kubernetes 1.33 and newer)" };
        var command = new Command("kube-inject", "Put sidecars into the workloads of files") { files, output, templates, mesh, values,
            operators, revision, native };
        command.Aliases.Add("inject");
        command.SetAction(parsed =>
        {
            try
            {
                MeshInjection injection = Injection(parsed.GetValue(templates), parsed.GetValue(mesh), parsed.GetValue(values),
                    parsed.GetValue(operators), terminal) with
                {
                    Revision = parsed.GetValue(revision) ?? "", NativeSidecars = parsed.GetValue(native),
                };
                string result = Inject(SourceFiles.Read(parsed.GetRequiredValue(files), null, terminal), injection, terminal);
                if (parsed.GetValue(output) is { } path) File.WriteAllText(path, result);
                else terminal.Out.Write(result);
                return 0;
            }
            catch (TemplateException mistake)
            {
                throw new CommandException(mistake.Message);
            }
        });
        return command;
    }

    private static string Inject(IEnumerable<SourceText> sources, MeshInjection injection, Terminal terminal)
    {
        var manifests = new ManifestInjection((pod, owner) => injection.Inject(pod, owner));
        string result = string.Concat(sources.SelectMany(source => PlainText.Trees(source.Text)).OfType<JsonObject>()
            .Select(manifest => PlainText.Yaml(PlainText.Of(manifests.Inject(manifest), hasWholeNumbers: true)) + "---\n"));
        foreach (string skipped in manifests.Skipped) terminal.Error.WriteLine(skipped);
        return result;
    }

    private static MeshInjection Injection(string? templates, string? mesh, string? values, string? operators, Terminal terminal)
    {
        string Read(string path) => SourceFiles.Read([path], null, terminal).Single().Text;
        JsonObject? spec = operators is null ? null : PlainText.Tree(Read(operators))?["spec"] as JsonObject;
        JsonObject settings = values is not null ? PlainText.Tree(Read(values)) as JsonObject ?? [] : spec?["values"] as JsonObject ?? [];
        MeshConfig config = MeshConfigs.Overlay(MeshConfigs.Defaults(), "trustDomain: cluster.local", "", new DiagnosticBag());
        if (spec?["meshConfig"] is JsonObject written)
            config = MeshConfigs.Overlay(config, written.ToJsonString(), operators!, new DiagnosticBag());
        if (mesh is not null) config = MeshConfigs.Overlay(config, Read(mesh), mesh, new DiagnosticBag());
        return new MeshInjection
        {
            Config = templates is null ? BuiltInInjection.With(settings) : Templates(Read(templates), settings.ToJsonString()),
            Mesh = config,
        };
    }

    // The file may hold one template alone, which is then that of sidecars.
    private static InjectionConfig Templates(string text, string values)
    {
        try
        {
            InjectionConfig config = InjectionConfig.Read(text, values);
            if (config.TemplateNames.Any()) return config;
        }
        catch (TemplateException)
        {
            // As a template it need not be YAML.
        }
        return InjectionConfig.Read(new JsonObject { ["templates"] = new JsonObject { ["sidecar"] = text } }.ToJsonString(), values);
    }
}
