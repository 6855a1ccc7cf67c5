using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Grpc;
using Xunit;

namespace Lateen.Test.Unit.Api.Grpc;

public sealed class GrpcTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(1000)]
    public void Messages_come_out_whole_in_any_portions(int portion)
    {
        var texts = new[] { "", "a", new string('x', 700), "end" };
        var bytes = texts.SelectMany(t => GrpcFrame.ToArray(new StringValue { Value = t })).ToArray();
        var reader = new GrpcFrameReader(1000);
        var found = new List<string>();
        for (var at = 0; at < bytes.Length; at += portion)
        {
            ReadOnlySpan<byte> input = bytes.AsSpan(at, Math.Min(portion, bytes.Length - at));
            GrpcFrameResult result;
            do
            {
                result = reader.Read(ref input, out var message);
                if (result == GrpcFrameResult.Message) found.Add(StringValue.Parser.ParseFrom(message).Value);
            }
            while (result == GrpcFrameResult.Message && input.Length > 0);
        }

        Assert.Equal(texts, found);
        Assert.True(reader.IsAtBoundary);
    }

    [Fact]
    public void Too_large_and_compressed_are_told_from_the_prefix_alone()
    {
        ReadOnlySpan<byte> large = [0, 0x7F, 0, 0, 0];
        Assert.Equal(GrpcFrameResult.TooLarge, new GrpcFrameReader(1000).Read(ref large, out _));
        ReadOnlySpan<byte> wrapped = [0, 0xFF, 0xFF, 0xFF, 0xFF, 1];
        Assert.Equal(GrpcFrameResult.TooLarge, new GrpcFrameReader(int.MaxValue - 5).Read(ref wrapped, out _));
        ReadOnlySpan<byte> compressed = [1, 0, 0, 0, 1, 9];
        Assert.Equal(GrpcFrameResult.Compressed, new GrpcFrameReader(1000).Read(ref compressed, out _));
    }

    [Theory]
    [InlineData("plain text", "plain text")]
    [InlineData("100% é\n", "100%25 %C3%A9%0A")]
    public void Messages_are_percent_encoded(string text, string encoded)
    {
        Assert.Equal(encoded, GrpcMessageText.Encode(text));
        Assert.Equal(text, GrpcMessageText.Decode(encoded));
    }

    [Fact]
    public void A_broken_escape_stays() => Assert.Equal("50% off %zz", GrpcMessageText.Decode("50% off %zz"));

    [Fact]
    public void Status_names_are_read()
    {
        Assert.True(GrpcStatuses.TryParse("unavailable", out var status));
        Assert.Equal(GrpcStatus.Unavailable, status);
        Assert.True(GrpcStatuses.TryParse("16", out status));
        Assert.Equal(GrpcStatus.Unauthenticated, status);
        Assert.False(GrpcStatuses.TryParse("17", out _));
        Assert.False(GrpcStatuses.TryParse("NOPE", out _));
    }
}
