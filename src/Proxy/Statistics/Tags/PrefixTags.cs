namespace Lateen.Proxy.Statistics.Tags;

/// <summary>What the tags of all names with a prefix have in common: most extractors have decided when they have seen the prefix, and a
/// proxy has fifty names to each.</summary>
/// <param name="Tags">Found in the prefix.</param>
/// <param name="Extracted">The prefix without them.</param>
/// <param name="Open">Extractors whose answer depends on what follows the prefix.</param>
internal sealed record PrefixTags(IReadOnlyList<(string Tag, string Value)> Tags, string Extracted, IReadOnlyList<TagExtractor> Open)
{
    /// <summary>True where a name has no other tags than its prefix.</summary>
    public bool Covers(string name)
    {
        foreach (TagExtractor extractor in Open)
        {
            if (extractor.Find(name, out _, out _))
                return false;
        }
        return true;
    }
}
