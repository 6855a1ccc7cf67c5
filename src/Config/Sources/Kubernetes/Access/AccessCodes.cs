using Lateen.Api.Diagnostics;

namespace Lateen.Config.Sources.Kubernetes.Access;

/// <summary>The codes of reaching an API server: LTN230x.</summary>
public static class AccessCodes
{
    public static readonly DiagnosticCode NoContext = new("LTN2301", DiagnosticLevel.Error,
        "the kubeconfig has no such context, cluster or user", "name one that it has with --context, or correct the file");
    public static readonly DiagnosticCode Refused = new("LTN2302", DiagnosticLevel.Error,
        "the kubeconfig asks for something that is not supported", "use a token, a client certificate or an exec plugin");
    public static readonly DiagnosticCode Unusable = new("LTN2303", DiagnosticLevel.Error,
        "a certificate, key, file or address of the kubeconfig cannot be used", "correct it in the kubeconfig");
}
