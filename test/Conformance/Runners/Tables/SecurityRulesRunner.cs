using System.Text.Json;
using System.Text.RegularExpressions;
using Envoy.Config.Rbac.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Envoy.Type.Matcher.V3;
using Google.Protobuf;
using Istio.Security.V1Beta1;
using Istio.Type.V1Beta1;
using Lateen.Config.Resources;
using Lateen.Config.Validation.Policies;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using Lateen.Test.Conformance.Runners.Traffic;
using RbacAction = Envoy.Config.Rbac.V3.RBAC.Types.Action;
using Resource = Lateen.Config.Resources.Resource;
using StringMatcher = Envoy.Type.Matcher.V3.StringMatcher;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Rules of authorization, authentication, trust domains and identities.</summary>
internal sealed class SecurityRulesRunner : TableRunner
{
    public SecurityRulesRunner() : base("security-rules")
    {
        Table("authn-for-workload", (row, context) => Authn(row, context, true));
        Table("authn-for-workload-no-mesh-policy", (row, context) => Authn(row, context, true));
        Table("authn-for-gateway-target-ref", (row, context) => Authn(row, context, false));
        Table("authz-list", AuthzList);
        Table("policy-attachment", Attachment);
        Table("compose-peer-authn", ComposePeer);
        Table("inbound-mtls", InboundMtls);
        Matchers();
        Rbac();
        Trust();
        Tokens();
        Credentials();
        Validation();
    }

    // ---- which policies apply

    private static string? Authn(JsonElement row, JsonElement context, bool selectorsReachGateways)
    {
        var snapshot = Snapshot("istio-config", context.Items("policies"));
        var target = Target(row, "workloadNamespace", row.Field("withService")) with { SelectorsReachGateways = selectorsReachGateways };
        var requests = WorkloadPolicies.RequestAuthentications(snapshot.Policies, target, "istio-config").Select(p => p.Origin.FullName)
            .Order(StringComparer.Ordinal);
        if (row.Field("wantRequestAuthn") is not null && Rows.SameList(requests, Names(row, "wantRequestAuthn")) is { } wrong) return wrong;
        var peers = WorkloadPolicies.PeerAuthentications(snapshot.Policies, target.Namespace, "istio-config", target.Labels)
            .Select(p => p.Origin.FullName).Order(StringComparer.Ordinal);
        if (row.Field("wantPeerAuthn") is not null && Rows.SameList(peers, Names(row, "wantPeerAuthn")) is { } other) return other;
        var hasMesh = snapshot.Policies.PeerAuthentications.TryGetValue("istio-config", out var mesh)
            && mesh.Any(p => p.Spec.Selector is null);
        var mode = snapshot.Policies.NamespaceModes.TryGetValue(target.Namespace, out var own) ? own : hasMesh
            ? snapshot.Policies.ModeOf(target.Namespace) : snapshot.Policies.MeshMode;
        return row.Text("wantNamespaceMutualTLS") is { Length: > 0 } want ? Rows.Same("MTLS" + mode, want) : null;
    }

    private static IEnumerable<string> Names(JsonElement row, string field) =>
        row.Items(field).Select(p => $"{p.GetProperty("metadata").Text("namespace")}/{p.GetProperty("metadata").Text("name")}")
            .Order(StringComparer.Ordinal);

    private static PolicyTarget Target(JsonElement row, string namespaceField, JsonElement? service)
    {
        var attributes = service?.Field("attributes");
        return new PolicyTarget(row.Text(namespaceField), row.Labels("workloadLabels"), row.Flag("isWaypoint"),
            attributes is not { } found ? null : ServiceOf(found, "serviceRegistry"));
    }

    private static Service ServiceOf(JsonElement row, string registryField) => new()
    {
        Hostname = row.Text("name"),
        Name = row.Text("name"),
        Namespace = row.Text("namespace"),
        Source = row.Text(registryField) == "Kubernetes" ? ServiceSource.Kubernetes : ServiceSource.ServiceEntry,
        Resolution = ServiceResolution.ClientSide,
        Declaration = $"ServiceEntry/{row.Text("namespace")}/{row.Text("name")}",
    };

    private static MeshSnapshot Snapshot(string root, IEnumerable<JsonElement> rows)
    {
        var settings = Rows.Settings(JsonDocument.Parse($$"""{"rootNamespace":"{{root}}"}""").RootElement);
        return Rows.Snapshot(RegistryView.Empty, settings, [.. rows.Select(Resource)]);
    }

    private static Resource Resource(JsonElement row) => row.Text("kind") switch
    {
        "PeerAuthentication" => Aged(Kinds.PeerAuthentication, row),
        "RequestAuthentication" => Aged(Kinds.RequestAuthentication, row),
        _ => Aged(Kinds.AuthorizationPolicy, row),
    };

    // Times are "now" and offsets from it.
    private static Resource Aged<T>(ResourceKind<T> kind, JsonElement row) where T : class, IMessage<T>, new()
    {
        var time = (row.Field("metadata") ?? default).Text("creationTimestamp");
        var offset = Regex.Match(time, @"now\+(-?\d+)s") is { Success: true } match ? int.Parse(match.Groups[1].Value) : 0;
        return Rows.Resource(kind, row, 1000 + offset);
    }

    private static string? AuthzList(JsonElement row, JsonElement context)
    {
        var options = row.GetProperty("selectionOpts");
        var snapshot = Snapshot("istio-config", row.Items("configs"));
        var service = options.Items("services").FirstOrDefault();
        var target = new PolicyTarget(
            options.Text("workloadNamespace"), options.Labels("workloadLabels"), options.Flag("isWaypoint"),
            service.ValueKind == JsonValueKind.Object ? ServiceOf(service, "registry") : null);
        var policies = WorkloadPolicies.AuthorizationPolicies(snapshot.Policies, target, "istio-config").ToList();
        foreach (var (field, action) in new[] { ("wantDeny", "Deny"), ("wantAllow", "Allow"), ("wantAudit", "Audit"),
            ("wantCustom", "Custom") })
        {
            var have = policies.Where(p => p.Spec.Action.ToString() == action).Select(p => p.Origin.FullName).Order(StringComparer.Ordinal);
            var want = row.Items(field).Select(p => $"{p.Text("namespace")}/{p.Text("name")}").Order(StringComparer.Ordinal);
            if (Rows.SameList(have, want) is { } difference) return $"{field}: {difference}";
        }
        return null;
    }

    private static string? Attachment(JsonElement row, JsonElement context)
    {
        var selection = row.GetProperty("selection");
        var service = selection.Items("services").FirstOrDefault();
        var target = new PolicyTarget(
            selection.Text("workloadNamespace"), selection.Labels("workloadLabels"), selection.Flag("isWaypoint"),
            service.ValueKind == JsonValueKind.Object ? ServiceOf(service, "registry") : null)
        {
            SelectorsReachGateways = row.Flag("enableSelectorPolicies"),
        };
        var policy = row.GetProperty("policy");
        var refs = policy.Items("targetRefs").Concat(policy.Field("targetRef") is { } single ? [single] : [])
            .Select(Rows.Message<PolicyTargetReference>).ToList();
        var named = row.Field("policyNamespacedName") ?? default;
        var origin = new Origin
        {
            Kind = "Policy",
            Name = named.Text("name") is { Length: > 0 } name ? name : "policy1",
            Namespace = named.Text("namespace") is { Length: > 0 } ns ? ns : "default",
        };
        return Rows.Same(WorkloadPolicies.Attaches(target, origin, policy.Message<WorkloadSelector>("selector"), refs,
            selection.Text("rootNamespace")), row.Flag("expected"));
    }

    private static string? ComposePeer(JsonElement row, JsonElement context)
    {
        var policies = row.Items("configs").Select(item => new Meant<PeerAuthentication>(
            new Origin
            {
                Kind = "PeerAuthentication",
                Name = item.GetProperty("metadata").Text("name"),
                Namespace = item.GetProperty("metadata").Text("namespace"),
                Created = DateTimeOffset.UnixEpoch.AddSeconds(1000
                    + (Regex.Match(item.GetProperty("metadata").Text("creationTimestamp"), @"now\+(-?\d+)s") is { Success: true } m
                        ? int.Parse(m.Groups[1].Value) : 0)),
            },
            item.Message<PeerAuthentication>("spec") ?? new PeerAuthentication()));
        var demands = PeerDemands.Compose(policies, "root-namespace");
        var want = row.GetProperty("want");
        if (Rows.Same("MTLS" + demands.Default, want.Text("mode")) is { } wrong) return wrong;
        return Rows.SameList(
            demands.Ports.Select(p => $"{p.Key}=MTLS{p.Value}").Order(StringComparer.Ordinal),
            want.Field("perPort")?.EnumerateObject().Select(p => $"{p.Name}={p.Value.GetString()}").Order(StringComparer.Ordinal)
                ?? Enumerable.Empty<string>());
    }

    private static string? InboundMtls(JsonElement row, JsonElement context)
    {
        var resources = row.Items("peerPolicies").Select((item, i) => (Resource)Named(item, i)).ToList();
        var node = World.Node(JsonDocument.Parse("""{"configNamespace":"my-ns","labels":{"app":"foo"}}""").RootElement);
        var settings = Rows.Settings(JsonDocument.Parse("""{"rootNamespace":"root-namespace"}""").RootElement);
        settings.Mesh.TrustDomain = "";
        var world = World.Of(resources, node, settings);
        var mtls = new PeerSecurity(new ProxyInputs(world.Scope)).For(8080);
        var want = row.GetProperty("expected");
        return Rows.Same("MTLS" + mtls.Mode, want.Text("mode")) ?? Messages.Difference(mtls.Tcp, want.Field("tcp"))
            ?? Messages.Difference(mtls.Http, want.Field("http"));
    }

    // A policy without a namespace is the mesh's.
    private static Resource<PeerAuthentication> Named(JsonElement row, int index)
    {
        var metadata = row.GetProperty("metadata");
        var name = metadata.Text("name") is { Length: > 0 } given ? given : $"policy-{index}";
        var ns = metadata.Text("namespace") is { Length: > 0 } own ? own : "root-namespace";
        var time = Regex.Match(metadata.Text("creationTimestamp"), @"now\+(-?\d+)s");
        return Kinds.PeerAuthentication.Create(ns, name, row.Message<PeerAuthentication>("spec") ?? new PeerAuthentication(),
            new ResourceMetadata
            {
                Name = name,
                CreationTime = DateTimeOffset.UnixEpoch.AddSeconds(1000 + (time.Success ? int.Parse(time.Groups[1].Value) : 0)),
            });
    }

    // ---- matchers

    private void Matchers()
    {
        Table("header-matcher", (row, _) => Messages.Difference(RbacMatchers.Header(row.Text("k"), row.Text("v")), row.Field("expect")));
        Table("host-matcher",
            (row, _) => Messages.Difference(RbacMatchers.Header(row.Text("k"), row.Text("v"), true), row.Field("expect")));
        Table("path-matcher",
            (row, _) => Messages.Difference(Permission(RbacPermissions.Paths, row.Text("v"))?.UrlPath, row.Field("expect")));
        Table("path-template-matcher", (row, _) =>
        {
            var template = Permission(RbacPermissions.Paths, row.Text("path"))?.UriTemplate?.TypedConfig;
            return Messages.Difference(template?.Unpack<Envoy.Extensions.Path.Match.UriTemplate.V3.UriTemplateMatchConfig>(),
                row.Field("want"));
        });
        Table("string-matcher", (row, _) => Messages.Difference(RbacMatchers.Behind(row.Text("prefix"), row.Text("v")), row.Field("want")));
        Table("string-matcher-regex", (row, _) => MatchesOnly(RbacMatchers.Behind(row.Text("prefix"), row.Text("v")), row));
        Table("namespace-regex",
            (row, _) => MatchesOnly(Principal(RbacPrincipals.Namespaces, row.Text("v"))!.Authenticated.PrincipalName, row));
        Table("service-account-regex", (row, _) =>
            Rows.Same(Regex.IsMatch(row.Text("identity"), $"^(?:{RbacPrincipals.AccountPattern("default", row.Text("input"))})$"),
                row.Flag("match")));
        Table("extract-brackets",
            (row, _) => Extracted(row, RbacMatchers.Bracketed(row.Text("s")) is { } name ? [name] : null, [row.Text("want")]));
        Table("extract-nested-brackets", (row, _) => Extracted(row, RbacMatchers.Bracketed(row.Text("s"))?.Split("]["), row.Texts("want")));
        Table("convert-port", (row, _) => Rows.Same(Permission(RbacPermissions.Ports, row.Text("v")) is null, row.Text("err").Length > 0));
        Table("request-principal",
            (row, _) => Messages.Difference(Principal(RbacPrincipals.Subjects, row.Text("in")), Messages.Yaml(row.Text("want"))));
    }

    private static string? Extracted(JsonElement row, string[]? have, string[] want) =>
        row.Flag("err") ? Rows.Same(have is null, true) : Rows.SameList(have ?? ["(none)"], want);

    private static string? MatchesOnly(StringMatcher matcher, JsonElement row)
    {
        var regex = $"^(?:{matcher.SafeRegex.Regex})$";
        return Rows.Same((Regex.IsMatch(row.Text("match"), regex), Regex.IsMatch(row.Text("noMatch"), regex)), (true, false));
    }

    private static Permission? Permission(string key, string value, bool forTcp = false) =>
        RbacPermissions.TryBuild(key, [value], forTcp, out var made) && made.Count == 1 ? made[0] : null;

    private static Principal? Principal(string key, string value, bool forTcp = false, bool fromState = false) =>
        new RbacPrincipals("default", fromState).TryBuild(key, [value], forTcp, out var made) && made.Count == 1 ? made[0] : null;

    // ---- RBAC

    private void Rbac()
    {
        Table("rbac-generators", (row, _) =>
        {
            var generator = row.Text("generator");
            var (key, isPrincipal) = generator switch
            {
                "destIPGenerator" => (RbacPermissions.Addresses, false),
                "destPortGenerator" => (RbacPermissions.Ports, false),
                "connSNIGenerator" => (RbacPermissions.ServerNames, false),
                "hostGenerator" => (RbacPermissions.Hosts, false),
                "methodGenerator" => (RbacPermissions.Methods, false),
                "pathGenerator" => (RbacPermissions.Paths, false),
                "envoyFilterGenerator" => (row.Text("key"), false),
                "srcIPGenerator" => (RbacPrincipals.Addresses, true),
                "remoteIPGenerator" => (RbacPrincipals.ClientAddresses, true),
                "srcNamespaceGenerator" => (RbacPrincipals.Namespaces, true),
                "srcServiceAccountGenerator" => (RbacPrincipals.ServiceAccounts, true),
                "srcTrustDomainGenerator" => (RbacPrincipals.TrustDomains, true),
                "srcPrincipalGenerator" => (RbacPrincipals.Identities, true),
                "requestPrincipalGenerator" => (RbacPrincipals.Subjects, true),
                _ => (row.Text("key"), true),
            };
            IMessage? made = isPrincipal
                ? Principal(key, row.Text("value"), row.Flag("forTCP"), true) : Permission(key, row.Text("value"), row.Flag("forTCP"));
            return Messages.Difference(made, row.Field("want"));
        });
        Table("rbac-rule", (row, _) =>
        {
            var action = row.Text("action") switch { "RBAC_DENY" => RbacAction.Deny, "RBAC_LOG" => RbacAction.Log, _ => RbacAction.Allow };
            return Contains(row, RbacRules.Build(row.Message<Rule>("rule") ?? new Rule(),
                new RbacRuleInputs("default", row.Flag("forTCP"), action, false, [])));
        });
        Table("migrate-trust-domain", (row, _) =>
        {
            var bundle = row.GetProperty("tdBundle");
            string[] domains = [bundle.Text("trustDomain"), .. bundle.Texts("aliases")];
            return Contains(row, RbacRules.Build(row.Message<Rule>("rule") ?? new Rule(),
                new RbacRuleInputs("default", false, RbacAction.Allow, false, domains)));
        });
    }

    private static string? Contains(JsonElement row, IMessage? policy)
    {
        if (row.Field("want") is null) return policy is null ? null : $"have {policy}, want none";
        // A subject of a token is matched as issuer and name, which the rows have in one.
        var text = policy is null ? "" : Messages.Text(policy);
        text += " " + string.Join('/', Regex.Matches(text, "\"exact\": \"([^\"]*)\"").Select(m => m.Groups[1].Value));
        foreach (var want in row.Texts("want"))
        {
            if (!text.Contains(want, StringComparison.Ordinal)) return $"{want} is not in {text}";
        }
        return row.Texts("notWant").FirstOrDefault(unwanted => text.Contains(unwanted, StringComparison.Ordinal)) is { } found
            ? $"{found} is in {text}" : null;
    }

    // ---- trust domains

    private void Trust()
    {
        Table("trust-domain-aliases", (row, _) =>
        {
            var bundle = row.GetProperty("trustDomainBundle");
            return Rows.SameList(TrustDomainAliases.Expand(row.Texts("principals"),
                [bundle.Text("trustDomain"), .. bundle.Texts("aliases")]), row.Texts("expect"));
        });
        Table("spiffe-parse", Rules.IdentityTables.Parse);
        Table("spiffe-uri", Rules.IdentityTables.Make);
        Table("spiffe-expand", Rules.IdentityTables.Expand);
        Table("trust-domain-enforced", Rules.IdentityTables.Enforced);
        Table("principal-trust-domain", Rules.IdentityTables.TrustDomain);
        Table("replace-trust-domain", Rules.IdentityTables.Replace);
        Table("authz-string-match", Rules.IdentityTables.Match);
        Table("trust-domains-for-validation", (row, _) =>
            Rows.SameList(TrustDomains.Accepted(row.Message<Istio.Mesh.V1Alpha1.MeshConfig>("meshConfig") ?? new()), row.Texts("want")));
        Table("min-tls-version", (row, _) =>
        {
            var mesh = Rows.Mesh(JsonDocument.Parse(
                $$$"""{"meshMTLS":{"minProtocolVersion":"{{{row.Text("minTLSVer")}}}"}}""").RootElement);
            return Rows.Same(TlsContexts.MeshParameters(mesh).TlsMinimumProtocolVersion.ToString().ToUpperInvariant(),
                row.Text("expectedMinTLSVer").Replace("_", "", StringComparison.Ordinal).ToUpperInvariant());
        });
    }

    // ---- tokens

    private void Tokens()
    {
        Table("jwt-filter", (row, _) =>
        {
            var rules = RequestSecurity.Ordered(row.Items("in")
                .Select(item => item.Message<RequestAuthentication>("spec") ?? new RequestAuthentication()));
            return Messages.Difference(Jwt(row, rules, "expected")?.Clone(), row.Field("expected"));
        });
        Table("jwt-config", (row, _) =>
        {
            var filter = Jwt(row, row.Items("in").Select(Rows.Message<JWTRule>), "expected");
            return Messages.Difference(filter?.TypedConfig.Unpack<Envoy.Extensions.Filters.Http.JwtAuthn.V3.JwtAuthentication>(),
                row.Field("expected"));
        });
        Table("space-delimited-claims", (row, _) =>
        {
            var rule = new JWTRule { Issuer = "i", Jwks = "{}" };
            rule.SpaceDelimitedClaims.Add(row.Texts("input"));
            var config = Jwt(row, [rule], "")!.TypedConfig.Unpack<Envoy.Extensions.Filters.Http.JwtAuthn.V3.JwtAuthentication>();
            return Rows.SameList(config.Providers["origins-0"].NormalizePayloadInMetadata.SpaceDelimitedClaims, row.Texts("expected"));
        });
        Table("jwt-routing-claim", (row, _) =>
        {
            var want = row.GetProperty("want");
            var parsed = ClaimMatches.Parse(row.Text("input"));
            if (Rows.Same(parsed is not null, want.Flag("match")) is { } wrong) return wrong;
            return parsed is var (_, claims) ? Rows.SameList(claims, want.Texts("claims")) : null;
        });
    }

    // The addresses of the recording serve the keys that stand in the expected filter.
    private static Envoy.Extensions.Filters.Network.HttpConnectionManager.V3.HttpFilter? Jwt(JsonElement row, IEnumerable<JWTRule> rules,
        string expected)
    {
        var providers = row.Field(expected)?.Field("typedConfig")?.Field("providers") ?? row.Field(expected)?.Field("providers");
        string Keys(string issuer, string address) =>
            providers?.EnumerateObject().Where(p => p.Value.Text("issuer") == issuer)
                .Select(p => p.Value.Field("localJwks")?.Text("inlineString")).FirstOrDefault() ?? "";
        var service = ServiceOf(JsonDocument.Parse("""{"name":"jwt-token-issuer.mesh","namespace":"foo"}""").RootElement, "registry");
        var mode = row.Text("jwksFetchMode") is { Length: > 0 } given ? given : "false";
        return new RequestSecurity(rules,
            new RequestSecurityInputs(Rows.Registry([service]), mode == "Istiod" ? "false" : mode, Keys)).Http(ListenerClass.SidecarInbound)
            .FirstOrDefault();
    }

    // ---- credentials

    private void Credentials()
    {
        Table("credential-to-resource", (row, _) => Rows.Same(SecretConfigs.ResourceName(row.Text("input")), row.Text("want")));
        Table("credential-resource-name", Rules.IdentityTables.Credential);
        Table("sds-resource-name", Rules.IdentityTables.Files);
        Table("parse-jwks-uri", Rules.IdentityTables.KeysAddress);
        Table("xfcc-authenticator", Rules.CallerTables.Forwarded);
        Table("xfcc-trusted-address", Rules.CallerTables.Trusted);
        Table("bearer-token", Rules.CallerTables.Bearer);
        Table("csr-common-name", Rules.CallerTables.CommonName);
        Table("jwt-aud", Rules.CallerTables.Audiences);
        Table("sds-credential", (row, _) =>
        {
            var name = row.Field("nameArg") is not null ? row.Text("nameArg")
                : row.Text("name") is var own && own.Contains("://", StringComparison.Ordinal) ? own.Split(' ')[0] : "";
            var mesh = Rows.Mesh(row.GetProperty("push").Field("mesh"));
            var services = mesh.ExtensionProviders.Where(p => p.Sds is not null)
                .Select(p => ServiceOf(JsonDocument.Parse($$"""{"name":"{{p.Sds.Service}}","namespace":"default"}""").RootElement,
                    "registry")).ToList();
            return Messages.Difference(
                SecretConfigs.OfCredential(name, row.Flag("credentialSocketExists"),
                    SecretConfigs.ExternalProvider(mesh, Rows.Registry(services))), row.Field("expected"));
        });
        Table("common-tls-context", (row, _) =>
        {
            var metadata = row.GetProperty("node").Field("metadata") ?? default;
            var files = (metadata.Text("tlsServerCertChain"), metadata.Text("tlsServerKey"), metadata.Text("tlsServerRootCert"));
            var common = new CommonTlsContext();
            TlsContexts.ApplyWorkloadSecrets(common, files, [], row.Texts("trustDomainAliases"), row.Text("crl"),
                row.Flag("validateClient"));
            return Messages.Difference(common, row.Field("expected"));
        });
    }

    // ---- what validation says

    private void Validation()
    {
        Table("contains-path-template", (row, _) => Rows.Same(PathTemplates.IsTemplate(row.Text("path")), row.Flag("isPathTemplate")));
        Table("check-path-template",
            (row, _) => Rows.Same(row.Texts("values").Any(v => PathTemplates.Problem(v) is not null), row.Flag("wantError")));
        Table("validate-condition",
            (row, _) =>
                Rows.Same(Refused(new Rule { When = { new Condition { Key = row.Text("key"), Values = { row.Texts("values") } } } }),
                    row.Flag("wantError")));
        Table("check-wildcard-values",
            (row, _) => Rows.Same(SourceRules.WildcardProblem(row.Texts("values")) is not null, row.Flag("wantError")));
        Table("valid-path-literal", (row, _) => Rows.Same(PathTemplates.IsLiteral(row.Text("glob")), row.Flag("expected")));
        Table("check-trust-domain-values",
            (row, _) => Rows.Same(Refused(new Source { TrustDomains = { row.Texts("values") } }), row.Flag("wantError")));
    }

    private static bool Refused(Source source) => Refused(new Rule { From = { new Rule.Types.From { Source = source } } });

    private static bool Refused(Rule rule)
    {
        var policy = new AuthorizationPolicy { Rules = { rule } };
        return Lateen.Config.Validation.Validator.Check(Kinds.AuthorizationPolicy.Create("default", "row", policy))
            .Any(d => d.Level == Lateen.Api.Diagnostics.DiagnosticLevel.Error);
    }
}
