using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Edits;

/// <summary>Which headers a server beside the proxy may change (envoy.config.common.mutation_rules.v3).</summary>
public sealed record HeaderMutationRules
{
    /// <summary>Host, :authority, :scheme and :method, too.</summary>
    public bool AllowRouting { get; init; }

    /// <summary>x-envoy- headers, too.</summary>
    public bool AllowEnvoy { get; init; }

    /// <summary>No pseudo-headers and hop-by-hop headers.</summary>
    public bool DisallowSystem { get; init; }

    /// <summary>None but those that <see cref="Allowed"/> takes.</summary>
    public bool DisallowAll { get; init; }

    /// <summary>Names that may be changed whatever else is said; null for none.</summary>
    public StringMatch? Allowed { get; init; }

    /// <summary>Names that may not be changed; null for none.</summary>
    public StringMatch? Disallowed { get; init; }

    /// <summary>A forbidden change is an error and not only left out.</summary>
    public bool DisallowedIsError { get; init; }

    /// <summary>True where the header may be changed.</summary>
    public bool Allows(ReadOnlySpan<byte> name)
    {
        if (Disallowed?.Matches(name) ?? false)
            return false;
        if (Allowed?.Matches(name) ?? false)
            return true;
        if (DisallowAll)
            return false;
        if (DisallowSystem && (name.StartsWith(":"u8) || name.SequenceEqual("host"u8)))
            return false;
        if (!AllowRouting && (name.SequenceEqual("host"u8) || name.SequenceEqual(":authority"u8) || name.SequenceEqual(":scheme"u8)
            || name.SequenceEqual(":method"u8)))
            return false;
        return AllowEnvoy || !name.StartsWith("x-envoy-"u8);
    }
}
