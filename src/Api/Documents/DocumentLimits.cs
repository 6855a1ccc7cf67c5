namespace Lateen.Api.Documents;

/// <summary>The bounds of reading one text. Beyond them the text is refused with LTN1003.</summary>
public sealed record DocumentLimits
{
    public static readonly DocumentLimits Default = new();

    /// <summary>Nesting; Envoy's deepest real configurations stay below 60.</summary>
    public int DepthMax { get; init; } = 128;

    /// <summary>Nodes of one document with all aliases expanded. The largest config dump seen has 600,000.</summary>
    public int NodesMax { get; init; } = 4_000_000;

    /// <summary>Characters of one text: 64 Mi.</summary>
    public int CharsMax { get; init; } = 64 * 1024 * 1024;
}
