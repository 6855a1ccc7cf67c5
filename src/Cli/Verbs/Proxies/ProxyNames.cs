using Lateen.Api.Diagnostics;
using Lateen.Cli.Printing;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Proxies;

/// <summary>Finds a proxy by what a person calls it: its name, its workload's name, or the beginning of either.</summary>
internal static class ProxyNames
{
    /// <summary>The one proxy meant; of several replicas the first.</summary>
    /// <exception cref="CommandException">None is meant, or proxies of several workloads.</exception>
    public static ProxyRow One(ProxyList list, string said, Terminal terminal)
    {
        ProxyRow[] matching = [.. list.Items.Where(row => row.Name == said || Workload(row.Name) == said)];
        if (matching.Length == 0)
            matching = [.. list.Items.Where(row => row.Name.StartsWith(said + "-", StringComparison.Ordinal)
                || row.Name.StartsWith(said + ".", StringComparison.Ordinal))];
        if (matching.Length > 1) terminal.Remark($"{matching.Length} proxies are meant by {said}; {matching[0].Name} answers", Tone.Faint);
        return matching.Length > 0 ? matching[0] : throw Unknown(list, said);
    }

    private static CommandException Unknown(ProxyList list, string said)
    {
        string? nearest = Suggestions.Nearest(said, list.Items.Select(row => Workload(row.Name)).Distinct());
        string connected = list.Items.Count == 0
            ? "No proxy is connected." : $"Connected are {string.Join(", ", list.Items.Take(10).Select(row => row.Name))}.";
        return new($"no connected proxy is called {said}", nearest is null ? connected : $"Did you mean {nearest}? {connected}");
    }

    // productpage-v1-5b9c7d-x2x4.default: the namespace goes; the rest is the pod.
    private static string Workload(string name) => name.Split('.')[0];
}
