using Lateen.Api.Diagnostics;

namespace Lateen.Config.Store;

/// <summary>The codes of storing: LTN21xx.</summary>
public static class StoreCodes
{
    public static readonly DiagnosticCode JournalUnwritable =
        new("LTN2101", DiagnosticLevel.Error, "the revision cannot be written, so the change is refused",
            "free disk space or correct the permissions of the journal's folder, then apply again");
    public static readonly DiagnosticCode JournalUnreadable = new("LTN2102", DiagnosticLevel.Error,
        "a revision in the journal's folder cannot be read", "restore the file from a copy, or move it away");
    public static readonly DiagnosticCode UnknownRevision =
        new("LTN2103", DiagnosticLevel.Error, "the journal has no such revision", "see the numbers in the history");
    public static readonly DiagnosticCode HeldOut = new("LTN2104", DiagnosticLevel.Warning,
        "the object is held out and its last good form stays in force", "correct the mistakes told beside this");
    public static readonly DiagnosticCode NotThere =
        new("LTN2105", DiagnosticLevel.Error, "the object to delete does not exist", "check kind, namespace and name");
}
