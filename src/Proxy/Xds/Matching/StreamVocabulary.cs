using Envoy.Extensions.Matching.CommonInputs.EnvironmentVariable.V3;
using Envoy.Extensions.Matching.CommonInputs.Network.V3;
using Envoy.Extensions.Matching.InputMatchers.Ip.V3;
using Envoy.Type.Matcher.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Matching;
using Lateen.Proxy.Net;
using Xds.Type.Matcher.V3;
using Extension = Xds.Core.V3.TypedExtensionConfig;

namespace Lateen.Proxy.Xds.Matching;

/// <summary>Inputs and tests of trees that look at a request or a connection; who leads where is said by those who extend it.</summary>
internal abstract class StreamVocabulary<TAction>(Translation translation) : MatchVocabulary<IStreamFacts, TAction>
    where TAction : class
{
    private const string Network = "envoy.extensions.matching.common_inputs.network.v3.",
        Ssl = "envoy.extensions.matching.common_inputs.ssl.v3.", Http = "envoy.type.matcher.v3.";

    /// <inheritdoc/>
    public override MatchInput<IStreamFacts>? Input(string type, Any config, Rejections rejections)
    {
        switch (type)
        {
            case Network + nameof(DestinationIPInput):
                return new AddressInput(static f => f.DownstreamLocal);
            case Network + nameof(DestinationPortInput):
                return new AddressInput(static f => f.DownstreamLocal, port: true);
            case Network + nameof(SourceIPInput):
                return new AddressInput(static f => f.DownstreamRemote);
            case Network + nameof(SourcePortInput):
                return new AddressInput(static f => f.DownstreamRemote, port: true);
            case Network + nameof(DirectSourceIPInput):
                return new AddressInput(static f => f.DownstreamDirectRemote);
            case Network + nameof(SourceTypeInput):
                return new TextInput(static f =>
                    f.DownstreamRemote.IsLoopback || f.DownstreamRemote.WithPort(0) == f.DownstreamLocal.WithPort(0) ? "local" : null);
            case Network + nameof(ServerNameInput):
                return new TextInput(static f => f.RequestedServerName);
            case Network + nameof(FilterStateInput):
                string key = ValueTranslator.Unpack(config, FilterStateInput.Parser, rejections)?.Key ?? "";
                return new TextInput(f => f.FilterState(key)?.ToString());
            case Ssl + "UriSanInput":
                return new NamesInput(static t => t.PeerUris);
            case Ssl + "DnsSanInput":
                return new NamesInput(static t => t.PeerDnsNames);
            case Ssl + "SubjectInput":
                return new TextInput(static f => f.DownstreamTls?.PeerSubject);
            default:
                return OfMessage(type, config, rejections);
        }
    }

    private static MatchInput<IStreamFacts>? OfMessage(string type, Any config, Rejections rejections)
    {
        switch (type)
        {
            case Http + nameof(HttpRequestHeaderMatchInput):
                return new HeaderInput(HeadKind.Request,
                    ValueTranslator.Unpack(config, HttpRequestHeaderMatchInput.Parser, rejections)?.HeaderName ?? "");
            case Http + nameof(HttpResponseHeaderMatchInput):
                return new HeaderInput(HeadKind.Response,
                    ValueTranslator.Unpack(config, HttpResponseHeaderMatchInput.Parser, rejections)?.HeaderName ?? "");
            case Http + nameof(HttpResponseTrailerMatchInput):
                return new HeaderInput(HeadKind.ResponseTrailers,
                    ValueTranslator.Unpack(config, HttpResponseTrailerMatchInput.Parser, rejections)?.HeaderName ?? "");
            case Http + nameof(HttpRequestQueryParamMatchInput):
                return new QueryInput(ValueTranslator.Unpack(config, HttpRequestQueryParamMatchInput.Parser, rejections)?.QueryParam ?? "");
            case Http + nameof(HttpResponseStatusCodeMatchInput):
                return new StatusInput(ofClass: false);
            case Http + nameof(HttpResponseStatusCodeClassMatchInput):
                return new StatusInput(ofClass: true);
            case "envoy.extensions.matching.common_inputs.environment_variable.v3.Config":
                string? value = Environment.GetEnvironmentVariable(ValueTranslator.Unpack(config, Config.Parser, rejections)?.Name ?? "");
                return new TextInput(_ => value);
            default:
                rejections.Add($"matching input {type} is not served");
                return null;
        }
    }

    /// <inheritdoc/>
    public override MatchCondition<IStreamFacts>? Custom(string type, Any match, Extension? input, Rejections rejections)
    {
        switch (type)
        {
            case "envoy.extensions.matching.input_matchers.ip.v3.Ip":
                return ValueTranslator.Unpack(match, Ip.Parser, rejections) is { } ip
                    && Input(TypeOf(input), input?.TypedConfig ?? new Any(), rejections) is { } address
                    ? new AddressCondition<IStreamFacts>(address,
                        [.. ip.CidrRanges.Select(r => ValueTranslator.Prefix(r, rejections)).OfType<Prefix>()]) : null;
            case "xds.type.matcher.v3.CelMatcher" when TypeOf(input) == "xds.type.matcher.v3.HttpAttributesCelMatchInput":
                return ValueTranslator.Unpack(match, CelMatcher.Parser, rejections)?.ExprMatch is { } expression
                    ? Cel(expression, rejections) : null;
            default:
                return base.Custom(type, match, input, rejections);
        }
    }

    private CelCondition? Cel(global::Xds.Type.V3.CelExpression expression, Rejections rejections)
    {
        if ((expression.ParsedExpr?.Expr ?? expression.CheckedExpr?.Expr) is { } expr)
            return CelTranslator.Program(expr, translation, rejections) is { } program ? new CelCondition(program) : null;
        rejections.Add("expr_match has no parsed or checked expression");
        return null;
    }

    private static string TypeOf(Extension? extension) => ValueTranslator.TypeName(extension?.TypedConfig ?? new Any());
}
