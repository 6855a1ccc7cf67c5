namespace Lateen.Proxy.Net;

/// <summary>When an option of a socket is set.</summary>
public enum SocketPhase : byte
{
    /// <summary>Before it is bound.</summary>
    BeforeBind,

    /// <summary>When it is bound.</summary>
    Bound,

    /// <summary>When it listens.</summary>
    Listening,
}

/// <summary>An option of a socket by its numbers, for which there is no word of our own (setsockopt(2)).</summary>
/// <param name="Level">The protocol's number, such as SOL_SOCKET.</param>
/// <param name="Name">The option's number.</param>
/// <param name="Value">Its bytes: an int in the host's order, or what the option takes.</param>
/// <param name="Phase">When it is set.</param>
public sealed record SocketOption(int Level, int Name, ReadOnlyMemory<byte> Value, SocketPhase Phase)
{
    /// <inheritdoc/>
    public bool Equals(SocketOption? other) => other is not null && Level == other.Level && Name == other.Name && Phase == other.Phase
        && Value.Span.SequenceEqual(other.Value.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Level, Name, Phase);
}
