using Lateen.Api.Diagnostics;

namespace Lateen.ControlPlane.Findings;

/// <summary>The codes of the operator's API: LTN22xx.</summary>
public static class OperatorCodes
{
    /// <summary>-n and the object's own namespace differ.</summary>
    public static readonly DiagnosticCode OtherNamespace = new("LTN2201", DiagnosticLevel.Error,
        "the object's namespace is not the one the command names", "leave out -n, or correct one of the two");

    /// <summary>Accepted and kept, without effect.</summary>
    public static readonly DiagnosticCode NotInEffect =
        new("LTN2202", DiagnosticLevel.Info, "the object is kept, but nothing in the mesh changes because of it yet", "");

    /// <summary>Two VirtualServices for one host.</summary>
    public static readonly DiagnosticCode HostTaken =
        new("LTN2203", DiagnosticLevel.Warning, "two VirtualServices route one host, and the older one wins",
            "merge the two, or remove one; for traffic through a gateway name the gateway under gateways");

    /// <summary>No proxy would take what was made of it.</summary>
    public static readonly DiagnosticCode Untenable =
        new("LTN2204", DiagnosticLevel.Error, "every proxy would refuse what is made of the object, so it is not sent",
            "correct the field that is named; what was in force before stays until then");

    /// <summary>Two DestinationRules say something different of one host.</summary>
    public static readonly DiagnosticCode RuleTaken =
        new("LTN2205", DiagnosticLevel.Warning,
            "two DestinationRules for one host say the same thing differently, and the older one counts",
            "say it in one of the two, or limit one to other workloads or namespaces");

    /// <summary>Two servers of Gateways cannot be served side by side.</summary>
    public static readonly DiagnosticCode ServerTaken =
        new("LTN2206", DiagnosticLevel.Warning, "two servers of Gateways want one port or one TLS name, and the older one gets it",
            "give the server a port or hosts of its own, or merge the two Gateways");

    /// <summary>Two declarations of one host.</summary>
    public static readonly DiagnosticCode EntryTaken = new("LTN2207", DiagnosticLevel.Warning,
        "one host is declared twice, and one of the declarations counts", "declare it once, or limit one with exportTo");

    /// <summary>Two resources of a kind of which one counts for a workload.</summary>
    public static readonly DiagnosticCode SettingTaken =
        new("LTN2208", DiagnosticLevel.Warning, "two resources of a kind are for the same workloads, and only the older one counts",
            "merge the two, or give them selectors that do not overlap");

    /// <summary>Two routes for the same requests.</summary>
    public static readonly DiagnosticCode MatchTaken = new("LTN2209", DiagnosticLevel.Warning,
        "two resources route the same requests, and the older one gets them", "remove one of the matches, or make one narrower and older");

    /// <summary>A patch undoes another.</summary>
    public static readonly DiagnosticCode PatchTaken = new("LTN2210", DiagnosticLevel.Warning, "a patch of an EnvoyFilter undoes another",
        "say it in one patch, or order the two with priority");

    /// <summary>Two entries for one address.</summary>
    public static readonly DiagnosticCode AddressTaken = new("LTN2211", DiagnosticLevel.Warning,
        "two workloads have one address, and a proxy there is taken for the older one", "remove one, or give it its own address");
}
