namespace Lateen.Pilot.Generation.Inputs;

/// <summary>Which way traffic goes through a listener, as seen from the workload.</summary>
public enum ListenerClass
{
    /// <summary>To the application of a sidecar, or through a waypoint.</summary>
    SidecarInbound,

    /// <summary>From the application of a sidecar.</summary>
    SidecarOutbound,

    /// <summary>Through a gateway.</summary>
    Gateway,
}
