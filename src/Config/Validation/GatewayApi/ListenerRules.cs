using Kubernetes.Gateway.V1;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.GatewayApi;

/// <summary>Gateways and their listeners.</summary>
internal static class ListenerRules
{
    public static void Check(Findings f, GatewaySpec spec)
    {
        f.ErrorIf(spec.GatewayClassName.Length == 0, Codes.Required, "spec.gatewayClassName", "gatewayClassName is required");
        Listeners(f, spec.Listeners);
        Addresses(f, spec.Addresses);
        Infrastructure(f, spec.Infrastructure);
        if (spec.Tls?.Frontend is { } frontend)
        {
            const string Path = "spec.tls.frontend";
            f.ErrorIf(frontend.Default is null, Codes.Required, Path, "default is required");
            f.ErrorIf(frontend.PerPort.GroupBy(p => p.Port).Any(g => g.Count() > 1), Codes.Duplicate, Path + ".perPort",
                "Port for TLS configuration must be unique within the Gateway");
            var validations = frontend.PerPort.Select(p => p.Tls?.Validation).Append(frontend.Default?.Validation);
            f.ErrorIf(validations.Any(v => v is { CaCertificateRefs.Count: 0 }), Codes.Required, Path, "caCertificateRefs is required");
        }
    }

    public static void Listeners(Findings f, IReadOnlyList<Listener> listeners)
    {
        f.ErrorIf(listeners.Count is 0 or > 64, Codes.Required, "spec.listeners", "1 to 64 listeners are needed");
        var (names, sockets) = (new HashSet<string>(), new HashSet<(int Port, string Protocol, string? Host)>());
        for (var i = 0; i < listeners.Count; i++)
        {
            var (listener, path) = (listeners[i], $"spec.listeners[{i}]");
            f.ErrorIf(!ApiNames.IsSectionName(listener.Name), Codes.Listener, path + ".name",
                $"\"{listener.Name}\" is not a valid listener name");
            f.ErrorIf(!names.Add(listener.Name), Codes.Duplicate, path + ".name", "Listener name must be unique within the Gateway");
            Rules.Port(f, path + ".port", listener.Port);
            f.ErrorIf(listener.Protocol.Length == 0, Codes.Required, path + ".protocol", "protocol is required");
            f.ErrorIf(!sockets.Add((listener.Port, listener.Protocol, listener.HasHostname ? listener.Hostname : null)), Codes.Duplicate,
                path, "Combination of port, protocol and hostname must be unique for each listener");
            var host = listener.Hostname;
            f.ErrorIf(host.Length > 0 && listener.Protocol is "TCP" or "UDP" && host.Length > 0, Codes.Listener, path + ".hostname",
                "hostname must not be specified for protocols ['TCP', 'UDP']");
            f.ErrorIf(host.Length > 0 && !ApiNames.IsHostname(host), Codes.BadHost, path + ".hostname",
                $"\"{host}\" is not a valid hostname");
            Tls(f, path + ".tls", listener);
        }
    }

    private static void Tls(Findings f, string path, Listener listener)
    {
        var tls = listener.Tls;
        switch (listener.Protocol)
        {
            case "HTTP" or "TCP" or "UDP":
                f.ErrorIf(tls is not null, Codes.Listener, path, "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']");
                break;
            case "HTTPS":
                f.ErrorIf(tls is not null && tls.Mode is not ("" or "Terminate"), Codes.Listener, path + ".mode",
                    "tls mode must be Terminate for protocol HTTPS");
                break;
            case "TLS":
                // The schema's own default makes a written tls terminate.
                f.ErrorIf(tls is null, Codes.Listener, path, "tls mode must be set for protocol TLS");
                break;
        }

        if (tls is not null)
        {
            var mode = tls.Mode.Length == 0 ? "Terminate" : tls.Mode;
            f.ErrorIf(mode is not ("Terminate" or "Passthrough"), Codes.Listener, path + ".mode",
                $"\"{mode}\" is neither Terminate nor Passthrough");
            f.ErrorIf(mode == "Terminate" && tls.CertificateRefs.Count == 0 && tls.Options.Count == 0, Codes.Listener, path,
                "certificateRefs or options must be specified when mode is Terminate");
            f.ErrorIf(tls.CertificateRefs.Any(r => r.Name.Length == 0), Codes.Reference, path + ".certificateRefs", "name is required");
        }
    }

    private static void Addresses(Findings f, IReadOnlyList<GatewayAddress> addresses)
    {
        f.ErrorIf(addresses.Count > 16, Codes.OutOfRange, "spec.addresses", "more than 16 addresses");
        var seen = new HashSet<(string Type, string Value)>();
        foreach (var address in addresses)
        {
            var type = address.HasType ? address.Type : "IPAddress";
            f.ErrorIf(type is "IPAddress" or "Hostname" && address.Value.Length > 0 && !seen.Add((type, address.Value)), Codes.Duplicate,
                "spec.addresses", $"{type} values must be unique");
            f.ErrorIf(type == "Hostname" && address.Value.Length > 0 && !ApiNames.IsHostname(address.Value), Codes.BadHost,
                "spec.addresses", "Hostname value must be empty or contain only valid characters");
            f.ErrorIf(type == "IPAddress" && address.Value.Length > 0 && !Lateen.Api.Names.NameRules.IsAddress(address.Value),
                Codes.BadAddress, "spec.addresses", $"\"{address.Value}\" is not a valid IP address");
        }
    }

    private static void Infrastructure(Findings f, GatewayInfrastructure? infrastructure)
    {
        if (infrastructure is null) return;
        const string Path = "spec.infrastructure";
        f.ErrorIf(infrastructure.Labels.Count > 8, Codes.OutOfRange, Path + ".labels", "must have at most 8 items");
        f.ErrorIf(infrastructure.Annotations.Count > 16, Codes.OutOfRange, Path + ".annotations", "must have at most 16 items");
        f.ErrorIf(infrastructure.Labels.Keys.Any(k => !ApiNames.IsMetadataKey(k)), Codes.BadLabel, Path + ".labels",
            "Label keys must be in the form of an optional DNS subdomain prefix followed by a required name segment");
        f.ErrorIf(infrastructure.Annotations.Keys.Any(k => !ApiNames.IsMetadataKey(k)), Codes.BadLabel, Path + ".annotations",
            "Annotation keys must be in the form of an optional DNS subdomain prefix followed by a required name segment");
        f.ErrorIf(infrastructure.Labels.Values.Any(v => !ApiNames.IsMetadataValue(v)), Codes.BadLabel, Path + ".labels",
            "a label value is not valid");
    }
}
