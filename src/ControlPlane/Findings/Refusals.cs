using System.Text.RegularExpressions;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Pilot.Push;

namespace Lateen.ControlPlane.Findings;

/// <summary>What was generated and not sent, because every proxy would refuse it, told on the resource that asked for it.</summary>
/// <param name="heldOut">What is held out of the newest snapshot.</param>
public sealed partial class Refusals(Func<IReadOnlyCollection<HeldOutResource>> heldOut)
{
    private const string Istio = "istio";

    /// <summary>What is to be said about a resource.</summary>
    public IEnumerable<Diagnostic> About(Resource resource) =>
        heldOut().Where(held => CulpritOf(held) == resource.Key).Select(held => new Diagnostic
        {
            Code = OperatorCodes.Untenable,
            Level = DiagnosticLevel.Error,
            Text = held.Filter is null ? $"{held.Name} keeps its last good form: every proxy would refuse the new one ({held.Fault})"
                : $"is left out: with it every proxy would refuse {held.Name} ({held.Fault})",
            Position = resource.PositionOf(""),
            Resource = resource.Key.ToString(),
            Remedy = OperatorCodes.Untenable.Remedy,
        });

    private static ResourceKey? CulpritOf(HeldOutResource held)
    {
        if (held.Filter is { } filter) return new ResourceKey(Kinds.EnvoyFilter, filter.Namespace, filter.Name);
        return ConfigNear(held.Resource.Message, held.Fault) is { } path ? ConfigPaths.KeyOf(path) : null;
    }

    // The innermost metadata on the way to what is wrong names the resource. The way is told as Envoy tells it:
    // "RouteConfigurationValidationError.VirtualHosts[1]: ... | caused by ...".
    private static string? ConfigNear(IMessage message, string fault)
    {
        string? nearest = Config(message);
        foreach (Match step in Steps().Matches(fault))
        {
            if (message.Descriptor.Fields.InDeclarationOrder()
                .FirstOrDefault(field => field.PropertyName == step.Groups["field"].Value) is not { } field) break;
            object? value = field.Accessor.GetValue(message);
            if (field.IsRepeated && !field.IsMap && int.TryParse(step.Groups["at"].Value, out int at)
                && value is System.Collections.IList list && at < list.Count) value = list[at];
            if (value is not IMessage inner) break;
            message = inner;
            nearest = Config(message) ?? nearest;
        }
        return nearest;
    }

    [GeneratedRegex(@"\w+\.(?<field>[A-Z]\w+)(?:\[(?<at>\d+)\])?: ")]
    private static partial Regex Steps();

    private static string? Config(IMessage message) =>
        message.Descriptor.FindFieldByName("metadata")?.Accessor.GetValue(message) is Envoy.Config.Core.V3.Metadata metadata
        && metadata.FilterMetadata.TryGetValue(Istio, out Struct? istio) && istio.Fields.TryGetValue("config", out Value? config)
        ? config.StringValue : null;
}
