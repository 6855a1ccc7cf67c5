using System.Net;
using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;

namespace Lateen.Pilot.Meaning.GatewayApi.Status;

/// <summary>Status of classes, Gateways and ListenerSets.</summary>
internal sealed class GatewayStatuses(GatewayApiWorld world)
{
    private const string Accepted = "Accepted";
    private const string Programmed = "Programmed";
    private const string ResolvedRefs = "ResolvedRefs";
    private const string ListenersNotValid = "ListenersNotValid";
    private const string InsecureFrontend = "InsecureFrontendValidationMode";
    private const string InvalidClientCertificateRef = "InvalidClientCertificateRef";

    public IEnumerable<GatewayApiStatus> Classes() =>
        world.Inputs.Classes.Where(written => GatewayClasses.Of(written.Spec.Spec?.ControllerName ?? "") is not null).Select(written =>
        {
            var status = written.Spec.Status?.Clone() ?? new GatewayClassStatus();
            var before = status.Conditions.ToArray();
            status.Conditions.Clear();
            status.Conditions.Add(new ConditionDrafts().With(Accepted, Accepted, "Handled by Istio controller")
                .Render(written.Metadata.Generation, before));
            return new GatewayApiStatus(Kinds.GatewayClass, "", written.Name, status);
        });

    public GatewayApiStatus Of(GatewayDraft draft)
    {
        var (gateway, metadata) = (draft.Gateway.Spec, draft.Gateway.Metadata);
        var before = gateway.Status ?? new GatewayStatus();
        var status = new GatewayStatus();
        if (draft.Class.IsRemote)
        {
            status.Addresses.Add(gateway.Spec.Addresses);
            status.Conditions.Add(Good("This Gateway is remote; Istio will not program it").Render(metadata.Generation, before.Conditions));
            return new GatewayApiStatus(Kinds.KubernetesGateway, metadata.Namespace, metadata.Name, status);
        }
        var servers = draft.Listeners.Concat(draft.Sets.SelectMany(set => set.Listeners).Where(listener => listener.IsValid))
            .Select(listener => listener.Server);
        var places = ServicePlaces.Find(world.Registry, metadata.Namespace, draft.Services, servers);
        var conditions = Good("Resource programmed").With(ResolvedRefs, ResolvedRefs, "All references resolved");
        Judge(draft, conditions);
        SetProgrammed(conditions, draft.Services, places);
        Addresses(status, draft, places, before);
        status.Conditions.Add(conditions.Render(metadata.Generation, before.Conditions));
        status.Listeners.Add(draft.Listeners.Select(listener => listener.Render(metadata.Generation, before.Listeners)));
        if (draft.Sets.Count(set => set.Refused is null && set.Listeners.Exists(listener => listener.IsValid)) is var attached and > 0)
            status.AttachedListenerSets = attached;
        return new GatewayApiStatus(Kinds.KubernetesGateway, metadata.Namespace, metadata.Name, status);
    }

    public GatewayApiStatus Of(ListenerSetDraft draft)
    {
        var (metadata, before) = (draft.Set.Metadata, draft.Set.Spec.Status ?? new ListenerSetStatus());
        var status = new ListenerSetStatus();
        var conditions = Good("Resource programmed");
        if (draft.Refused is { } refused)
        {
            conditions.Fail(Accepted, refused);
            conditions.Fail(Programmed, refused);
        }
        else
        {
            Problem? none = draft.Listeners.Count > 0 && !draft.Listeners.Exists(listener => listener.IsValid)
                ? new Problem(ListenersNotValid, "None of the ListenerSet's listeners are valid") : null;
            if (draft.Parent.Problem is { } problem)
                conditions.Fail(Accepted, problem with { Message = "Parent not accepted: " + problem.Message });
            else if (none is not null) conditions.Fail(Accepted, none);
            var services = draft.Parent.Services;
            SetProgrammed(conditions, services,
                ServicePlaces.Find(world.Registry, draft.Parent.Gateway.Namespace, services,
                    draft.Listeners.Select(listener => listener.Server)));
            if (none is not null) conditions.Fail(Programmed, none);
            status.Listeners.Add(draft.Listeners.Select(listener => listener.Render(metadata.Generation, before.Listeners)));
        }
        status.Conditions.Add(conditions.Render(metadata.Generation, before.Conditions));
        return new GatewayApiStatus(Kinds.ListenerSet, metadata.Namespace, metadata.Name, status);
    }

    private static ConditionDrafts Good(string programmed) =>
        new ConditionDrafts().With(Accepted, Accepted, "Resource accepted").With(Programmed, Programmed, programmed);

    private void Judge(GatewayDraft draft, ConditionDrafts conditions)
    {
        var valid = draft.Listeners.Count(listener => listener.IsValid);
        if (draft.Problem is { } problem) conditions.Fail(Accepted, problem);
        else if (ParametersProblem(draft.Gateway) is { } parameters) conditions.Fail(Accepted, parameters);
        else if (draft.Listeners.Count > 0 && valid == 0)
            conditions.Fail(Accepted, new Problem(ListenersNotValid, "None of the Gateway's listeners are valid"));
        else if (valid < draft.Listeners.Count)
            conditions.Say(Accepted, ListenersNotValid, "One or more of the Gateway's listeners are invalid");
        if (AllowsAnyClient(draft.Gateway.Spec.Spec))
            conditions.With(InsecureFrontend, "ConfigurationChanged",
                "Client certificates are asked for, and connections without a valid one are served");
        if (ClientCertificateProblem(draft.Gateway) is { } certificate) conditions.Fail(ResolvedRefs, certificate);
    }

    private static bool AllowsAnyClient(GatewaySpec spec) => spec.Tls?.Frontend is { } frontend
        && frontend.PerPort.Select(entry => entry.Tls).Append(frontend.Default)
            .Any(settings => settings?.Validation?.Mode == "AllowInsecureFallback");

    private Problem? ParametersProblem(Resource<Kubernetes.Gateway.V1.Gateway> gateway)
    {
        if (gateway.Spec.Spec.Infrastructure?.ParametersRef is not { } reference) return null;
        const string reason = "InvalidParameters";
        if (reference.Group.Length > 0 || reference.Kind != "ConfigMap")
            return new Problem(reason,
                $"Unsupported parametersRef group/kind {reference.Group}/{reference.Kind}, only ConfigMap is supported");
        return world.ConfigMap(gateway.Namespace, reference.Name) is null
            ? new Problem(reason, $"parametersRef ConfigMap {gateway.Namespace}/{reference.Name} does not exist") : null;
    }

    private Problem? ClientCertificateProblem(Resource<Kubernetes.Gateway.V1.Gateway> gateway)
    {
        if (gateway.Spec.Spec.Tls?.Backend?.ClientCertificateRef is not { } reference) return null;
        var ns = reference is { HasNamespace: true, Namespace.Length: > 0 } ? reference.Namespace : gateway.Namespace;
        if (!world.Grants("Gateway", gateway.Namespace, "", "Secret", ns, reference.Name))
            return new Problem(Problem.RefNotPermitted,
                $"clientCertificateRef {reference.Name}/{ns} not accessible to a Gateway in namespace \"{gateway.Namespace}\" (missing "
                + $"a ReferenceGrant?)");
        return new ListenerTls(world).OfSecret("clientCertificateRef", InvalidClientCertificateRef, reference, ns);
    }

    private static void SetProgrammed(ConditionDrafts conditions, IReadOnlyList<string> services, ServicePlaces places)
    {
        if (places.Internal.Count > 0)
            conditions.Say(Programmed, Programmed, $"Resource programmed, assigned to service(s) {Joined(places.Internal)}");
        if (services.Count == 0)
        {
            conditions.Fail(Programmed, new Problem(Problem.UnsupportedAddress, "Failed to assign to any requested addresses"));
        }
        else if (places.Warnings.Count > 0)
        {
            var why = string.Join("; ", places.Warnings);
            conditions.Fail(Programmed, new Problem(
                places.AllUsable ? "AddressNotAssigned" : "AddressNotUsable",
                places.Internal.Count > 0
                    ? $"Assigned to service(s) {Joined(places.Internal)}, but failed to assign to all requested addresses: {why}"
                    : $"Failed to assign to any requested addresses: {why}"));
        }
    }

    // Once told, addresses stay: a gateway that is being replaced keeps its place in DNS.
    private static void Addresses(GatewayStatus status, GatewayDraft draft, ServicePlaces places, GatewayStatus before)
    {
        List<string> addresses = [.. places.External];
        if (addresses.Count == 0)
        {
            var wanted = draft.Gateway.Annotations.GetValueOrDefault("networking.istio.io/address-type", draft.Class.AddressType);
            if (wanted != "Hostname") addresses.AddRange(places.InternalAddresses);
            if (wanted != "IPAddress")
                addresses.AddRange(places.Internal.Select(place => place[..place.LastIndexOf(':')])
                    .Where(host => !places.Pending.Contains(host)).Distinct());
        }
        if (addresses.Count == 0) status.Addresses.Add(before.Addresses);
        status.Addresses.Add(addresses.Distinct()
            .Select(address => new GatewayAddress
            {
                Type = IPAddress.TryParse(address, out _) ? "IPAddress" : "Hostname",
                Value = address,
            }));
    }

    private static string Joined(IReadOnlyList<string> words) => words.Count switch
    {
        1 => words[0],
        2 => $"{words[0]} and {words[1]}",
        _ => $"{string.Join(", ", words.Take(words.Count - 1))}, and {words[^1]}",
    };
}
