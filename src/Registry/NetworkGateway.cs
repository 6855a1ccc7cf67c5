namespace Lateen.Registry;

/// <summary>An address at which a network can be entered from others.</summary>
/// <param name="Network">Network behind it.</param>
/// <param name="ClusterId">Cluster of the gateway; empty when it stands for all clusters of the network.</param>
/// <param name="Address">IP address or DNS name.</param>
/// <param name="Port">mTLS port (15443 unless said otherwise).</param>
/// <param name="HbonePort">Port of the double tunnel, 0 when there is none.</param>
public sealed record NetworkGateway(string Network, string ClusterId, string Address, int Port, int HbonePort = 0);
