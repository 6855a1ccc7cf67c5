// Dns: the resolver of a workload. Names of the mesh are answered from the table that the control plane sends (NDS), everything else is
// asked of the machine's own resolvers. Answers are Istio's: 30 seconds to live, no error and no record where the name is known and the
// type is not, SERVFAIL while no table has come.
//
// Never here: a cache of what others answered; a search domain of our own (the application's resolver has its own and asks for each).
using System.Collections.Frozen;
using System.Net;
using Istio.Networking.Nds.V1;

namespace Lateen.Agent.Dns;

/// <summary>Which addresses a name has; replaced as a whole.</summary>
public sealed class DnsTable
{
    private FrozenDictionary<string, IPAddress[]>? _names;

    /// <summary>False until the first table has come.</summary>
    public bool IsReady => Volatile.Read(ref _names) is not null;

    /// <summary>Takes a table.</summary>
    /// <param name="table">Names by host.</param>
    /// <param name="ownNamespace">Namespace whose services need not be named with it.</param>
    /// <param name="clusterDomain">Domain of the cluster; services of others have no short names here.</param>
    public void Replace(NameTable table, string ownNamespace, string clusterDomain = "cluster.local")
    {
        var names = new Dictionary<string, IPAddress[]>(StringComparer.OrdinalIgnoreCase);
        // Kubernetes' own last: its services hide entries of the same name.
        foreach ((string host, NameTable.Types.NameInfo entry) in table.Table.OrderBy(pair => pair.Value.Registry == "Kubernetes"))
        {
            IPAddress[] addresses = [.. entry.Ips.Select(text => IPAddress.TryParse(text, out IPAddress? address) ? address : null)
                .OfType<IPAddress>()];
            foreach (string name in NamesOf(host, entry, ownNamespace, clusterDomain)) names[name.TrimEnd('.')] = addresses;
        }
        Volatile.Write(ref _names, names.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase));
    }

    /// <summary>All names of an entry. Services of Kubernetes in the own cluster have short ones, too; without a namespace only where it is
    /// the own one.</summary>
    public static IEnumerable<string> NamesOf(string host, NameTable.Types.NameInfo entry, string ownNamespace, string clusterDomain)
    {
        yield return host;
        foreach (string other in entry.AltHosts) yield return other;
        if (entry.Registry != "Kubernetes" || entry.Shortname.Length == 0
            || !host.EndsWith(".svc." + clusterDomain, StringComparison.OrdinalIgnoreCase)) yield break;
        if (entry.Namespace == ownNamespace) yield return entry.Shortname;
        yield return $"{entry.Shortname}.{entry.Namespace}";
        yield return $"{entry.Shortname}.{entry.Namespace}.svc";
    }

    /// <summary>The addresses of a name, without its last dot; null where the name is not known.</summary>
    public IPAddress[]? Find(string name)
    {
        if (Volatile.Read(ref _names) is not { } names) return null;
        if (names.TryGetValue(name, out IPAddress[]? found)) return found;
        // *.example.com stands for every name below example.com; the longest such entry wins.
        for (int dot = name.IndexOf('.'); dot >= 0; dot = name.IndexOf('.', dot + 1))
            if (names.TryGetValue("*" + name[dot..], out found)) return found;
        return null;
    }
}
