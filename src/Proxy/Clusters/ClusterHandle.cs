namespace Lateen.Proxy.Clusters;
public sealed class ClusterHandle { public string Name = ""; }
