using Kubernetes.Gateway.V1;
using Kubernetes.Gateway.X;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.GatewayApi;

/// <summary>BackendTLSPolicy and XBackendTrafficPolicy.</summary>
internal static class BackendPolicyRules
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    public static void Tls(Findings f, BackendTLSPolicySpec spec)
    {
        const string Targets = "spec.targetRefs";
        f.ErrorIf(spec.TargetRefs.Count is 0 or > 16, Codes.Required, Targets, "1 to 16 targets are needed");
        f.ErrorIf(spec.TargetRefs.Any(t => t.Kind.Length == 0 || t.Name.Length == 0), Codes.Reference, Targets,
            "kind and name are required");
        foreach (var same in spec.TargetRefs.GroupBy(t => (t.Group, t.Kind, t.Name)).Where(g => g.Count() > 1))
        {
            var sections = same.Select(t => t.SectionName).ToArray();
            f.ErrorIf(sections.Any(s => s.Length == 0) && sections.Any(s => s.Length > 0), Codes.Reference, Targets,
                "sectionName must be specified when targetRefs includes 2 or more references to the same target");
            f.ErrorIf(sections.Distinct().Count() < sections.Length, Codes.Reference, Targets,
                "sectionName must be unique when targetRefs includes 2 or more references to the same target");
        }

        f.ErrorIf(spec.Validation is null, Codes.Required, "spec.validation", "validation is required");
        if (spec.Validation is { } validation) Validation(f, "spec.validation", validation);
    }

    private static void Validation(Findings f, string path, BackendTLSPolicyValidation validation)
    {
        var (refs, known) = (validation.CaCertificateRefs.Count > 0, validation.WellKnownCaCertificates.Length > 0);
        f.ErrorIf(refs && known, Codes.Exclusive, path, "must not contain both CACertificateRefs and WellKnownCACertificates");
        f.ErrorIf(!refs && !known, Codes.Required, path, "must specify either CACertificateRefs or WellKnownCACertificates");
        f.ErrorIf(known && !ApiNames.IsWellKnownAuthority(validation.WellKnownCaCertificates), Codes.Policy,
            path + ".wellKnownCACertificates", "must be System, or an implementation's domain/name");
        f.ErrorIf(validation.CaCertificateRefs.Count > 8, Codes.OutOfRange, path + ".caCertificateRefs", "must have at most 8 items");
        f.ErrorIf(validation.CaCertificateRefs.Any(r => r.Name.Length == 0 || r.Kind.Length == 0), Codes.Reference,
            path + ".caCertificateRefs", "kind and name are required");
        f.ErrorIf(!ApiNames.IsPreciseHostname(validation.Hostname), Codes.BadHost, path + ".hostname",
            $"\"{validation.Hostname}\" is not a valid hostname");
        f.ErrorIf(validation.SubjectAltNames.Count > 5, Codes.OutOfRange, path + ".subjectAltNames", "must have at most 5 items");
        foreach (var name in validation.SubjectAltNames) SubjectAltName(f, path + ".subjectAltNames", name);
    }

    private static void SubjectAltName(Findings f, string path, BackendTLSPolicyValidation.Types.SubjectAltName name)
    {
        f.ErrorIf(name.Type is not ("Hostname" or "URI"), Codes.Policy, path, "type is Hostname or URI");
        f.ErrorIf(name.Type == "Hostname" && name.Hostname.Length == 0, Codes.Policy, path,
            "SubjectAltName element must contain Hostname, if Type is set to Hostname");
        f.ErrorIf(name.Type != "Hostname" && name.Hostname.Length > 0, Codes.Policy, path,
            "SubjectAltName element must not contain Hostname, if Type is not set to Hostname");
        f.ErrorIf(name.Type == "URI" && name.Uri.Length == 0, Codes.Policy, path,
            "SubjectAltName element must contain URI, if Type is set to URI");
        f.ErrorIf(name.Type != "URI" && name.Uri.Length > 0, Codes.Policy, path,
            "SubjectAltName element must not contain URI, if Type is not set to URI");
        f.ErrorIf(name.Hostname.Length > 0 && !ApiNames.IsHostname(name.Hostname), Codes.BadHost, path,
            $"\"{name.Hostname}\" is not a valid hostname");
        f.ErrorIf(name.Uri.Length > 0 && !ApiNames.IsUri(name.Uri), Codes.Policy, path, $"\"{name.Uri}\" is not a valid URI");
    }

    public static void Traffic(Findings f, XBackendTrafficPolicySpec spec)
    {
        f.ErrorIf(spec.TargetRefs.Count is 0 or > 16, Codes.Required, "spec.targetRefs", "1 to 16 targets are needed");
        RouteParts.SessionPersistence(f, "spec.sessionPersistence", spec.SessionPersistence);
        const string Path = "spec.retryConstraint";
        if (spec.RetryConstraint?.Budget is { } budget)
        {
            f.ErrorIf(budget.HasPercent && budget.Percent is < 0 or > 100, Codes.BadPercent, Path + ".budget.percent",
                "percent must be from 0 to 100");
            f.ErrorIf(budget.HasInterval
                && (!ApiNames.TryDuration(budget.Interval, out var interval) || interval < TimeSpan.FromSeconds(1) || interval > Hour),
                Codes.BadDuration, Path + ".budget.interval",
                "interval cannot be greater than one hour or less than one second");
        }

        if (spec.RetryConstraint?.MinRetryRate is { } rate)
        {
            f.ErrorIf(rate.HasCount && rate.Count is < 1 or > 1_000_000, Codes.OutOfRange, Path + ".minRetryRate.count",
                "count must be from 1 to 1000000");
            f.ErrorIf(rate.HasInterval
                && (!ApiNames.TryDuration(rate.Interval, out var interval) || interval == TimeSpan.Zero || interval > Hour),
                Codes.BadDuration, Path + ".minRetryRate.interval",
                "interval cannot be greater than one hour");
        }
    }
}
