namespace Lateen.Api;

/// <summary>A bug of ours: something that cannot be has come to be. Never thrown for what a user, a peer or the environment does.</summary>
public sealed class InvariantException : Exception
{
    public InvariantException(string message)
        : base(message)
    {
    }

    public InvariantException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
