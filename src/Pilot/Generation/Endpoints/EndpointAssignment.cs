using System.Globalization;
using Envoy.Config.Core.V3;
using Envoy.Config.Endpoint.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using Endpoint = Lateen.Registry.Endpoint;
using Locality = Lateen.Registry.Locality;
using WireLocality = Envoy.Config.Core.V3.Locality;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>Endpoints of one locality on the wire, beside those they were made of.</summary>
internal sealed class LocalityGroup(Locality locality)
{
    public Locality Locality { get; } = locality;

    public uint Priority { get; set; }

    public uint? Weight { get; set; }

    public List<(Endpoint Source, LbEndpoint Wire)> Members { get; } = [];

    public void SumWeights()
    {
        ulong sum = 0;
        foreach (var (_, wire) in Members) sum += wire.LoadBalancingWeight ?? 0;
        Weight = (uint)Math.Min(sum, uint.MaxValue);
    }

    public LocalityLbEndpoints ToWire()
    {
        var wire = new LocalityLbEndpoints
        {
            Locality = new WireLocality { Region = Locality.Region ?? "", Zone = Locality.Zone ?? "", SubZone = Locality.Subzone ?? "" },
            Priority = Priority,
            LoadBalancingWeight = Weight,
        };
        foreach (var (_, endpoint) in Members) wire.LbEndpoints.Add(endpoint);
        return wire;
    }
}

/// <summary>Builds the load assignment of a cluster.</summary>
internal static class EndpointAssignment
{
    /// <summary>The EDS answer for a cluster; without localities when nothing serves it.</summary>
    public static ClusterLoadAssignment Build(EndpointInputs inputs)
    {
        var assignment = new ClusterLoadAssignment { ClusterName = inputs.ClusterName };
        if (inputs.Service.PortByNumber(inputs.Port) is null || IsDns(inputs.Service)) return assignment;
        var groups = Groups(inputs, skipNames: true);
        var rule = inputs.Rule?.Rule.Spec;
        var policy = TrafficPolicies.WithDefaults(
            TrafficPolicies.ForSubset(rule?.TrafficPolicy, TrafficPolicies.SubsetOf(rule, inputs.Subset)?.TrafficPolicy, inputs.Port),
            inputs.Settings.Mesh.DefaultTrafficPolicy);
        var preference = LocalityPreference.Of(inputs.Settings.Mesh, policy?.LoadBalancer, inputs.Service, inputs.Client.KnowsItself);
        groups = LocalityPriorities.Apply(groups, inputs.Client, preference, policy?.OutlierDetection is not null);
        foreach (var group in groups) assignment.Endpoints.Add(group.ToWire());
        return assignment;
    }

    /// <summary>Endpoints by locality, filtered for the client; those of other networks replaced by gateways.</summary>
    /// <param name="inputs">Inputs.</param>
    /// <param name="skipNames">EDS can't carry DNS names.</param>
    public static List<LocalityGroup> Groups(EndpointInputs inputs, bool skipNames)
    {
        var port = inputs.Service.PortByNumber(inputs.Port);
        if (port is null) return [];
        var labels = TrafficPolicies.SubsetOf(inputs.Rule?.Rule.Spec, inputs.Subset)?.Labels;
        var view = EndpointVisibility.For(inputs);
        var (mtls, metadata) = (new EndpointMtls(inputs), new EndpointMetadata());
        var groups = new SortedDictionary<string, LocalityGroup>(StringComparer.Ordinal);
        foreach (var endpoint in inputs.Endpoints.All)
        {
            if (endpoint.PortName != port.Name || !view.Includes(endpoint)) continue;
            if (labels is not null && !HasLabels(endpoint, labels)) continue;
            if (skipNames && endpoint.Address.Length > 0 && endpoint.Port != 0 && !System.Net.IPAddress.TryParse(endpoint.Address, out _))
                continue;
            var key = endpoint.Locality.ToString();
            if (!groups.TryGetValue(key, out var group)) groups.Add(key, group = new LocalityGroup(endpoint.Locality));
            group.Members.Add((endpoint, WireEndpoints.Make(inputs, endpoint, mtls.Enabled(endpoint), metadata)));
        }
        var list = groups.Values.ToList();
        foreach (var group in list) group.SumWeights();
        list = NetworkGateways.Replace(list, inputs.Client);
        return inputs.IsSni ? OnlyMtls(list) : list;
    }

    public static bool IsDns(Service service) =>
        service.Resolution is ServiceResolution.Dns or ServiceResolution.DnsRoundRobin or ServiceResolution.DynamicDns;

    private static bool HasLabels(Endpoint endpoint, IDictionary<string, string> labels)
    {
        foreach (var (key, value) in labels)
        {
            if (!endpoint.Labels.TryGetValue(key, out var actual) || actual != value) return false;
        }
        return true;
    }

    private static List<LocalityGroup> OnlyMtls(List<LocalityGroup> groups)
    {
        var kept = new List<LocalityGroup>(groups.Count);
        foreach (var group in groups)
        {
            var own = new LocalityGroup(group.Locality) { Priority = group.Priority };
            own.Members.AddRange(group.Members.Where(member => WireEndpoints.TakesMtls(member.Wire)));
            if (own.Members.Count > 0) own.SumWeights();
            kept.Add(own);
        }
        return kept;
    }
}
