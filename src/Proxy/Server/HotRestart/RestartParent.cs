namespace Lateen.Proxy.Server.HotRestart;

/// <summary>The running process's side: hands its listening sockets to the one that comes, drains when that one serves, and ends when it is
/// told to.</summary>
internal sealed class RestartParent : IDisposable
{
    private readonly SequencedSocket _socket;

    private RestartParent(SequencedSocket socket, Func<List<HandedSocket>> sockets, Action drain, Action end)
    {
        _socket = socket;
        new Thread(() => Serve(sockets, drain, end), 128 * 1024) { IsBackground = true, Name = "hot-restart" }.Start();
    }

    /// <summary>Begins to wait for a child; null where the name is taken.</summary>
    public static RestartParent? Begin(string name, Func<List<HandedSocket>> sockets, Action drain, Action end) =>
        SequencedSocket.Listen(name) is { } socket ? new RestartParent(socket, sockets, drain, end) : null;

    private void Serve(Func<List<HandedSocket>> sockets, Action drain, Action end)
    {
        while (_socket.Accept() is { } child)
        {
            using (child)
            {
                while (child.Receive(out _) is { } command)
                {
                    switch (command)
                    {
                        case "sockets":
                            bool sent = sockets().TrueForAll(s => child.Send(s.Text, s.Descriptor)) && child.Send("all");
                            if (!sent)
                                break;
                            continue;
                        case "drain":
                            drain();
                            continue;
                        case "end":
                            end();
                            return;
                    }
                    break;
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();
}

/// <summary>The coming process's side.</summary>
internal sealed class RestartChild : IDisposable
{
    private readonly SequencedSocket _socket;

    private RestartChild(SequencedSocket socket) => _socket = socket;

    /// <summary>Reaches the running process; null where there is none.</summary>
    public static RestartChild? Connect(string name) => SequencedSocket.Connect(name) is { } socket ? new RestartChild(socket) : null;

    /// <summary>Its listening sockets.</summary>
    public List<HandedSocket> TakeSockets()
    {
        var taken = new List<HandedSocket>();
        if (!_socket.Send("sockets"))
            return taken;
        while (_socket.Receive(out int descriptor) is { } text && text != "all")
        {
            if (descriptor >= 0 && HandedSocket.TryRead(text, descriptor, out HandedSocket socket))
                taken.Add(socket);
        }
        return taken;
    }

    /// <summary>We serve: it shall drain.</summary>
    public void Drain() => _socket.Send("drain");

    /// <summary>Its time is over.</summary>
    public void End() => _socket.Send("end");

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();
}
