using System.Runtime.CompilerServices;
using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Istio.Networking.V1Alpha3;
using ApplyTo = Istio.Networking.V1Alpha3.EnvoyFilter.Types.ApplyTo;
using Filter = Envoy.Config.Listener.V3.Filter;
using Listener = Envoy.Config.Listener.V3.Listener;

namespace Lateen.Pilot.Generation.Patches;

/// <summary>Reads the values of patches as messages of what they apply to. Each EnvoyFilter is read once.</summary>
internal static class PatchValues
{
    private static readonly ConditionalWeakTable<EnvoyFilter, IReadOnlyList<Patch>> Known = [];
    private static readonly Lazy<TypeRegistry> Types = new(AllTypes);
    private static readonly Lazy<JsonParser> Json = new(() => new JsonParser(JsonParser.Settings.Default.WithTypeRegistry(Types.Value)));

    /// <summary>The usable patches of an EnvoyFilter, in order.</summary>
    public static IReadOnlyList<Patch> Of(EnvoyFilter filter) =>
        Known.GetValue(filter, static f => f.ConfigPatches.Select(Read).OfType<Patch>().ToList());

    /// <summary>The message inside an Any; null when its type is unknown.</summary>
    public static IMessage? Unpack(Google.Protobuf.WellKnownTypes.Any any) => any.Unpack(Types.Value);

    // A patch that can't be read is left out: validation reports it, and half of a patch would be worse than none.
    private static Patch? Read(EnvoyFilter.Types.EnvoyConfigObjectPatch written)
    {
        var value = Parse(written);
        if (value is null && written.Patch?.Operation is not EnvoyFilter.Types.Patch.Types.Operation.Remove) return null;
        return new Patch(written.ApplyTo, written.Match ?? new EnvoyFilter.Types.EnvoyConfigObjectMatch(), written.Patch!.Operation, value);
    }

    private static IMessage? Parse(EnvoyFilter.Types.EnvoyConfigObjectPatch written)
    {
        if (written.Patch?.Value is not { } value || Descriptor(written.ApplyTo) is not { } descriptor) return null;
        try
        {
            return Json.Value.Parse(JsonFormatter.Default.Format(value), descriptor);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
        catch (InvalidOperationException)
        {
            // An Any of a type that we don't know.
            return null;
        }
    }

    private static MessageDescriptor? Descriptor(ApplyTo applyTo) => applyTo switch
    {
        ApplyTo.Listener => Listener.Descriptor,
        ApplyTo.ListenerFilter => ListenerFilter.Descriptor,
        ApplyTo.FilterChain => FilterChain.Descriptor,
        ApplyTo.NetworkFilter => Filter.Descriptor,
        ApplyTo.HttpFilter => HttpFilter.Descriptor,
        ApplyTo.RouteConfiguration => RouteConfiguration.Descriptor,
        ApplyTo.VirtualHost => VirtualHost.Descriptor,
        ApplyTo.HttpRoute => Route.Descriptor,
        ApplyTo.Cluster => Cluster.Descriptor,
        ApplyTo.ExtensionConfig => TypedExtensionConfig.Descriptor,
        _ => null,
    };

    // Generated code registers each file in a class of its own; an Any may name any type of any of them.
    private static TypeRegistry AllTypes() => TypeRegistry.FromFiles(typeof(Listener).Assembly.GetTypes()
        .Where(static t => t is { IsAbstract: true, IsSealed: true } && t.Name.EndsWith("Reflection", StringComparison.Ordinal))
        .Select(static t => t.GetProperty("Descriptor")?.GetValue(null)).OfType<FileDescriptor>());
}

/// <summary>One patch as it is applied.</summary>
/// <param name="ApplyTo">Kind of object.</param>
/// <param name="Match">Which objects.</param>
/// <param name="Operation">What happens to them.</param>
/// <param name="Value">Message of the kind; null for removals. Shared, to be cloned.</param>
internal sealed record Patch(
    ApplyTo ApplyTo, EnvoyFilter.Types.EnvoyConfigObjectMatch Match, EnvoyFilter.Types.Patch.Types.Operation Operation, IMessage? Value)
{
    /// <summary>A copy of the value.</summary>
    public T Copy<T>()
        where T : class, IMessage<T>, IDeepCloneable<T> => ((T)Value!).Clone();
}
