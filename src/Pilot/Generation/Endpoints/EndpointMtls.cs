using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>To which endpoints mesh TLS is spoken.</summary>
internal sealed class EndpointMtls
{
    private readonly ClientTLSSettings? _byRule;
    private readonly PolicyIndex _policies;
    private readonly bool _isWaypoint;

    public EndpointMtls(EndpointInputs inputs)
    {
        var spec = inputs.Rule?.Rule.Spec;
        _byRule = TrafficPolicies.ForSubset(spec?.TrafficPolicy, TrafficPolicies.SubsetOf(spec, inputs.Subset)?.TrafficPolicy,
            inputs.Port)?.Tls;
        _policies = inputs.Policies;
        _isWaypoint = inputs.Client.IsWaypoint;
    }

    public bool Enabled(Endpoint endpoint)
    {
        if (_byRule is not null) return _byRule.Mode == ClientTLSSettings.Types.TLSmode.IstioMutual;
        if (!endpoint.AcceptsMtls) return false;
        return _isWaypoint
            || PeerAuthenticationRules.ModeFor(_policies, endpoint.Namespace, endpoint.Labels, endpoint.Port) != MtlsMode.Disable;
    }
}
