using Lateen.Api.Diagnostics;

namespace Lateen.ControlPlane.Findings;

/// <summary>The codes of the operator's API: LTN22xx.</summary>
public static class OperatorCodes
{
    /// <summary>-n and the object's own namespace differ.</summary>
    public static readonly DiagnosticCode OtherNamespace = new("LTN2201", DiagnosticLevel.Error, "the object's namespace is not the one the command names", "leave out -n, or correct one of the two");

    /// <summary>Accepted and kept, without effect.</summary>
    public static readonly DiagnosticCode NotInEffect = new("LTN2202", DiagnosticLevel.Info, "the object is kept, but nothing in the mesh changes because of it yet", "");

    /// <summary>Two VirtualServices for one host.</summary>
    public static readonly DiagnosticCode HostTaken = new("LTN2203", DiagnosticLevel.Warning, "two VirtualServices route one host, and the older one wins", "merge the two, or remove one; for traffic through a gateway name the gateway under gateways");

    /// <summary>No proxy would take what was made of it.</summary>
    public static readonly DiagnosticCode Untenable = new("LTN2204", DiagnosticLevel.Error, "every proxy would refuse what is made of the object, so it is not sent", "correct the field that is named; what was in force before stays until then");

    /// <summary>Two DestinationRules say something different of one host.</summary>
    public static readonly DiagnosticCode RuleTaken = new("LTN2205", DiagnosticLevel.Warning, "two DestinationRules for one host say the same thing differently, and the older one counts", "say it in one of the two, or limit one to other workloads or namespaces");
}
