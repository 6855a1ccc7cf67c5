namespace Lateen.Proxy.Net.Memory;

/// <summary>An address of a <see cref="MemoryHost"/> that can be listened on. Nothing is taken: a host has one thread, and who asked
/// listens before anybody else can.</summary>
internal sealed class MemoryBound : BoundSocket
{
    public MemoryBound(MemoryHost host, in ListenOptions options)
    {
        host.CheckFree(options);
        Address = options.Address.IsIp && options.Address.Port == 0 ? options.Address.WithPort(host.NextPort()) : options.Address;
        IsShared = !options.ReusePort;
    }

    /// <inheritdoc/>
    public override Address Address { get; }

    /// <inheritdoc/>
    public override bool IsShared { get; }

    /// <inheritdoc/>
    public override void Dispose()
    {
    }
}
