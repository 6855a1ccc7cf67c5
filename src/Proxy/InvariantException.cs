namespace Lateen.Proxy;

/// <summary>Something that our own code promises did not hold. It ends the connection on which it showed, never the process; it is
/// counted.</summary>
public sealed class InvariantException(string message) : Exception(message);
