using Lateen.Proxy.Server.Pressure;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Server;

/// <summary>The container's memory, as files of both hierarchies tell it.</summary>
public sealed class MemoryRoomTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("lateen-room-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private void Write(string path, string text)
    {
        string file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }

    [Fact]
    public void In_a_container_its_own_group_is_the_root_of_the_mount()
    {
        Write("proc/self/cgroup", "0::/\n");
        Write("sys/fs/cgroup/memory.max", "134217728\n");
        Write("sys/fs/cgroup/memory.current", "90000000\n");
        Write("sys/fs/cgroup/memory.stat", "anon 50000000\nfile 40000000\nfile_mapped 10000000\ninactive_file 30000000\nactive_file 9000000\n");
        MemoryRoom room = MemoryRoom.OfContainer(_root)!;
        Assert.Equal(134217728, room.LimitBytes);
        // Pages of files go by themselves, but for those that are mapped.
        Assert.Equal(90000000 - 29000000, room.Used());
    }

    [Fact]
    public void The_smallest_limit_of_all_groups_above_holds()
    {
        Write("proc/self/cgroup", "0::/pods/one/proxy\n");
        Write("sys/fs/cgroup/pods/one/proxy/memory.max", "max\n");
        Write("sys/fs/cgroup/pods/one/memory.max", "1000000\n");
        Write("sys/fs/cgroup/pods/one/memory.current", "400000\n");
        Write("sys/fs/cgroup/pods/memory.max", "9000000\n");
        MemoryRoom room = MemoryRoom.OfContainer(_root)!;
        Assert.Equal((1000000, 400000), (room.LimitBytes, room.Used()));
    }

    [Fact]
    public void The_first_hierarchy_is_read_whatever_path_the_host_has_for_us()
    {
        Write("proc/self/cgroup", "9:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n");
        Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n");
        Write("sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n");
        MemoryRoom room = MemoryRoom.OfContainer(_root)!;
        Assert.Equal((268435456, 1000), (room.LimitBytes, room.Used()));
    }

    [Theory]
    [InlineData("0::/\n", "sys/fs/cgroup/memory.max", "max\n")]
    [InlineData("4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")]
    [InlineData("", "sys/fs/cgroup/memory.max", "1000\n")]
    [InlineData("0::/\n", "sys/fs/cgroup/other", "1000\n")]
    [InlineData("broken\n", "sys/fs/cgroup/memory.max", "words\n")]
    public void Without_a_limit_there_is_nothing_to_guard(string groups, string file, string text)
    {
        Write("proc/self/cgroup", groups);
        Write(file, text);
        Assert.Null(MemoryRoom.OfContainer(_root));
    }

    [Fact]
    public void What_can_no_longer_be_read_is_unknown()
    {
        Write("proc/self/cgroup", "0::/\n");
        Write("sys/fs/cgroup/memory.max", "1000\n");
        MemoryRoom room = MemoryRoom.OfContainer(_root)!;
        Assert.Null(room.Used());
    }
}
