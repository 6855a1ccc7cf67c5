using System.Globalization;
using System.Text.Json.Nodes;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Gateways;

/// <summary>Ports of a gateway's service: that of its health, then one for each port of its listeners.</summary>
internal static class ServicePorts
{
    private const int NameMax = 63;

    /// <summary>The ports in the words of templates.</summary>
    public static List<object?> Of(IEnumerable<JsonObject> listeners, bool hasQuic)
    {
        List<object?> ports = [Port("status-port", 15021, "TCP", "tcp")];
        var (numbers, names) = (new HashSet<int>(), new HashSet<string>(StringComparer.Ordinal) { "status-port" });
        var place = 0;
        foreach (var listener in listeners)
        {
            var number = int.Parse(listener.Word("port") ?? "0", CultureInfo.InvariantCulture);
            var protocol = (listener.Word("protocol") ?? "").ToLowerInvariant();
            var index = place++;
            if (!numbers.Add(number)) continue;
            var name = NameOf(listener.Word("name") is { Length: > 0 } named
                ? named : string.Create(CultureInfo.InvariantCulture, $"{protocol}-{index}"), number, names);
            ports.Add(Port(name, number, "TCP", protocol));
            if (hasQuic && protocol == "https") ports.Add(Port(Cut(name, "-quic"), number, "UDP", protocol));
        }
        return ports;
    }

    // Names of listeners may be longer than those of ports, and have dots.
    private static string NameOf(string listener, int number, HashSet<string> taken)
    {
        var name = Cut(listener.Replace('.', '-'), "");
        if (taken.Add(name)) return name;
        name = Cut(name, string.Create(CultureInfo.InvariantCulture, $"-{number}"));
        taken.Add(name);
        return name;
    }

    private static string Cut(string name, string suffix) =>
        (name.Length + suffix.Length > NameMax ? name[..(NameMax - suffix.Length)] : name) + suffix;

    private static Dictionary<string, object?> Port(string name, int number, string protocol, string appProtocol) =>
        new(StringComparer.Ordinal) { ["Name"] = name, ["Port"] = (long)number, ["Protocol"] = protocol, ["AppProtocol"] = appProtocol };
}
