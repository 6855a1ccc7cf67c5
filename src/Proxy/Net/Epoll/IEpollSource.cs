namespace Lateen.Proxy.Net.Epoll;

/// <summary>Something with a descriptor in the epoll set: a connection, a listening or a datagram socket.</summary>
internal interface IEpollSource
{
    /// <summary>The descriptor; -1 once closed. The loop sets it.</summary>
    int Descriptor { get; set; }

    /// <summary>True while it waits in the loop's list of those that have more to read than one turn allows. The loop sets it.</summary>
    bool IsReady { get; set; }

    /// <summary>Readiness, as epoll tells it.</summary>
    void OnEvents(uint events);

    /// <summary>Its share of the next turn has come: go on reading.</summary>
    void OnReady();

    /// <summary>A defect of ours was met while it was served: end it at once.</summary>
    void Abandon();
}
