using Lateen.Api.Diagnostics;

namespace Lateen.Config.Resources;

/// <summary>The codes of the way from a text to a resource: LTN20xx.</summary>
public static class ResourceCodes
{
    public static readonly DiagnosticCode NotAnObject =
        new("LTN2001", DiagnosticLevel.Error, "the document is no object of Kubernetes' form", "write apiVersion, kind, metadata and spec");
    public static readonly DiagnosticCode NoApiVersion =
        new("LTN2002", DiagnosticLevel.Error, "apiVersion is missing", "add apiVersion, such as networking.istio.io/v1");
    public static readonly DiagnosticCode NoKind =
        new("LTN2003", DiagnosticLevel.Error, "kind is missing", "add kind, such as VirtualService");
    public static readonly DiagnosticCode NoName =
        new("LTN2004", DiagnosticLevel.Error, "metadata.name is missing", "give the object a name");
    public static readonly DiagnosticCode UnknownKind =
        new("LTN2005", DiagnosticLevel.Error, "the group has no such kind", "correct the kind or the apiVersion");
    public static readonly DiagnosticCode UnknownVersion =
        new("LTN2006", DiagnosticLevel.Error, "the kind does not exist in this version", "use one of the kind's versions");
    public static readonly DiagnosticCode NotUsed =
        new("LTN2007", DiagnosticLevel.Info, "the kind is nothing that a mesh reads; it is left alone", "nothing");
    public static readonly DiagnosticCode BadName = new("LTN2008", DiagnosticLevel.Error, "a name or namespace is not valid",
        "use lower-case letters, digits, '-' and '.', with a letter or digit at both ends");
    public static readonly DiagnosticCode BadMetadata =
        new("LTN2009", DiagnosticLevel.Error, "a part of metadata has the wrong form", "labels and annotations are texts under texts");
    public static readonly DiagnosticCode NamespaceIgnored =
        new("LTN2010", DiagnosticLevel.Warning, "the kind has no namespaces; the one given is ignored", "remove metadata.namespace");
    public static readonly DiagnosticCode SameTwice =
        new("LTN2011", DiagnosticLevel.Error, "one object is written twice", "remove one of the two");
    public static readonly DiagnosticCode NoEffect =
        new("LTN2012", DiagnosticLevel.Warning, "the kind is accepted but has no effect", "see docs/differences.md");
}
