// Edits: changes of heads that a server beside the proxy asks for (authorizers, processors), and which of them are allowed. Values; whoever
// asks the server carries them out.
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Edits;

/// <summary>How a header is changed.</summary>
public enum HeaderEditAction : byte
{
    /// <summary>The only line of its name.</summary>
    Set,

    /// <summary>One more line.</summary>
    Add,

    /// <summary>Joined to the line that is there; nothing where there is none.</summary>
    AppendIfPresent,

    /// <summary>Only where there is none.</summary>
    AddIfAbsent,

    /// <summary>Only where there is one.</summary>
    OverwriteIfPresent,
}

/// <summary>One change of a header.</summary>
/// <param name="Action">How.</param>
/// <param name="Name">In lower case.</param>
/// <param name="Value">The text.</param>
public readonly record struct HeaderEdit(HeaderEditAction Action, byte[] Name, byte[] Value)
{
    /// <summary>Carries it out.</summary>
    public void Apply(HeaderMap head)
    {
        bool present = head.TryGet(Name, out ReadOnlySpan<byte> before);
        switch (Action)
        {
            case HeaderEditAction.Set:
                head.Set(Name, Value);
                break;
            case HeaderEditAction.Add:
                head.Add(Name, Value);
                break;
            case HeaderEditAction.AppendIfPresent when present:
                head.Set(Name, (byte[])[.. before, (byte)',', .. Value]);
                break;
            case HeaderEditAction.AddIfAbsent when !present:
                head.Add(Name, Value);
                break;
            case HeaderEditAction.OverwriteIfPresent when present:
                head.Set(Name, Value);
                break;
        }
    }

    /// <summary>True where it could stand in a head.</summary>
    public bool IsValid => (HeaderRules.IsLowerToken(Name) || Name is [(byte)':', .. var rest] && HeaderRules.IsLowerToken(rest))
        && HeaderRules.IsValue(Value);
}
