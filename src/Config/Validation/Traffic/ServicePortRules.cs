using Kubernetes.Core.V1;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Traffic;

/// <summary>The convention that a Service's port tells its protocol, by appProtocol or by the beginning of its name.</summary>
internal static class ServicePortRules
{
    public static void Check(Findings f, Service service)
    {
        for (var i = 0; i < (service.Spec?.Ports.Count ?? 0); i++)
        {
            var (port, path) = (service.Spec!.Ports[i], $"spec.ports[{i}]");
            if (port.Protocol.Equals("udp", StringComparison.OrdinalIgnoreCase)) continue;
            var named = port.AppProtocol.Length > 0 ? port.AppProtocol : port.Name;
            f.ErrorIf(named.Length == 0, Codes.PortConvention, path, "the port has neither appProtocol nor name");
            var isKnown = Protocols.OfServicePort(0, port.Name, port.Protocol,
                port.AppProtocol.Length > 0 ? port.AppProtocol : null) != Protocol.Unsupported;
            f.ErrorIf(named.Length > 0 && !isKnown, Codes.PortConvention, path, $"\"{named}\" names no protocol");
        }
    }
}
