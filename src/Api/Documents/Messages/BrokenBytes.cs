using Google.Protobuf;

namespace Lateen.Api.Documents;

/// <summary>Tells whether bytes were no message.</summary>
public static class BrokenBytes
{
    /// <summary>
    /// What parsing throws for malformed bytes. Besides its own exception the library throws an InvalidOperationException where a wrapper
    /// (UInt32Value and its like) ends in the middle of a field.
    /// </summary>
    public static bool Shown(Exception thrown) => thrown is InvalidProtocolBufferException or InvalidOperationException;
}
