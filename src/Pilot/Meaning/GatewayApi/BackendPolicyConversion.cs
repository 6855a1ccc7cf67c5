using Google.Protobuf.WellKnownTypes;
using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Kubernetes.Gateway.X;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning.GatewayApi.Status;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>BackendTLSPolicies, XBackendTrafficPolicies and XBackends as DestinationRules, one for each service; those that users write
/// come before them.</summary>
internal sealed class BackendPolicyConversion(GatewayApiWorld world)
{
    private const string Ignore = "istio.io/ignore-policy-attachment";
    private const string CoreGroup = "";
    private const string EntryGroup = "networking.istio.io";
    private const int RetriesAtOnceOtherwise = 10;

    private readonly List<Part> _parts = [];

    public List<GatewayApiStatus> Statuses { get; } = [];

    public IReadOnlyList<Resource<DestinationRule>> Convert()
    {
        var claims = new Dictionary<(string Namespace, string Kind, string Name, string Section), string>();
        foreach (var policy in Ordered(world.Inputs.TlsPolicies)
            .Where(policy => policy.Spec.Spec?.Validation is not null && policy.Annotations.GetValueOrDefault(Ignore) != "true"))
            Add(policy, claims);
        foreach (var policy in Ordered(world.Inputs.TrafficPolicies).Where(policy => policy.Spec.Spec is not null)) Add(policy);
        foreach (var backend in Ordered(world.Inputs.Backends).Where(backend => backend.Spec.Spec is not null)) Add(backend);
        var rules = _parts.GroupBy(part => (part.Namespace, part.Name, part.Host)).Select(Rule);
        return [.. rules];
    }

    private Resource<DestinationRule> Rule(IGrouping<(string Namespace, string Name, string Host), Part> group)
    {
        var policy = new TrafficPolicy();
        foreach (var part in group.OrderBy(part => part.From.CreationTime.GetValueOrDefault())
            .ThenBy(part => part.From.Namespace, StringComparer.Ordinal).ThenBy(part => part.From.Name, StringComparer.Ordinal))
        {
            if (part.LoadBalancer is not null) policy.LoadBalancer ??= part.LoadBalancer;
            if (part.Budget is not null) policy.RetryBudget ??= part.Budget;
            if (part is { Tls: { } tls, Port: 0 }) policy.Tls ??= tls;
            if (part is { Tls: { } own, Port: > 0 } && policy.PortLevelSettings.All(entry => entry.Port.Number != part.Port))
                policy.PortLevelSettings.Add(
                    new TrafficPolicy.Types.PortTrafficPolicy { Port = new PortSelector { Number = (uint)part.Port }, Tls = own });
        }
        var name = $"{group.Key.Name}~{GatewayApiWorld.Suffix}";
        return Kinds.DestinationRule.Create(group.Key.Namespace, name,
            new DestinationRule { Host = group.Key.Host, TrafficPolicy = policy }, new ResourceMetadata
            {
                Name = name,
                Namespace = group.Key.Namespace,
                CreationTime = group.First().From.CreationTime,
                Annotations = new Dictionary<string, string>
                {
                    ["internal.istio.io/parents"] =
                        string.Join(',', group.Select(part => $"{part.Kind}/{part.From.Namespace}.{part.From.Name}").Distinct()),
                },
            });
    }

    // ---- BackendTLSPolicy

    private void Add(Resource<BackendTLSPolicy> policy, Dictionary<(string, string, string, string), string> claims)
    {
        var (ns, spec) = (policy.Namespace, policy.Spec.Spec);
        var conditions = Good().With("ResolvedRefs", "ResolvedRefs", "Configuration is valid");
        var tls = Tls(spec.Validation, ns, conditions);
        var ancestors = new List<PolicyAncestorStatus>();
        var gateways = new SortedSet<(string Namespace, string Name)>();
        var last = conditions;
        foreach (var target in spec.TargetRefs)
        {
            last = conditions.Copy();
            var section = target.HasSectionName ? target.SectionName : "";
            var (places, problem) = PlacesOf(target.Group, target.Kind, target.Name, section, ns);
            if (problem is null && !claims.TryAdd((ns, target.Kind, target.Name, section), policy.Name))
                problem = new Problem("Conflicted",
                    $"Conflicts with BackendTLSPolicy \"{claims[(ns, target.Kind, target.Name, section)]}\" targeting the same backend");
            if (problem is not null) last.Fail("Accepted", problem);
            else
                _parts.AddRange(places.Select(
                    place => new Part("BackendTLSPolicy", policy.Metadata, ns, place.Name, place.Host, place.Port) { Tls = tls }));
            gateways.UnionWith(GatewaysOf(target.Group, target.Kind, ns, target.Name));
            var reference = new ParentReference { Group = target.Group, Kind = target.Kind, Name = target.Name };
            if (target.HasSectionName) reference.SectionName = target.SectionName;
            ancestors.Add(Ancestor(reference, GatewayClasses.MeshController, last, policy.Metadata, policy.Spec.Status));
        }
        ancestors.AddRange(gateways.Select(gateway => Ancestor(
            new ParentReference { Group = GatewayApiWorld.Group, Kind = "Gateway", Name = gateway.Name }, GatewayClasses.GatewayController,
            last, policy.Metadata, policy.Spec.Status)));
        Statuses.Add(new GatewayApiStatus(Kinds.BackendTLSPolicy, ns, policy.Name, Merged(policy.Spec.Status, ancestors)));
    }

    private ClientTLSSettings Tls(BackendTLSPolicyValidation validation, string ns, ConditionDrafts conditions)
    {
        var tls = new ClientTLSSettings { Mode = ClientTLSSettings.Types.TLSmode.Simple, Sni = validation.Hostname };
        tls.SubjectAltNames.Add(validation.SubjectAltNames.Select(name => name.Type == "URI" ? name.Uri : name.Hostname));
        if (validation.HasWellKnownCaCertificates)
        {
            if (validation.WellKnownCaCertificates != "System")
                conditions.Fail("Accepted",
                    new Problem("Invalid", $"Unknown wellKnownCACertificates: {validation.WellKnownCaCertificates}"));
            return tls;
        }
        if (validation.CaCertificateRefs.FirstOrDefault() is not { } reference) return tls;
        if (validation.CaCertificateRefs.Count > 1)
            conditions.Say("Accepted", "Accepted", "Configuration is valid; warning: only the first caCertificateRefs will be used");
        if (AuthorityProblem(reference, ns) is var (reason, how, why))
        {
            conditions.Fail("ResolvedRefs", new Problem(reason, $"{how}: {why}"));
            conditions.Fail("Accepted", new Problem("NoValidCACertificate", $"Certificate reference invalid: {why}"));
            // An authority that can't be had must stop the traffic, not let anybody vouch for the server.
            tls.CredentialName = "invalid://";
            return tls;
        }
        tls.CredentialName = $"configmap://{ns}/{reference.Name}";
        return tls;
    }

    private (string Reason, string How, string Why)? AuthorityProblem(LocalObjectReference reference, string ns)
    {
        const string notThere = "InvalidCACertificateRef";
        return (reference.Group, reference.Kind) switch
        {
            (CoreGroup or "core", "ConfigMap") => world.ConfigMap(ns, reference.Name) is not { } map
                ? (notThere, "Certificate reference not found", $"reference {ns}/{reference.Name} (of kind ConfigMap) not found")
                : ListenerTls.RootProblem(map.Spec.Data.ToDictionary()) is { } why ? (notThere, "Certificate invalid", why) : null,
            (CoreGroup or "core", "Secret") => (Problem.InvalidKind, "Certificate reference invalid", "unsupported reference kind: Secret"),
            _ => (Problem.InvalidKind, "Certificate reference not supported", $"unsupported kind {reference.Kind}"),
        };
    }

    // ---- XBackendTrafficPolicy

    private void Add(Resource<XBackendTrafficPolicy> policy)
    {
        var (ns, spec) = (policy.Namespace, policy.Spec.Spec);
        var isIgnored = policy.Annotations.GetValueOrDefault(Ignore) == "true";
        var ancestors = new List<PolicyAncestorStatus>();
        foreach (var target in spec.TargetRefs)
        {
            var conditions = Good();
            if (spec.SessionPersistence is not null)
                conditions.Say("Accepted", "Accepted",
                    "Configuration is valid, but Istio does not support the following fields: sessionPersistence");
            var (places, problem) = PlacesOf(target.Group, target.Kind, target.Name, "", ns);
            if (isIgnored) conditions.Fail("Accepted", new Problem("IgnoredByIstio", $"Ignored by Istio due to annotation {Ignore}=true"));
            else if (problem is not null) conditions.Fail("Accepted", problem);
            else
            {
                _parts.AddRange(places.Select(place => new Part("XBackendTrafficPolicy", policy.Metadata, ns, place.Name, place.Host, 0)
                {
                    LoadBalancer = new LoadBalancerSettings(), Budget = Budget(spec.RetryConstraint),
                }));
            }
            ancestors.Add(Ancestor(new ParentReference { Group = target.Group, Kind = target.Kind, Name = target.Name },
                GatewayClasses.MeshController, conditions, policy.Metadata, policy.Spec.Status));
        }
        Statuses.Add(new GatewayApiStatus(Kinds.XBackendTrafficPolicy, ns, policy.Name, Merged(policy.Spec.Status, ancestors)));
    }

    private static TrafficPolicy.Types.RetryBudget? Budget(XBackendTrafficPolicySpec.Types.RetryConstraint? constraint)
    {
        if (constraint is null) return null;
        var budget = new TrafficPolicy.Types.RetryBudget { MinRetryConcurrency = constraint.MinRetryRate is { HasCount: true } rate
            ? (uint)rate.Count : RetriesAtOnceOtherwise };
        if (constraint.Budget is { HasPercent: true }) budget.Percent = constraint.Budget.Percent;
        if (constraint.Budget is { HasInterval: true }
            && Lateen.Api.Documents.Durations.TryParse(constraint.Budget.Interval, out var interval)) budget.BudgetInterval = interval;
        return budget;
    }

    // ---- XBackend

    private void Add(Resource<XBackend> backend)
    {
        var (ns, spec) = (backend.Namespace, backend.Spec.Spec);
        var (host, port) = (spec.ExternalHostname?.Hostname ?? "", spec.Port?.Port_ ?? 0);
        var conditions = Good().With("ResolvedRefs", "ResolvedRefs", "Configuration is valid");
        if (spec.Tls is { Mode: not ("" or "None") } written)
        {
            var tls = written.Validation is { } validation
                ? Tls(validation, ns, conditions) : new ClientTLSSettings { Mode = ClientTLSSettings.Types.TLSmode.Simple };
            if (tls.Sni.Length == 0) tls.Sni = host;
            if (written.Mode == "ClientAndServer")
                conditions.Fail("Accepted",
                    new Problem("Invalid", "unsupported ClientAndServer TLS mode: Istio does not support client certificates on backend"));
            else
                _parts.Add(new Part("XBackend", backend.Metadata, ns, $"{backend.Name}~{host.Replace('.', '-')}", host,
                    port) { Tls = tls });
        }
        var status = new RouteStatus();
        status.Parents.Add(BackendEntry(new ParentReference { Group = ExperimentalGroup, Kind = "XBackend", Name = backend.Name },
            GatewayClasses.MeshController, conditions, backend.Metadata));
        status.Parents.Add(GatewaysOf(ExperimentalGroup, "XBackend", ns, backend.Name).Distinct().Order().Select(gateway =>
        {
            var reference = new ParentReference { Group = GatewayApiWorld.Group, Kind = "Gateway", Name = gateway.Name };
            if (gateway.Namespace != ns) reference.Namespace = gateway.Namespace;
            return BackendEntry(reference, GatewayClasses.GatewayController, conditions, backend.Metadata);
        }));
        Statuses.Add(new GatewayApiStatus(Kinds.XBackend, ns, backend.Name, status));
    }

    private const string ExperimentalGroup = "gateway.networking.x-k8s.io";

    private static RouteParentStatus BackendEntry(ParentReference reference, string controller, ConditionDrafts conditions,
        ResourceMetadata metadata)
    {
        var entry = new RouteParentStatus { ParentRef = reference, ControllerName = controller };
        entry.Conditions.Add(conditions.Render(metadata.Generation));
        return entry;
    }

    // ---- Targets

    private (IReadOnlyList<(string Name, string Host, int Port)> Places, Problem? Problem) PlacesOf(string group, string kind, string name,
        string section, string ns)
    {
        Problem Invalid(string why) => new("TargetNotFound", "targetRefs invalid: " + why);
        switch (group, kind)
        {
            case (CoreGroup or "core", "Service"):
                if (world.Registry.Find(world.HostOf(name, ns), ns) is not { } service)
                    return ([], Invalid($"reference {ns}/{name} (of kind Service) not found"));
                if (section.Length == 0) return ([(name, service.Hostname, 0)], null);
                return service.PortByName(section) is { } port ? ([(name, service.Hostname, port.Number)], null)
                    : ([], Invalid($"sectionName \"{section}\" does not exist in Service {ns}/{name}"));
            case (EntryGroup, "ServiceEntry"):
                if (world.Entry(ns, name) is not { } entry) return ([], Invalid($"reference {ns}/{name} (of kind ServiceEntry) not found"));
                var number = section.Length == 0 ? 0 : (int)(entry.Spec.Ports.FirstOrDefault(own => own.Name == section)?.Number ?? 0);
                if (section.Length > 0 && number == 0)
                    return ([], Invalid($"sectionName \"{section}\" does not exist in ServiceEntry {ns}/{name}"));
                return ([.. entry.Spec.Hosts.Select(host => ($"{name}~{host.Replace('.', '-')}", host, number))], null);
            default:
                return ([], Invalid($"unsupported kind {kind}"));
        }
    }

    // Gateways from which some route leads there.
    private IEnumerable<(string Namespace, string Name)> GatewaysOf(string group, string kind, string ns, string name)
    {
        bool IsMeant(string ofNamespace, bool hasGroup, string itsGroup, bool hasKind, string itsKind, bool hasNamespace,
            string itsNamespace, string itsName) =>
                itsName == name && (hasKind ? itsKind : "Service") == kind && (hasGroup ? itsGroup : CoreGroup) == group
                    && (hasNamespace ? itsNamespace : ofNamespace) == ns;
        bool Http(string from, HTTPBackendRef r) =>
            IsMeant(from, r.HasGroup, r.Group, r.HasKind, r.Kind, r.HasNamespace, r.Namespace, r.Name);
        bool Plain(string from, BackendRef r) => IsMeant(from, r.HasGroup, r.Group, r.HasKind, r.Kind, r.HasNamespace, r.Namespace, r.Name);
        IEnumerable<(string Namespace, IEnumerable<ParentReference> Parents)> routes =
        [
            .. world.Inputs.HttpRoutes.Where(
                route => route.Spec.Spec?.Rules.Any(rule => rule.BackendRefs.Any(to => Http(route.Namespace, to))) == true)
                .Select(route => (route.Namespace, route.Spec.Spec.ParentRefs.AsEnumerable())),
            .. world.Inputs.GrpcRoutes.Where(
                route => route.Spec.Spec?.Rules.Any(rule => rule.BackendRefs.Any(to => Http(route.Namespace, to))) == true)
                .Select(route => (route.Namespace, route.Spec.Spec.ParentRefs.AsEnumerable())),
            .. world.Inputs.TcpRoutes.Where(
                route => route.Spec.Spec?.Rules.Any(rule => rule.BackendRefs.Any(to => Plain(route.Namespace, to))) == true)
                .Select(route => (route.Namespace, route.Spec.Spec.ParentRefs.AsEnumerable())),
            .. world.Inputs.TlsRoutes.Where(
                route => route.Spec.Spec?.Rules.Any(rule => rule.BackendRefs.Any(to => Plain(route.Namespace, to))) == true)
                .Select(route => (route.Namespace, route.Spec.Spec.ParentRefs.AsEnumerable())),
        ];
        return routes.SelectMany(route => route.Parents.Where(parent => !parent.HasKind || parent.Kind == "Gateway")
            .Select(parent => (parent.HasNamespace ? parent.Namespace : route.Namespace, parent.Name)));
    }

    // ---- Status

    private static ConditionDrafts Good() => new ConditionDrafts().With("Accepted", "Accepted", "Configuration is valid");

    private static PolicyAncestorStatus Ancestor(ParentReference reference, string controller, ConditionDrafts conditions,
        ResourceMetadata metadata, PolicyStatus? before)
    {
        var old = before?.Ancestors.FirstOrDefault(
            ancestor => Equals(ancestor.AncestorRef, reference) && ancestor.ControllerName == controller);
        var ancestor = new PolicyAncestorStatus { AncestorRef = reference, ControllerName = controller };
        ancestor.Conditions.Add(conditions.Render(metadata.Generation, old?.Conditions));
        return ancestor;
    }

    private static PolicyStatus Merged(PolicyStatus? before, List<PolicyAncestorStatus> own)
    {
        const int ancestorsMax = 16;
        var status = new PolicyStatus();
        status.Ancestors.Add((before?.Ancestors
            ?? []).Where(ancestor => ancestor.ControllerName is not (GatewayClasses.GatewayController or GatewayClasses.MeshController))
            .Concat(own).Take(ancestorsMax));
        return status;
    }

    private static IEnumerable<Resource<T>> Ordered<T>(IEnumerable<Resource<T>> resources)
        where T : class, Google.Protobuf.IMessage<T>, new() => resources
            .OrderBy(resource => resource.Metadata.CreationTime.GetValueOrDefault())
            .ThenBy(resource => resource.Namespace, StringComparer.Ordinal).ThenBy(resource => resource.Name, StringComparer.Ordinal);

    // What one policy says of one service, or of one port of it.
    private sealed record Part(string Kind, ResourceMetadata From, string Namespace, string Name, string Host, int Port)
    {
        public ClientTLSSettings? Tls { get; init; }

        public LoadBalancerSettings? LoadBalancer { get; init; }

        public TrafficPolicy.Types.RetryBudget? Budget { get; init; }
    }
}
