using System.Text;
using Lateen.Proxy.Http;
using Lateen.Test.Rigs.Codecs;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Http;

public sealed class HeaderMapTests
{
    [Fact]
    public void Every_known_name_is_found_and_no_other()
    {
        for (int i = 1; i < KnownHeaders.Count; i++)
        {
            var header = (KnownHeader)i;
            Assert.Equal(header, KnownHeaders.Find(KnownHeaders.Name(header)));
            byte[] other = KnownHeaders.Name(header).ToArray();
            other[^1] ^= 1;
            KnownHeader found = KnownHeaders.Find(other);
            Assert.True(found == KnownHeader.None || KnownHeaders.Name(found).SequenceEqual(other));
        }
        Assert.Equal(KnownHeader.None, KnownHeaders.Find(""u8));
        Assert.Equal(KnownHeader.None, KnownHeaders.Find("x-unheard-of"u8));
    }

    [Fact]
    public void Lines_of_a_list_are_one_and_others_stay_apart()
    {
        var map = new HeaderMap();
        map.Add("x-forwarded-for"u8, "1.1.1.1"u8);
        Assert.True(map.TryAddToken("Set-Cookie"u8, "a=1"u8));
        Assert.True(map.TryAddToken("X-Forwarded-For"u8, "2.2.2.2"u8));
        map.Add(KnownHeader.SetCookie, "b=2"u8);
        map.Add("x-other"u8, "1"u8);
        map.Add("x-other"u8, "2"u8);
        Assert.Equal("1.1.1.1,2.2.2.2", Encoding.ASCII.GetString(map[KnownHeader.XForwardedFor]));
        Assert.Equal(5, map.Count);
        int size = 0;
        for (int i = 0; i < map.End; i++)
        {
            if (map.At(i, out _, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
                size += name.Length + value.Length;
        }
        Assert.Equal(size, map.ByteSize);
    }

    [Fact]
    public void Lines_are_added_replaced_and_removed_in_place()
    {
        var map = new HeaderMap();
        Assert.True(map.TryAddToken("Content-Type"u8, "a/b"u8));
        Assert.True(map.TryAddToken("X-Two"u8, "1"u8));
        Assert.True(map.TryAddToken("x-tWO"u8, "2"u8));
        Assert.False(map.TryAddToken("x two"u8, "3"u8));
        Assert.False(map.TryAddToken(""u8, "3"u8));
        Assert.Equal("content-type=a/b\nx-two=1\nx-two=2\n", RecordedRequest.Show(map));
        Assert.Equal(3, map.Count);
        map.Set("x-two"u8, "much longer than before"u8);
        Assert.Equal("content-type=a/b\nx-two=much longer than before\n", RecordedRequest.Show(map));
        map.Set(KnownHeader.ContentType, "c"u8);
        Assert.Equal("c", Encoding.ASCII.GetString(map[KnownHeader.ContentType]));
        Assert.True(map.Remove(KnownHeader.ContentType));
        Assert.False(map.Remove(KnownHeader.ContentType));
        Assert.Equal("x-two".Length + "much longer than before".Length, map.ByteSize);
    }

    [Fact]
    public void What_was_removed_is_absent_until_it_is_added_again()
    {
        var map = new HeaderMap();
        map.Add(KnownHeader.Path, "/a"u8);
        map.Add(KnownHeader.SetCookie, "a"u8);
        map.Add(KnownHeader.SetCookie, "b"u8);
        map.Add(KnownHeader.EndUser, "me"u8);
        map.RemoveAt(map.IndexOf(KnownHeader.SetCookie, 0));
        Assert.Equal("b", Encoding.ASCII.GetString(map[KnownHeader.SetCookie]));
        map.Remove(KnownHeaderSet.Of(KnownHeader.Path, KnownHeader.EndUser, KnownHeader.Via));
        Assert.False(map.Has(KnownHeader.Path));
        Assert.True(map[KnownHeader.Path].IsEmpty);
        Assert.False(map.HasAny(KnownHeaderSet.Of(KnownHeader.EndUser, KnownHeader.Via)));
        map.Add(KnownHeader.Path, "/b"u8);
        Assert.Equal("set-cookie=b\n:path=/b\n", RecordedRequest.Show(map));
        Assert.Equal("/b", Encoding.ASCII.GetString(map[KnownHeader.Path]));
    }

    [Fact]
    public void A_value_of_the_map_can_be_copied_to_another_name_though_the_map_grows()
    {
        var map = new HeaderMap();
        map.Add("a"u8, new string('v', 700).Select(c => (byte)c).ToArray());
        Assert.True(map.TryGet("a"u8, out ReadOnlySpan<byte> value));
        map.Add(KnownHeader.XEnvoyOriginalPath, value);
        Assert.Equal(700, map[KnownHeader.XEnvoyOriginalPath].Length);
        Assert.Equal((byte)'v', map[KnownHeader.XEnvoyOriginalPath][699]);
    }
}
