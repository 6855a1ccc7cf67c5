using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.MetadataRules;
using HeaderConfig = Envoy.Extensions.Filters.Http.HeaderToMetadata.V3.Config;
using JsonConfig = Envoy.Extensions.Filters.Http.JsonToMetadata.V3.JsonToMetadata;
using SetConfig = Envoy.Extensions.Filters.Http.SetMetadata.V3.Config;
using StateConfig = Envoy.Extensions.Filters.Http.SetFilterState.V3.Config;
using StateValue = Envoy.Extensions.Filters.Common.SetFilterState.V3.FilterStateValue;

namespace Lateen.Proxy.Xds.Filters.Transforms;

/// <summary>envoy.filters.http.header_to_metadata.</summary>
internal sealed class HeaderToMetadataTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.header_to_metadata.v3.Config"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        Read(config, rejections) is { } settings
            ? new HeaderToMetadataFilter(name, settings, ReadMessage) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections)
    {
        HeaderToMetadataSettings? settings = Read(config, rejections);
        if (settings is { Request.Length: 0, Response.Length: 0 })
            rejections.Add("header_to_metadata_filter: Per filter configs must at least specify either request or response rules");
        return settings;
    }

    private static HeaderToMetadataSettings? Read(Any config, Rejections rejections) =>
        ValueTranslator.Unpack(config, HeaderConfig.Parser, rejections) is { } c
            ? new HeaderToMetadataSettings([.. c.RequestRules.Select(r => Rule(r, rejections))],
                [.. c.ResponseRules.Select(r => Rule(r, rejections))]) : null;

    private static HeaderValueRule Rule(HeaderConfig.Types.Rule rule, Rejections rejections)
    {
        if (rule.Header.Length > 0 && rule.Cookie.Length > 0)
            rejections.Add("Cannot specify both header and cookie");
        else if (rule.Header.Length + rule.Cookie.Length == 0)
            rejections.Add("One of Cookie or Header option needs to be specified");
        if (rule.OnHeaderPresent is null && rule.OnHeaderMissing is null)
            rejections.Add(
                $"header to metadata filter: rule for header '{rule.Header}' has neither `on_header_present` nor `on_header_missing` set");
        if (rule.Cookie.Length > 0 && rule.Remove)
            rejections.Add("Cannot specify remove for a cookie");
        if (rule.OnHeaderMissing is { Value: "" })
            rejections.Add("Cannot specify on_header_missing rule with an empty value");
        return new HeaderValueRule(Encoding.Latin1.GetBytes(rule.Header.ToLowerInvariant()), rule.Cookie)
        {
            Present = Target(rule.OnHeaderPresent, rejections),
            Missing = Target(rule.OnHeaderMissing, rejections),
            Remove = rule.Remove,
        };
    }

    private static HeaderValueTarget? Target(HeaderConfig.Types.KeyValuePair? pair, Rejections rejections)
    {
        if (pair is null)
            return null;
        if (pair.Value.Length > 0 && pair.RegexValueRewrite is not null)
            rejections.Add("Cannot specify both value and regex_value_rewrite");
        return new HeaderValueTarget(pair.MetadataNamespace.Length > 0 ? pair.MetadataNamespace : "envoy.filters.http.header_to_metadata",
            pair.Key)
        {
            Value = Encoding.UTF8.GetBytes(pair.Value),
            Rewrite = MatcherTranslator.Rewrite(pair.RegexValueRewrite, rejections),
            Kind = (HeaderValueKind)pair.Type,
            IsBase64 = pair.Encode == HeaderConfig.Types.ValueEncode.Base64,
        };
    }

    private static JsonElement? ReadMessage(byte[] bytes)
    {
        try
        {
            return ValueTranslator.Json(new Struct { Fields = { ["v"] = Value.Parser.ParseFrom(bytes) } }).GetProperty("v");
        }
        catch (Exception e) when (BrokenBytes.Shown(e))
        {
            return null;
        }
    }
}

/// <summary>envoy.filters.http.json_to_metadata.</summary>
internal sealed class JsonToMetadataTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.json_to_metadata.v3.JsonToMetadata"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        Read(config, rejections) is { } settings ? new JsonToMetadataFilter(name, settings) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) => Read(config, rejections);

    private static JsonToMetadataSettings? Read(Any config, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, JsonConfig.Parser, rejections) is not { } json)
            return null;
        if (json.RequestRules is null && json.ResponseRules is null)
            rejections.Add("json_to_metadata_filter: Per filter configs must at least specify either request or response rules");
        return new JsonToMetadataSettings(Rules(json.RequestRules, rejections), Rules(json.ResponseRules, rejections));
    }

    private static JsonRules? Rules(JsonConfig.Types.MatchRules? rules, Rejections rejections) => rules is null ? null : new JsonRules
    {
        Rules = [.. rules.Rules.Select(r => Rule(r, rejections))],
        Types = rules.AllowContentTypes.Count == 0
            ? ["application/json"u8.ToArray()] : [.. rules.AllowContentTypes.Select(Encoding.Latin1.GetBytes)],
        TypePattern = rules.AllowContentTypesRegex is { } regex ? MatcherTranslator.Regex(regex.Regex, rejections) : null,
        AllowsNoType = rules.AllowEmptyContentType,
    };

    private static JsonRule Rule(JsonConfig.Types.Rule rule, Rejections rejections)
    {
        if (rule.OnPresent is null && rule.OnMissing is null)
            rejections.Add("json to metadata filter: neither `on_present` nor `on_missing` set");
        if (rule.OnMissing is { ValueTypeCase: JsonConfig.Types.KeyValuePair.ValueTypeOneofCase.None })
            rejections.Add("json to metadata filter: cannot specify on_missing rule without non-empty value");
        if (rule.OnError is { ValueTypeCase: JsonConfig.Types.KeyValuePair.ValueTypeOneofCase.None })
            rejections.Add("json to metadata filter: cannot specify on_error rule without non-empty value");
        return new JsonRule([.. rule.Selectors.Select(s => s.Key)], Target(rule.OnPresent), Target(rule.OnMissing), Target(rule.OnError));
    }

    private static JsonTarget? Target(JsonConfig.Types.KeyValuePair? pair) => pair is null ? null : new JsonTarget(
        pair.MetadataNamespace.Length > 0 ? pair.MetadataNamespace : "envoy.filters.http.json_to_metadata",
        pair.Key,
        pair.Value is null ? null : ValueTranslator.Json(new Struct { Fields = { ["v"] = pair.Value } }).GetProperty("v"),
        (JsonValueKindWanted)pair.Type,
        pair.PreserveExistingMetadataValue);
}

/// <summary>envoy.filters.http.set_metadata.</summary>
internal sealed class SetMetadataTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.set_metadata.v3.Config"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        Read(config, rejections) is { } settings ? new SetMetadataFilter(name, settings) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) => Read(config, rejections);

    private static SetMetadataSettings? Read(Any config, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, SetConfig.Parser, rejections) is not { } set)
            return null;
        var values = new List<MetadataValue>();
#pragma warning disable CS0612 // the old form of one value
        if (set.Value is not null)
            values.Add(new MetadataValue(set.MetadataNamespace, ValueTranslator.Json(set.Value), AllowOverwrite: true));
#pragma warning restore CS0612
        foreach (Envoy.Extensions.Filters.Http.SetMetadata.V3.Metadata one in set.Metadata)
        {
            if (one.TypedValue is not null)
                rejections.Note($"set_metadata: the typed value of {one.MetadataNamespace} is not read by anything here and is left out");
            if (one.Value is not null)
                values.Add(new MetadataValue(one.MetadataNamespace, ValueTranslator.Json(one.Value), one.AllowOverwrite));
        }
        return new SetMetadataSettings(values);
    }
}

/// <summary>envoy.filters.http.set_filter_state.</summary>
internal sealed class SetFilterStateTranslator : FilterTranslator
{
    // Objects that are made from a text: Envoy's factories, as far as something here reads what they make.
    private static readonly HashSet<string> Texts = new(StringComparer.Ordinal)
    {
        "envoy.string", "envoy.hashable_string", "envoy.network.upstream_server_name", "envoy.tcp_proxy.cluster",
        "envoy.upstream.dynamic_host", "envoy.upstream.dynamic_port",
        "envoy.hashable_uint64", "envoy.tcp_proxy.per_connection_idle_timeout_ms", "envoy.tcp_proxy.disable_tunneling",
    };

    private static readonly HashSet<string> Lists = new(StringComparer.Ordinal) { "envoy.network.application_protocols",
        "envoy.network.upstream_subject_alt_names" };

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.set_filter_state.v3.Config"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        Read(config, rejections) is { } settings ? new SetFilterStateFilter(name, settings) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) => Read(config, rejections);

    private static SetFilterStateSettings? Read(Any config, Rejections rejections) =>
        ValueTranslator.Unpack(config, StateConfig.Parser, rejections) is { } state
            ? new SetFilterStateSettings([.. state.OnRequestHeaders.Select(v => Rule(v, rejections)).OfType<FilterStateRule>()]) : null;

    private static FilterStateRule? Rule(StateValue value, Rejections rejections)
    {
        string factory = value.FactoryKey.Length > 0 ? value.FactoryKey : value.ObjectKey;
        Func<string, object?>? make = Texts.Contains(factory) ? static text => text : Lists.Contains(factory)
            ? static text => text.Split(',', StringSplitOptions.RemoveEmptyEntries) : null;
        if (make is null)
            rejections.Add($"'{factory}' does not have an object factory");
        return LocalReplyTranslator.Body(value.FormatString, rejections) is { } format && make is not null
            ? new FilterStateRule(value.ObjectKey, format, make, value.SkipIfEmpty) : null;
    }
}
