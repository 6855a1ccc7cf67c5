using Envoy.Config.Route.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;

namespace Lateen.Proxy.Xds;

/// <summary>Translates one kind of HTTP filter: its place in a chain, and its settings on routes.</summary>
internal abstract class FilterTranslator
{
    /// <summary>The type names (behind the slash of the URL) of its configuration and of its settings on routes.</summary>
    public abstract IReadOnlyList<string> Types { get; }

    /// <summary>The filter, off by default where <paramref name="disabled"/>; null where <paramref name="rejections"/> tells why
    /// not.</summary>
    public abstract HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections);

    /// <summary>The settings of a route; null where <paramref name="rejections"/> tells why not, or where there is nothing to
    /// set.</summary>
    public virtual object? Settings(Any config, Translation translation, Rejections rejections) => null;
}

/// <summary>All HTTP filters by the type of their configuration. What is not in here is refused by name.</summary>
internal sealed class FilterRegistry(IReadOnlyList<FilterTranslator> translators, Func<Translation> translation) : RouteFilterTranslator
{
    private readonly Dictionary<string, FilterTranslator> _byType = translators.SelectMany(t => t.Types.Select(n => (n, t)))
        .ToDictionary(p => p.n, p => p.t, StringComparer.Ordinal);

    /// <summary>A filter of a chain; null for one that is left out: optional and unknown, or refused.</summary>
    public HttpFilter? Filter(string name, Any config, bool optional, bool disabled, Rejections rejections)
    {
        Any body = Unwrap(config, out string type, rejections);
        if (!_byType.TryGetValue(type, out FilterTranslator? translator))
        {
            if (optional)
                rejections.Note($"optional filter {name} ({type}) is not served and left out");
            else
                rejections.Add($"Didn't find a registered implementation for '{name}' with type URL: '{type}'");
            return null;
        }
        return translator.Filter(name, disabled, body, translation(), rejections);
    }

    /// <inheritdoc/>
    public override Dictionary<string, object> Settings(IReadOnlyDictionary<string, Any> typed, Rejections rejections)
    {
        var settings = new Dictionary<string, object>(StringComparer.Ordinal);
        foreach ((string name, Any any) in typed)
        {
            using Rejections.Scope scope = rejections.In($"typed_per_filter_config[{name}]");
            if (Setting(name, any, rejections) is { } setting)
                settings[name] = setting;
        }
        return settings;
    }

    private object? Setting(string name, Any any, Rejections rejections)
    {
        Any config = any;
        bool optional = false;
        if (ValueTranslator.TypeName(any) == "envoy.config.route.v3.FilterConfig")
        {
            FilterConfig? wrapped = ValueTranslator.Unpack(any, FilterConfig.Parser, rejections);
            if (wrapped is null || wrapped.Disabled)
                return wrapped is null ? null : new Routing.FilterSwitch(Disabled: true);
            // An empty message says no more than that the filter is on.
            if (wrapped.Config is null || wrapped.Config.TypeUrl.Length == 0)
                return new Routing.FilterSwitch(Disabled: false);
            config = wrapped.Config;
            optional = wrapped.IsOptional;
        }
        Any body = Unwrap(config, out string type, rejections);
        if (_byType.TryGetValue(type, out FilterTranslator? translator))
            return translator.Settings(body, translation(), rejections);
        if (!optional)
            rejections.Add($"Didn't find a registered implementation for '{name}' with type URL: '{type}'");
        return null;
    }

    // udpa.type.v1.TypedStruct and xds.type.v3.TypedStruct carry a message as a struct; Istio's own filters come that way.
    internal static Any Unwrap(Any config, out string type, Rejections rejections)
    {
        type = ValueTranslator.TypeName(config);
        if (type is not ("udpa.type.v1.TypedStruct" or "xds.type.v3.TypedStruct"))
            return config;
        string url;
        Struct? value;
        if (type.StartsWith("udpa", StringComparison.Ordinal))
        {
            Udpa.Type.V1.TypedStruct? typed = ValueTranslator.Unpack(config, Udpa.Type.V1.TypedStruct.Parser, rejections);
            (url, value) = (typed?.TypeUrl ?? "", typed?.Value);
        }
        else
        {
            global::Xds.Type.V3.TypedStruct? typed = ValueTranslator.Unpack(config, global::Xds.Type.V3.TypedStruct.Parser, rejections);
            (url, value) = (typed?.TypeUrl ?? "", typed?.Value);
        }
        type = url[(url.LastIndexOf('/') + 1)..];
        return StructMessages.Pack(type, value ?? new Struct(), rejections) ?? config;
    }

    /// <inheritdoc/>
    public override object? RateLimits(IReadOnlyList<RateLimit> limits, Rejections rejections) =>
        limits.Count == 0 ? null : RateLimitTranslator(limits, rejections);

    /// <summary>Makes rate limit descriptors; set by the rate limit filters' translator.</summary>
    public Func<IReadOnlyList<RateLimit>, Rejections, object?> RateLimitTranslator { get; init; } = static (_, r) =>
    {
        r.Note("rate_limits of routes have no effect");
        return null;
    };
}
