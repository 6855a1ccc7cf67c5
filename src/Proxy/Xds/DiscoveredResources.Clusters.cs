using Envoy.Config.Endpoint.V3;
using Google.Protobuf;
using Lateen.Proxy.Clusters;
using ClusterMessage = Envoy.Config.Cluster.V3.Cluster;

namespace Lateen.Proxy.Xds;

// Chapter of DiscoveredResources: clusters and their endpoints.
internal sealed partial class DiscoveredResources
{
    /// <summary>Takes a cluster of the bootstrap.</summary>
    public void AddStatic(ClusterMessage message, Rejections rejections) => TakeCluster(message, "", isStatic: true, rejections);

    /// <summary>Whether there is a cluster of that name, warm or not.</summary>
    public bool HasCluster(string name) => _clusterEntries.ContainsKey(name);

    private List<(string, string)> TakeClusters(IReadOnlyList<IncomingResource> resources, IReadOnlyList<string> removed, bool isWhole)
    {
        var refused = new List<(string, string)>();
        var present = new HashSet<string>(StringComparer.Ordinal);
        foreach (IncomingResource resource in resources)
        {
            var rejections = new Rejections();
            if (!present.Add(resource.Name))
                rejections.Add($"duplicate cluster {resource.Name} found");
            else if (ValueTranslator.Unpack(resource.Body, ClusterMessage.Parser, rejections) is { } message)
                TakeCluster(message, resource.Version, isStatic: false, rejections);
            SayNotes(rejections);
            if (!rejections.None)
                refused.Add((resource.Name, rejections.ToString()));
        }
        IEnumerable<string> gone = isWhole
            ? _clusterEntries.Where(e => !e.Value.Static && !present.Contains(e.Key)).Select(e => e.Key) : removed;
        foreach (string name in gone.ToArray())
            RemoveCluster(name);
        return refused;
    }

    private void TakeCluster(ClusterMessage message, string version, bool isStatic, Rejections rejections)
    {
        if (_clusterEntries.TryGetValue(message.Name, out ClusterEntry? known) && known.Static != isStatic)
        {
            // A cluster of the bootstrap keeps its name for itself; Envoy ignores such an update, too.
            return;
        }
        // What has not changed keeps the version that it came with.
        if (known is not null && known.Message.Equals(message))
            return;
        Clusters.Cluster running = _clusters.Cluster(message, rejections);
        EndpointSet? own = message.LoadAssignment is null ? null
            : EndpointTranslator.Endpoints(message.LoadAssignment, running.Type is ClusterType.StrictDns or ClusterType.LogicalDns,
                rejections);
        JudgeUnknown(rejections, isStatic);
        if (!rejections.None)
            return;
        known?.Clock?.Stop();
        if (known is null)
            Stats.ClustersAdded++;
        else
            Stats.ClustersModified++;
        var entry = new ClusterEntry { Message = message, Running = running, Version = version, Static = isStatic, At = _loop.WallClock };
        string before = known?.Running is { Type: ClusterType.Eds } old ? old.ServiceName : "";
        _clusterEntries[message.Name] = entry;
        _left.Keep(message.Name);
        if (running.Type != ClusterType.Eds)
        {
            _translation.Clusters.Publish(running, own ?? EndpointSet.Empty);
        }
        else
        {
            Await(entry);
        }
        if (before.Length > 0 && before != running.ServiceName)
            ForgetEndpoints(before);
    }

    private void Await(ClusterEntry entry)
    {
        string service = entry.Running.ServiceName;
        if (_endpoints.TryGetValue(service, out (ByteString, EndpointSet Set) have))
        {
            // The endpoints are here already; Envoy would wait for them to be sent once more.
            Subscriptions?.Subscribe(entry.Message.EdsClusterConfig?.EdsConfig, ResourceTypes.Endpoints, service);
            _translation.Clusters.Publish(entry.Running, have.Set);
            return;
        }
        entry.Warming = true;
        long patience = ValueTranslator.Micros(entry.Message.EdsClusterConfig?.EdsConfig?.InitialFetchTimeout, 15_000_000);
        if (patience > 0)
        {
            entry.Clock = new Impatience(_loop, () => EndWaiting(entry, EndpointSet.Empty));
            _loop.Arm(entry.Clock, patience);
        }
        Subscriptions?.Subscribe(entry.Message.EdsClusterConfig?.EdsConfig, ResourceTypes.Endpoints, service);
    }

    private void EndWaiting(ClusterEntry entry, EndpointSet endpoints)
    {
        entry.Clock?.Stop();
        entry.Clock = null;
        entry.Warming = false;
        _translation.Clusters.Publish(entry.Running, endpoints);
        Progress?.Invoke();
    }

    private void RemoveCluster(string name)
    {
        if (!_clusterEntries.TryGetValue(name, out ClusterEntry? entry) || entry.Static)
            return;
        entry.Clock?.Stop();
        Stats.ClustersRemoved++;
        _clusterEntries.Remove(name);
        _left.Remove(name);
        if (entry.Running.Type == ClusterType.Eds)
            ForgetEndpoints(entry.Running.ServiceName);
    }

    private void ForgetEndpoints(string service)
    {
        if (_clusterEntries.Values.Any(e => e.Running.Type == ClusterType.Eds && e.Running.ServiceName == service))
            return;
        _endpoints.Remove(service);
        Subscriptions?.Unsubscribe(ResourceTypes.Endpoints, service);
    }

    // ---- Endpoints

    private List<(string, string)> TakeEndpoints(IReadOnlyList<IncomingResource> resources)
    {
        var refused = new List<(string, string)>();
        foreach (IncomingResource resource in resources)
        {
            var rejections = new Rejections();
            if (ValueTranslator.Unpack(resource.Body, ClusterLoadAssignment.Parser, rejections) is not { } message)
            {
                refused.Add((resource.Name, rejections.ToString()));
                continue;
            }
            bool same = _endpoints.TryGetValue(message.ClusterName, out (ByteString Bytes, EndpointSet Set) known)
                && known.Bytes.Equals(resource.Body.Value);
            EndpointSet set = same ? known.Set : EndpointTranslator.Endpoints(message, names: false, rejections);
            JudgeUnknown(rejections);
            SayNotes(rejections);
            if (!rejections.None)
            {
                refused.Add((resource.Name, rejections.ToString()));
                continue;
            }
            _endpoints[message.ClusterName] = (resource.Body.Value, set);
            PublishEndpoints(message.ClusterName, set, same);
        }
        return refused;
    }

    private void PublishEndpoints(string service, EndpointSet set, bool same)
    {
        foreach (ClusterEntry entry in EntriesOf(service))
        {
            if (entry.Warming)
                EndWaiting(entry, set);
            else if (!same)
                _translation.Clusters.PublishEndpoints(entry.Running.Name, set);
        }
    }

    // Nearly always the cluster of that name; a service name of its own is looked for among all.
    private IEnumerable<ClusterEntry> EntriesOf(string service)
    {
        if (_clusterEntries.TryGetValue(service, out ClusterEntry? entry) && entry.Running.Type == ClusterType.Eds
            && entry.Running.ServiceName == service)
            return [entry];
        return _clusterEntries.Values.Where(e => e.Running.Type == ClusterType.Eds && e.Running.ServiceName == service);
    }
}
