using System.Runtime.CompilerServices;
using Google.Protobuf;
using Lateen.Config.Resources;

namespace Lateen.Pilot.Meaning.Compile;

/// <summary>A resource has one meaning as long as it is the same object: what is made of it later knows by that that nothing
/// changed.</summary>
internal static class MeantResources<T> where T : class, IMessage<T>, new()
{
    private static readonly ConditionalWeakTable<Resource<T>, Meant<T>> Known = [];

    /// <summary>The resource with its origin; the same object as the last time.</summary>
    public static Meant<T> Of(Resource<T> resource, string kind, string group) =>
        Known.TryGetValue(resource, out var meant)
            ? meant : Known.GetValue(resource, r => new Meant<T>(SnapshotCompiler.OriginOf(r, kind, group), r.Spec));
}
