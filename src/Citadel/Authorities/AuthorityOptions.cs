using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;

namespace Lateen.Citadel.Authorities;

/// <summary>Bounds of an authority; the defaults are Istio's.</summary>
public sealed record AuthorityOptions
{
    /// <summary>How long a workload's certificate is good when it does not say (DEFAULT_WORKLOAD_CERT_TTL).</summary>
    public TimeSpan WorkloadLife { get; init; } = TimeSpan.FromHours(24);

    /// <summary>The longest that it may ask for (MAX_WORKLOAD_CERT_TTL).</summary>
    public TimeSpan WorkloadLifeMax { get; init; } = TimeSpan.FromDays(90);

    /// <summary>How long a self-signed root is good (CITADEL_SELF_SIGNED_CA_CERT_TTL).</summary>
    public TimeSpan RootLife { get; init; } = TimeSpan.FromDays(3650);

    /// <summary>How often is looked whether the root must be rotated (CITADEL_SELF_SIGNED_ROOT_CERT_CHECK_INTERVAL).</summary>
    public TimeSpan RootCheck { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Percent of a root's life that is left when it is rotated (CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE).</summary>
    public int RootGracePercent { get; init; } = 20;

    /// <summary>Bits of RSA keys that are made here (CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE).</summary>
    public int KeyBits { get; init; } = 2048;

    /// <summary>Reads the settings that istiod takes from its environment; what can't be read keeps its default.</summary>
    public static AuthorityOptions From(IReadOnlyDictionary<string, string> environment)
    {
        var preset = new AuthorityOptions();
        TimeSpan Span(string name, TimeSpan otherwise) =>
            environment.TryGetValue(name, out string? text) && Durations.TryParse(text, out Duration? span) && span.Seconds > 0
                ? span.ToTimeSpan() : otherwise;
        int Number(string name, int otherwise, int least) =>
            environment.TryGetValue(name, out string? text) && int.TryParse(text, out int number) && number >= least ? number : otherwise;
        return new AuthorityOptions
        {
            WorkloadLife = Span("DEFAULT_WORKLOAD_CERT_TTL", preset.WorkloadLife),
            WorkloadLifeMax = Span("MAX_WORKLOAD_CERT_TTL", preset.WorkloadLifeMax),
            RootLife = Span("CITADEL_SELF_SIGNED_CA_CERT_TTL", preset.RootLife),
            RootCheck = Span("CITADEL_SELF_SIGNED_ROOT_CERT_CHECK_INTERVAL", preset.RootCheck),
            RootGracePercent = Math.Min(99, Number("CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE", preset.RootGracePercent, 1)),
            KeyBits = Number("CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE", preset.KeyBits, 2048),
        };
    }
}
