using Envoy.Extensions.Filters.Http.Buffer.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Buffer;
using Lateen.Proxy.Filters.GrpcStats;
using Lateen.Proxy.Filters.HeaderMutation;
using Lateen.Proxy.Routing;
using Buffer = Envoy.Extensions.Filters.Http.Buffer.V3.Buffer;
using MutationMessage = Envoy.Config.Common.MutationRules.V3.HeaderMutation;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>envoy.filters.http.grpc_stats.</summary>
internal sealed class GrpcStatsTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.grpc_stats.v3.FilterConfig"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Envoy.Extensions.Filters.Http.GrpcStats.V3.FilterConfig.Parser, rejections) is not { } stats)
            return null;
        return new GrpcStatsFilter(name, new GrpcStatsOptions
        {
            EmitFilterState = stats.EmitFilterState,
            UpstreamTimes = stats.EnableUpstreamStats,
            AllMethods = stats.StatsForAllMethods ?? false,
            Methods = [.. (stats.IndividualMethodStatsAllowlist?.Services
                ?? []).SelectMany(s => s.MethodNames.Select(m => System.Text.Encoding.UTF8.GetBytes($"/{s.Name}/{m}")))],
        }, new GrpcCounterTable(translation.Statistics, "grpc", stats.ReplaceDotsInGrpcServiceName)) { DisabledByDefault = disabled };
    }
}

/// <summary>envoy.filters.http.buffer.</summary>
internal sealed class BufferTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.buffer.v3.Buffer", "envoy.extensions.filters.http.buffer.v3.BufferPerRoute"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        ValueTranslator.Unpack(config, Buffer.Parser, rejections) is { } buffer
            ? new BufferFilter(name, Of(buffer)) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) =>
        ValueTranslator.Unpack(config, BufferPerRoute.Parser, rejections) is not { } route ? null
            : route.OverrideCase == BufferPerRoute.OverrideOneofCase.Disabled ? new BufferSettings(0, true) : Of(route.Buffer);

    private static BufferSettings Of(Buffer buffer) => new((int)Math.Min(buffer.MaxRequestBytes ?? int.MaxValue, int.MaxValue));
}

/// <summary>envoy.filters.http.header_mutation.</summary>
internal sealed class HeaderMutationTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        ValueTranslator.Unpack(config, Envoy.Extensions.Filters.Http.HeaderMutation.V3.HeaderMutation.Parser, rejections) is { } mutation
            ? new HeaderMutationFilter(name, Of(mutation.Mutations, rejections),
                mutation.MostSpecificHeaderMutationsWins) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) =>
        ValueTranslator.Unpack(config, Envoy.Extensions.Filters.Http.HeaderMutation.V3.HeaderMutationPerRoute.Parser,
            rejections) is { } route ? Of(route.Mutations, rejections) : null;

    private static HeaderMutationSettings Of(Envoy.Extensions.Filters.Http.HeaderMutation.V3.Mutations? mutations, Rejections rejections)
    {
        mutations ??= new Envoy.Extensions.Filters.Http.HeaderMutation.V3.Mutations();
        return new HeaderMutationSettings
        {
            Request = Changes(mutations.RequestMutations, rejections),
            Response = Changes(mutations.ResponseMutations, rejections),
            RequestTrailers = Changes(mutations.RequestTrailersMutations, rejections),
            ResponseTrailers = Changes(mutations.ResponseTrailersMutations, rejections),
            Query = [.. mutations.QueryParameterMutations.Select(m => Query(m, rejections)).OfType<QueryChange>()],
        };
    }

    private static HeaderChange[] Changes(IEnumerable<MutationMessage> mutations, Rejections rejections) =>
        [.. mutations.Select(m => Change(m, rejections)).OfType<HeaderChange>()];

    private static HeaderChange? Change(MutationMessage mutation, Rejections rejections) => mutation.ActionCase switch
    {
        MutationMessage.ActionOneofCase.Remove =>
            new HeaderChange(System.Text.Encoding.Latin1.GetBytes(mutation.Remove.ToLowerInvariant()), null, null),
        MutationMessage.ActionOneofCase.Append => RouteTranslator.Addition(mutation.Append, rejections, pseudo: true) is { } add
            ? new HeaderChange(null, add, null) : null,
        MutationMessage.ActionOneofCase.RemoveOnMatch =>
            MatcherTranslator.String(mutation.RemoveOnMatch.KeyMatcher, rejections) is { } match
                ? new HeaderChange(null, null, match) : null,
        _ => null,
    };

    private static QueryChange? Query(Envoy.Config.Core.V3.KeyValueMutation mutation, Rejections rejections)
    {
        if (mutation.Append is not { } append)
            return new QueryChange(mutation.Remove, null, HeaderAppend.AppendOrAdd);
        string key = append.Record?.Key ?? append.Entry?.Key ?? "";
        string value = append.Record is { } record ? record.Value?.StringValue ?? "" : append.Entry?.Value.ToStringUtf8() ?? "";
        try
        {
            return new QueryChange(key, Formats.TextFormat.Parse(value), (HeaderAppend)append.Action);
        }
        catch (FormatException e)
        {
            rejections.Add($"query parameter {key}: {e.Message}");
            return null;
        }
    }
}
