using System.Text.Json.Nodes;

namespace Lateen.Bench.Load.Mesh;

/// <summary>Where the control plane takes the world from, and where changes of it are written.</summary>
internal abstract class MeshSource : IDisposable
{
    /// <summary>What rows of a table say about it.</summary>
    public abstract string Name { get; }

    /// <summary>Brings the world about; the options by which a control plane finds it.</summary>
    public abstract Task<string[]> OfferAsync(MeshWorld world);

    /// <summary>The control plane runs; this is what it says of its addresses.</summary>
    public virtual void Started(JsonNode address)
    {
    }

    /// <summary>Creates or changes objects; returns when whoever keeps them has them.</summary>
    public abstract Task ApplyAsync(params JsonObject[] objects);

    /// <inheritdoc/>
    public abstract void Dispose();
}
