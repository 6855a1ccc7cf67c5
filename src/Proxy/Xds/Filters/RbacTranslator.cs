using Envoy.Config.Rbac.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Cel;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Rbac;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Matching;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Xds.Matching;
using Xds.Type.Matcher.V3;
using HttpRbac = Envoy.Extensions.Filters.Http.Rbac.V3;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>envoy.filters.http.rbac, and the policies that the network filter has, too.</summary>
internal sealed class RbacTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.rbac.v3.RBAC", "envoy.extensions.filters.http.rbac.v3.RBACPerRoute"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        ValueTranslator.Unpack(config, HttpRbac.RBAC.Parser, rejections) is { } rbac
            ? new RbacFilter(name, Of(rbac, name, translation, rejections),
                RbacStats.In(translation.Statistics, translation.HttpStatPrefix, rbac.RulesStatPrefix,
                    rbac.ShadowRulesStatPrefix)) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) =>
        ValueTranslator.Unpack(config, HttpRbac.RBACPerRoute.Parser, rejections) is not { } route ? null
            : route.Rbac is null ? new RbacSettings(null, null, "", "") : Of(route.Rbac, "", translation, rejections);

    private static RbacSettings Of(HttpRbac.RBAC rbac, string name, Translation translation, Rejections rejections) =>
        new(Judge(rbac.Matcher, rbac.Rules, "matcher", name, translation, rejections),
            Judge(rbac.ShadowMatcher, rbac.ShadowRules, "shadow_matcher", name, translation, rejections), rbac.ShadowRulesStatPrefix,
            rbac.RulesStatPrefix)
        {
            CountsPolicies = rbac.TrackPerRuleStats,
        };

    /// <summary>Who decides: the tree, where there is one, before the rules (as Envoy); null for nobody.</summary>
    public static RbacJudge? Judge(Matcher? matcher, RBAC? rules, string field, string name, Translation translation, Rejections rejections,
        bool ofConnections = false)
    {
        if (matcher is null)
            return Policies(rules, name, translation, rejections);
        using Rejections.Scope scope = rejections.In(field);
        var words = new RbacVocabulary(translation, ofConnections);
        return new MatchTreeTranslator<IStreamFacts, RbacPolicy>(words, rejections).Tree(matcher) is { } tree
            ? new RbacTree(tree, words.Leaves) : null;
    }

    private sealed class RbacVocabulary(Translation translation, bool ofConnections) : StreamVocabulary<RbacPolicy>(translation)
    {
        public List<RbacPolicy> Leaves { get; } = [];

        /// <inheritdoc/>
        public override MatchInput<IStreamFacts>? Input(string type, Any config, Rejections rejections)
        {
            if (!ofConnections || !type.StartsWith("envoy.type.matcher.v3.Http", StringComparison.Ordinal))
                return base.Input(type, config, rejections);
            rejections.Add($"matching input {type} is of requests, and this filter sees connections");
            return null;
        }

        /// <inheritdoc/>
        public override RbacPolicy? Action(string type, Any config, Rejections rejections)
        {
            if (type != "envoy.config.rbac.v3.Action")
            {
                rejections.Add($"the action of an RBAC matcher must be an envoy.config.rbac.v3.Action, not {config.TypeUrl}");
                return null;
            }
            if (ValueTranslator.Unpack(config, Envoy.Config.Rbac.V3.Action.Parser, rejections) is not { } action)
                return null;
            RbacPolicy leaf = RbacTree.Leaf(action.Name, (RbacAction)action.Action_);
            Leaves.Add(leaf);
            return leaf;
        }
    }

    private static RbacPolicies? Policies(RBAC? rules, string name, Translation translation, Rejections rejections) => rules is null ? null
        : new RbacPolicies((RbacAction)rules.Action,
            rules.Policies.Select(p => OnePolicy(p.Key, p.Value, translation, rejections))) { Audit =
                Audit(rules.AuditLoggingOptions, name, translation, rejections) };

    private static AuditLog? Audit(RBAC.Types.AuditLoggingOptions? options, string name, Translation translation, Rejections rejections)
    {
        AuditLog? log = null;
        using Rejections.Scope scope = rejections.In("audit_logging_options");
        foreach (RBAC.Types.AuditLoggingOptions.Types.AuditLoggerConfig config in options?.LoggerConfigs ?? [])
        {
            string type = config.AuditLogger?.TypedConfig is { } any ? ValueTranslator.TypeName(any) : "";
            if (type == "envoy.extensions.rbac.audit_loggers.stream.v3.StdoutAuditLog")
                log = new AuditLog((AuditCondition)options!.AuditCondition, name, translation.Logs.Sink("/dev/stdout"),
                    translation.Workers);
            else if (config.IsOptional)
                rejections.Note($"optional audit logger {config.AuditLogger?.Name} ({type}) is not served and left out");
            else
                rejections.Add($"Didn't find a registered implementation for audit logger '{config.AuditLogger?.Name}' with type URL: "
                    + $"'{config.AuditLogger?.TypedConfig?.TypeUrl}'");
        }
        return log;
    }

    private static RbacPolicy OnePolicy(string name, Policy policy, Translation translation, Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In($"policies[{name}]");
        return new RbacPolicy(name, [.. policy.Permissions.Select(p => Rule(p, rejections))],
            [.. policy.Principals.Select(p => Rule(p, rejections))], Condition(policy, translation, rejections));
    }

    private static CelProgram? Condition(Policy policy, Translation translation, Rejections rejections)
    {
        if ((policy.Condition ?? policy.CheckedCondition?.Expr) is not { } condition)
            return null;
        using Rejections.Scope scope = rejections.In("condition");
        return CelTranslator.Program(condition, translation, rejections);
    }

    private static RbacRule Rule(Permission permission, Rejections rejections)
    {
        switch (permission.RuleCase)
        {
            case Permission.RuleOneofCase.AndRules:
                return new SetRule([.. permission.AndRules.Rules.Select(r => Rule(r, rejections))], true);
            case Permission.RuleOneofCase.OrRules:
                return new SetRule([.. permission.OrRules.Rules.Select(r => Rule(r, rejections))], false);
            case Permission.RuleOneofCase.NotRule:
                return new NotRule(Rule(permission.NotRule, rejections));
            case Permission.RuleOneofCase.Any:
                return new AnyRule();
            case Permission.RuleOneofCase.Header:
                return new HeaderRule(MatcherTranslator.Header(permission.Header, rejections));
            case Permission.RuleOneofCase.UrlPath:
                return Path(permission.UrlPath, rejections);
            case Permission.RuleOneofCase.DestinationIp:
                return InRange(AddressRole.Destination, permission.DestinationIp, rejections);
            case Permission.RuleOneofCase.DestinationPort:
                return new PortRule((int)permission.DestinationPort, (int)permission.DestinationPort);
            case Permission.RuleOneofCase.DestinationPortRange:
                // The end is exclusive.
                return new PortRule(permission.DestinationPortRange.Start, permission.DestinationPortRange.End - 1);
            case Permission.RuleOneofCase.Metadata:
                return new MetadataRule(MatcherTranslator.Metadata(permission.Metadata, rejections));
            case Permission.RuleOneofCase.SourcedMetadata:
                return Sourced(permission.SourcedMetadata, rejections);
            case Permission.RuleOneofCase.RequestedServerName:
                return MatcherTranslator.String(permission.RequestedServerName, rejections) is { } name ? new ServerNameRule(name) : Never;
            case Permission.RuleOneofCase.UriTemplate:
                return Template(permission.UriTemplate, rejections);
            default:
                rejections.Add($"permission {permission.RuleCase} is not served");
                return Never;
        }
    }

    private static RbacRule Rule(Principal principal, Rejections rejections)
    {
        switch (principal.IdentifierCase)
        {
            case Principal.IdentifierOneofCase.AndIds:
                return new SetRule([.. principal.AndIds.Ids.Select(r => Rule(r, rejections))], true);
            case Principal.IdentifierOneofCase.OrIds:
                return new SetRule([.. principal.OrIds.Ids.Select(r => Rule(r, rejections))], false);
            case Principal.IdentifierOneofCase.NotId:
                return new NotRule(Rule(principal.NotId, rejections));
            case Principal.IdentifierOneofCase.Any:
                return new AnyRule();
            case Principal.IdentifierOneofCase.Authenticated:
                return new AuthenticatedRule(principal.Authenticated.PrincipalName is { } name
                    ? MatcherTranslator.String(name, rejections) : null);
#pragma warning disable CS0612 // source_ip is deprecated, and still written
            case Principal.IdentifierOneofCase.SourceIp:
                return InRange(AddressRole.Source, principal.SourceIp, rejections);
#pragma warning restore CS0612
            case Principal.IdentifierOneofCase.DirectRemoteIp:
                return InRange(AddressRole.DirectRemote, principal.DirectRemoteIp, rejections);
            case Principal.IdentifierOneofCase.RemoteIp:
                return InRange(AddressRole.Remote, principal.RemoteIp, rejections);
            case Principal.IdentifierOneofCase.Header:
                return new HeaderRule(MatcherTranslator.Header(principal.Header, rejections));
            case Principal.IdentifierOneofCase.UrlPath:
                return Path(principal.UrlPath, rejections);
            case Principal.IdentifierOneofCase.Metadata:
                return new MetadataRule(MatcherTranslator.Metadata(principal.Metadata, rejections));
            case Principal.IdentifierOneofCase.SourcedMetadata:
                return Sourced(principal.SourcedMetadata, rejections);
            case Principal.IdentifierOneofCase.FilterState when principal.FilterState.StringMatch is { } text:
                return MatcherTranslator.String(text, rejections) is { } match
                    ? new FilterStateRule(principal.FilterState.Key, match) : Never;
            default:
                rejections.Add($"principal {principal.IdentifierCase} is not served");
                return Never;
        }
    }

    private static MetadataRule Sourced(SourcedMetadata metadata, Rejections rejections) =>
        new(MatcherTranslator.Metadata(metadata.MetadataMatcher ?? new Envoy.Type.Matcher.V3.MetadataMatcher(), rejections),
            metadata.MetadataSource == MetadataSource.Route);

    private static RbacRule Never => new NotRule(new AnyRule());

    private static RbacRule Path(Envoy.Type.Matcher.V3.PathMatcher path, Rejections rejections) =>
        path.Path is { } text && MatcherTranslator.String(text, rejections) is { } match ? new UrlPathRule(match) : Never;

    private static RbacRule InRange(AddressRole role, Envoy.Config.Core.V3.CidrRange range, Rejections rejections) =>
        ValueTranslator.Prefix(range, rejections) is { } prefix ? new AddressRule(role, prefix) : Never;

    private static RbacRule Template(Envoy.Config.Core.V3.TypedExtensionConfig config, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config.TypedConfig, Envoy.Extensions.Path.Match.UriTemplate.V3.UriTemplateMatchConfig.Parser,
            rejections) is not { } template)
            return Never;
        try
        {
            return new TemplateRule(PathTemplate.Parse(template.PathTemplate));
        }
        catch (FormatException e)
        {
            rejections.Add($"uri_template: {e.Message}");
            return Never;
        }
    }
}
