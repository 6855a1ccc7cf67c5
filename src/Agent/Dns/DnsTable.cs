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

    /// <summary>Takes a table. Services of Kubernetes have short names too; without a namespace only where it is <paramref name="ownNamespace"/>.</summary>
    public void Replace(NameTable table, string ownNamespace)
    {
        var names = new Dictionary<string, IPAddress[]>(StringComparer.OrdinalIgnoreCase);
        // Kubernetes' own last: its services hide entries of the same name.
        foreach ((string host, NameTable.Types.NameInfo entry) in table.Table.OrderBy(pair => pair.Value.Registry == "Kubernetes"))
        {
            IPAddress[] addresses = [.. entry.Ips.Select(text => IPAddress.TryParse(text, out IPAddress? address) ? address : null).OfType<IPAddress>()];
            names[host] = addresses;
            foreach (string other in entry.AltHosts) names[other] = addresses;
            if (entry.Registry != "Kubernetes" || entry.Shortname.Length == 0) continue;
            if (entry.Namespace == ownNamespace) names[entry.Shortname] = addresses;
            names[$"{entry.Shortname}.{entry.Namespace}"] = addresses;
            names[$"{entry.Shortname}.{entry.Namespace}.svc"] = addresses;
        }
        Volatile.Write(ref _names, names.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase));
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
