using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Routing;

/// <summary>What is done with an added header where the name exists (envoy.config.core.v3.HeaderValueOption.HeaderAppendAction).</summary>
public enum HeaderAppend : byte
{
    AppendOrAdd,
    AddIfAbsent,
    OverwriteOrAdd,
    OverwriteIfExists,
}

/// <summary>One header to add.</summary>
/// <param name="Name">In lower case.</param>
/// <param name="Value">Its value, perhaps with operators.</param>
/// <param name="Append">Where the name exists.</param>
/// <param name="KeepEmpty">An empty value is written, too.</param>
public sealed record HeaderAddition(string Name, TextFormat Value, HeaderAppend Append, bool KeepEmpty)
{
    /// <summary>The name's bytes.</summary>
    public byte[] NameBytes { get; } = System.Text.Encoding.Latin1.GetBytes(Name);
}

/// <summary>Changes of headers at one level: removals come before additions are evaluated (observed of Envoy 1.40).</summary>
/// <param name="Remove">Names in lower case.</param>
/// <param name="Add">In order.</param>
public sealed record HeaderMutations(IReadOnlyList<byte[]> Remove, IReadOnlyList<HeaderAddition> Add)
{
    /// <summary>No change.</summary>
    public static HeaderMutations None { get; } = new([], []);

    /// <summary>True where nothing is to be done.</summary>
    public bool IsEmpty { get; } = Remove.Count == 0 && Add.Count == 0;
}
