// Meaning: what the written resources mean, with every name resolved, every delegate expanded and every rival decided.
// `SnapshotCompiler` makes a `MeshSnapshot`: a plain record of indexes, each of which answers one kind of question. The
// words are those of Istio's API messages; how a proxy is told is Generation's business, and no Envoy type occurs here.
//
// State: none. A snapshot never changes; parts of it whose resources did not change are shared with the one before.
//
// Specs inside a `Meant<T>` are shared by all readers and must not be changed by any.
//
// Refused: a second set of records mirroring each API message (twice the types, and every new field of the API would have
// to be carried over before anybody could use it), and one context object with a method for each question (nobody could
// then say what a generator depends on).
using System.Collections.Frozen;
using System.Collections.Immutable;
using Lateen.Api.Names;

namespace Lateen.Pilot.Meaning;

/// <summary>Which resource something comes from.</summary>
public sealed record Origin
{
    /// <summary>Kind, as in YAML (<c>DestinationRule</c>).</summary>
    public required string Kind { get; init; }

    /// <summary>Namespace; empty for cluster-wide kinds.</summary>
    public required string Namespace { get; init; }

    /// <summary>Name.</summary>
    public required string Name { get; init; }

    /// <summary>API group of the kind.</summary>
    public string Group { get; init; } = "";

    /// <summary>When it was created.</summary>
    public DateTimeOffset Created { get; init; }

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = LabelSet.Empty;

    /// <summary>Annotations.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = LabelSet.Empty;

    /// <summary>File and line, where known.</summary>
    public string Location { get; init; } = "";

    /// <summary><c>namespace/name</c>.</summary>
    public string FullName => $"{Namespace}/{Name}";

    /// <summary>Older first; then by name, then by namespace: who wins among rivals.</summary>
    public static int Compare(Origin left, Origin right)
    {
        var byTime = left.Created.CompareTo(right.Created);
        if (byTime != 0) return byTime;
        var byName = string.CompareOrdinal(left.Name, right.Name);
        return byName != 0 ? byName : string.CompareOrdinal(left.Namespace, right.Namespace);
    }
}

/// <summary>A resource as it is meant: names resolved, delegates expanded. <paramref name="Spec"/> is shared and must not be
/// changed.</summary>
/// <param name="Origin">The resource (of merged rules the first).</param>
/// <param name="Spec">Its content.</param>
public sealed record Meant<T>(Origin Origin, T Spec) where T : class
{
    /// <summary>Two are equal when they are the same compilation of the same resource.</summary>
    public bool Equals(Meant<T>? other) => other is not null && ReferenceEquals(Spec, other.Spec) && ReferenceEquals(Origin, other.Origin);

    /// <inheritdoc/>
    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(Spec);
}

/// <summary>To whom a resource is visible.</summary>
public readonly record struct Export
{
    private readonly FrozenSet<string>? _namespaces;

    private Export(FrozenSet<string> namespaces) => _namespaces = namespaces;

    /// <summary>Everybody.</summary>
    public static readonly Export Public = new(FrozenSet.ToFrozenSet(["*"]));

    /// <summary>Reads an exportTo list; <paramref name="otherwise"/> counts when it is empty.</summary>
    /// <param name="list">exportTo of the resource.</param>
    /// <param name="ownNamespace">Namespace of the resource: what <c>.</c> stands for.</param>
    /// <param name="otherwise">Default of the mesh for the kind.</param>
    public static Export Of(IEnumerable<string> list, string ownNamespace, IEnumerable<string> otherwise)
    {
        var entries = list.ToList();
        if (entries.Count == 0) entries = [.. otherwise];
        if (entries.Count == 0 || entries.Contains("*")) return Public;
        return new Export(entries.Select(entry => entry == "." ? ownNamespace : entry).ToFrozenSet());
    }

    /// <summary>Visible everywhere.</summary>
    public bool IsPublic => _namespaces is null || _namespaces.Contains("*");

    /// <summary>Visible to nobody.</summary>
    public bool IsNone => _namespaces is not null && _namespaces.Contains("~");

    /// <summary>The namespaces named; empty for public.</summary>
    public IEnumerable<string> Namespaces => IsPublic ? [] : _namespaces!.Order(StringComparer.Ordinal);

    /// <summary>Whether a client of this namespace sees it.</summary>
    public bool Includes(string ns) => IsPublic || (!IsNone && _namespaces!.Contains(ns));

    /// <summary>Only its own namespace sees it.</summary>
    public bool IsPrivateTo(string ownNamespace) => !IsPublic && _namespaces!.Count == 1 && _namespaces.Contains(ownNamespace);

    /// <summary>Same audience.</summary>
    public bool Equals(Export other) => IsPublic == other.IsPublic && (IsPublic || _namespaces!.SetEquals(other._namespaces!));

    /// <inheritdoc/>
    public override int GetHashCode() => IsPublic ? 0 : _namespaces!.Count;

    /// <summary>Everyone who sees the other sees this.</summary>
    public bool IsSupersetOf(Export other) => IsPublic || (!other.IsPublic && _namespaces!.IsSupersetOf(other._namespaces!));
}
