using Lateen.Proxy.Net;
using Lateen.Proxy.Server.HotRestart;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Net;

public sealed class SequencedSocketTests
{
    [Fact]
    public async Task Records_and_descriptors_reach_the_other_end()
    {
        string name = $"@lateen-test-{Guid.NewGuid():N}";
        using SequencedSocket listening = SequencedSocket.Listen(name)!;
        Assert.Null(SequencedSocket.Listen(name));
        Task<SequencedSocket?> accepted = Task.Run(listening.Accept);
        using SequencedSocket near = SequencedSocket.Connect(name)!;
        using SequencedSocket far = (await accepted)!;
        using var file = new FileStream(Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, 1,
            FileOptions.DeleteOnClose);
        Assert.True(near.Send("with", (int)file.SafeFileHandle.DangerousGetHandle()));
        Assert.True(near.Send("without"));
        Assert.Equal("with", far.Receive(out int descriptor));
        using (var copy = new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(descriptor, ownsHandle: true), FileAccess.Write, 1))
            copy.WriteByte(42);
        Assert.Equal("without", far.Receive(out descriptor));
        Assert.Equal(-1, descriptor);
        file.Position = 0;
        Assert.Equal(42, file.ReadByte());
        near.Dispose();
        Assert.Null(far.Receive(out _));
    }

    [Theory]
    [InlineData("0 ip 127.0.0.1 80", 0)]
    [InlineData("-1 ip ::1 443", -1)]
    [InlineData("3 unix /run/a b.sock", 3)]
    public void Sockets_are_told_in_words(string text, int worker)
    {
        Assert.True(HandedSocket.TryRead(text, 7, out HandedSocket socket));
        Assert.Equal((worker, 7, text), (socket.Worker, socket.Descriptor, socket.Text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0 ip 127.0.0.1")]
    [InlineData("x ip 127.0.0.1 80")]
    [InlineData("0 ip nowhere 80")]
    public void What_is_no_socket_is_none(string text) => Assert.False(HandedSocket.TryRead(text, 7, out _));
}
