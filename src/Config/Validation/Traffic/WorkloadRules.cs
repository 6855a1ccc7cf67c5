using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Traffic;

/// <summary>WorkloadEntry and WorkloadGroup.</summary>
internal static class WorkloadRules
{
    public static void CheckEntry(Findings f, string path, WorkloadEntry entry, bool isTemplate = false)
    {
        var address = entry.Address;
        if (address.Length == 0)
        {
            f.ErrorIf(!isTemplate && entry.Network.Length == 0, Codes.Required, path + ".address", "address must be set");
            f.WarnIf(!isTemplate && entry.Network.Length > 0, Codes.NoEffect, path + ".address",
                "workload without address: reachable through the gateway of its network only");
        }
        else if (Rules.IsUnix(address))
        {
            f.ErrorIf(Rules.UnixAddress(address), Codes.BadAddress, path + ".address");
            f.ErrorIf(entry.Ports.Count > 0, Codes.BadPort, path + ".ports", "unix endpoint must not include ports");
        }
        else
        {
            f.ErrorIf(!NameRules.IsAddress(address) && NameRules.Domain(address) is not null, Codes.BadAddress, path + ".address",
                $"endpoint address \"{address}\" is not a valid FQDN or an IP address");
        }

        foreach (var (name, number) in entry.Ports)
        {
            Rules.PortName(f, path + ".ports", name);
            Rules.Port(f, path + ".ports", number);
        }

        Rules.Labels(f, path + ".labels", entry.Labels);
    }

    public static void CheckGroup(Findings f, WorkloadGroup group)
    {
        if (group.Template is null) f.Error(Codes.Required, "spec.template", "template is required");
        else CheckEntry(f, "spec.template", group.Template, isTemplate: true);
        Rules.Labels(f, "spec.metadata.labels", group.Metadata?.Labels ?? []);
        if (group.Probe is not null) Probe(f, "spec.probe", group.Probe);
    }

    public static void Probe(Findings f, string path, ReadinessProbe probe)
    {
        Rules.NotNegative(f, path + ".initialDelaySeconds", probe.InitialDelaySeconds);
        Rules.NotNegative(f, path + ".timeoutSeconds", probe.TimeoutSeconds);
        Rules.NotNegative(f, path + ".periodSeconds", probe.PeriodSeconds);
        Rules.NotNegative(f, path + ".successThreshold", probe.SuccessThreshold);
        Rules.NotNegative(f, path + ".failureThreshold", probe.FailureThreshold);
        switch (probe.HealthCheckMethodCase)
        {
            case ReadinessProbe.HealthCheckMethodOneofCase.HttpGet:
                Rules.Port(f, path + ".httpGet.port", probe.HttpGet.Port);
                f.ErrorIf(probe.HttpGet.Scheme is not ("" or "HTTP" or "HTTPS"), Codes.Probe, path + ".httpGet.scheme",
                    "httpGet.scheme must be one of HTTPS, HTTP");
                foreach (var header in probe.HttpGet.HttpHeaders) Rules.StrictHeaderName(f, path + ".httpGet.httpHeaders", header.Name);
                break;
            case ReadinessProbe.HealthCheckMethodOneofCase.TcpSocket:
                Rules.Port(f, path + ".tcpSocket.port", probe.TcpSocket.Port);
                break;
            case ReadinessProbe.HealthCheckMethodOneofCase.Exec:
                f.ErrorIf(probe.Exec.Command.Count == 0 || probe.Exec.Command.Any(c => c.Length == 0), Codes.Probe, path + ".exec.command",
                    "exec.command is required and has no empty part");
                break;
            case ReadinessProbe.HealthCheckMethodOneofCase.Grpc:
                Rules.Port(f, path + ".grpc.port", probe.Grpc.Port);
                break;
            default:
                f.Error(Codes.Probe, path, "a probe needs httpGet, tcpSocket, exec or grpc");
                break;
        }
    }
}
