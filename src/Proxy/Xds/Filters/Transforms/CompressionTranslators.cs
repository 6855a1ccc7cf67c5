using System.Text;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Compression;
using BrotliIn = Envoy.Extensions.Compression.Brotli.Compressor.V3.Brotli;
using BrotliOut = Envoy.Extensions.Compression.Brotli.Decompressor.V3.Brotli;
using Core = Envoy.Config.Core.V3;
using GzipIn = Envoy.Extensions.Compression.Gzip.Compressor.V3.Gzip;
using GzipOut = Envoy.Extensions.Compression.Gzip.Decompressor.V3.Gzip;
using Message = Envoy.Extensions.Filters.Http.Compressor.V3.Compressor;
using Plain = Envoy.Extensions.Filters.Http.Decompressor.V3.Decompressor;
using Route = Envoy.Extensions.Filters.Http.Compressor.V3.CompressorPerRoute;
using ZstdIn = Envoy.Extensions.Compression.Zstd.Compressor.V3.Zstd;
using ZstdOut = Envoy.Extensions.Compression.Zstd.Decompressor.V3.Zstd;

namespace Lateen.Proxy.Xds.Filters.Transforms;

/// <summary>envoy.filters.http.compressor.</summary>
internal sealed class CompressorTranslator : FilterTranslator
{
    // Envoy's own list where none is given.
    private static readonly string[] DefaultTypes =
    [
        "application/javascript", "application/json", "application/xhtml+xml", "image/svg+xml", "text/css", "text/html", "text/plain",
        "text/xml",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.compressor.v3.Compressor", "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Message.Parser, rejections) is not { } m
            || TransformLibraries.Compressor(m.CompressorLibrary, translation.Workers, rejections) is not { } pool)
            return null;
        return new CompressorFilter(name, pool, Request(m), Response(m), m.ChooseFirst) { DisabledByDefault = disabled };
    }

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Route.Parser, rejections) is not { } route)
            return null;
        if (route.OverrideCase == Route.OverrideOneofCase.Disabled)
            return new CompressorSettings(true, null);

        // Overrides of responses also switch them on (Envoy's documentation of the field).
        return route.Overrides?.ResponseDirectionConfig is { } response
            ? new CompressorSettings(false, response.RemoveAcceptEncodingHeader) : null;
    }

    private static CompressedDirection Request(Message m)
    {
        Message.Types.CommonDirectionConfig? common = m.RequestDirectionConfig?.CommonConfig;
        return Direction(common, m.RequestDirectionConfig is not null && Flag(common?.Enabled, false));
    }

#pragma warning disable CS0612 // the old fields are for responses, where the newer message is absent
    private static CompressedDirection Response(Message m)
    {
        if (m.ResponseDirectionConfig is { } response)
        {
            return Direction(response.CommonConfig, Flag(response.CommonConfig?.Enabled, true)) with
            {
                NotWithETag = response.DisableOnEtagHeader,
                RemoveAcceptEncoding = response.RemoveAcceptEncodingHeader,
                NotStatuses = [.. response.UncompressibleResponseCodes.Select(c => (int)c)],
            };
        }
        return new CompressedDirection
        {
            Enabled = Flag(m.RuntimeEnabled, true),
            LengthMin = m.ContentLength ?? 30,
            Types = TypesOf(m.ContentType),
            NotWithETag = m.DisableOnEtagHeader,
            RemoveAcceptEncoding = m.RemoveAcceptEncodingHeader,
        };
    }
#pragma warning restore CS0612

    private static CompressedDirection Direction(Message.Types.CommonDirectionConfig? common, bool enabled) => new()
    {
        Enabled = enabled,
        LengthMin = common?.MinContentLength ?? 30,
        Types = TypesOf(common?.ContentType ?? []),
    };

    private static byte[][] TypesOf(IReadOnlyList<string> types) =>
        [.. (types.Count == 0 ? DefaultTypes : types).Select(Encoding.Latin1.GetBytes)];

    internal static bool Flag(Core.RuntimeFeatureFlag? flag, bool absent) => flag is null ? absent : flag.DefaultValue ?? absent;
}

/// <summary>envoy.filters.http.decompressor.</summary>
internal sealed class DecompressorTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.decompressor.v3.Decompressor"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Plain.Parser, rejections) is not { } m
            || TransformLibraries.Decompressor(m.DecompressorLibrary, translation.Workers, rejections) is not { } pool)
            return null;
        return new DecompressorFilter(name, pool, Direction(m.RequestDirectionConfig?.CommonConfig),
            Direction(m.ResponseDirectionConfig?.CommonConfig),
            m.RequestDirectionConfig?.AdvertiseAcceptEncoding ?? true) { DisabledByDefault = disabled };
    }

    private static DecompressedDirection Direction(Plain.Types.CommonDirectionConfig? common) =>
        new(CompressorTranslator.Flag(common?.Enabled, true), common?.IgnoreNoTransformHeader ?? false);
}

/// <summary>Compressor and decompressor libraries by the type of their settings.</summary>
internal static class TransformLibraries
{
    public static TransformPool? Compressor(Core.TypedExtensionConfig? library, int workers, Rejections rejections)
    {
        Any any = library?.TypedConfig ?? new Any();
        switch (ValueTranslator.TypeName(any))
        {
            case "envoy.extensions.compression.gzip.compressor.v3.Gzip" when Installed(Zlib.IsInstalled, "gzip", Zlib.Library, rejections):
                return ValueTranslator.Unpack(any, GzipIn.Parser, rejections) is { } gzip
                    ? new TransformPool("gzip", workers, Gzip(gzip)) : null;
            case "envoy.extensions.compression.brotli.compressor.v3.Brotli":
                return ValueTranslator.Unpack(any, BrotliIn.Parser, rejections) is { } brotli
                    ? new TransformPool("br", workers, Brotli(brotli, rejections)) : null;
            case "envoy.extensions.compression.zstd.compressor.v3.Zstd"
                when Installed(ZstdNative.IsInstalled, "zstd", ZstdNative.Library, rejections):
                return ValueTranslator.Unpack(any, ZstdIn.Parser, rejections) is { } zstd
                    ? new TransformPool("zstd", workers, Zstd(zstd, rejections)) : null;
            default:
                if (rejections.None)
                    rejections.Add(
                        $"Didn't find a registered implementation for compressor library '{library?.Name}' with type URL: '{any.TypeUrl}'");
                return null;
        }
    }

    public static TransformPool? Decompressor(Core.TypedExtensionConfig? library, int workers, Rejections rejections)
    {
        Any any = library?.TypedConfig ?? new Any();
        switch (ValueTranslator.TypeName(any))
        {
            case "envoy.extensions.compression.gzip.decompressor.v3.Gzip"
                when Installed(Zlib.IsInstalled, "gzip", Zlib.Library, rejections):
                if (ValueTranslator.Unpack(any, GzipOut.Parser, rejections) is not { } gzip)
                    return null;
                (int window, uint ratio) = ((int)(gzip.WindowBits ?? 15), gzip.MaxInflateRatio ?? 100);
                return new TransformPool("gzip", workers, () => new GzipDecompression(window, ratio));
            case "envoy.extensions.compression.brotli.decompressor.v3.Brotli":
                return ValueTranslator.Unpack(any, BrotliOut.Parser, rejections) is null
                    ? null : new TransformPool("br", workers, static () => new BrotliDecompression());
            case "envoy.extensions.compression.zstd.decompressor.v3.Zstd"
                when Installed(ZstdNative.IsInstalled, "zstd", ZstdNative.Library, rejections):
                if (ValueTranslator.Unpack(any, ZstdOut.Parser, rejections) is not { } zstd)
                    return null;
                if (zstd.Dictionaries.Count > 1)
                    rejections.Add("zstd with several dictionaries is not served");
                byte[] dictionary = ValueTranslator.Data(zstd.Dictionaries.FirstOrDefault(), rejections) ?? [];
                return new TransformPool("zstd", workers, () => new ZstdDecompression(dictionary));
            default:
                if (rejections.None)
                    rejections.Add($"Didn't find a registered implementation for decompressor library '{library?.Name}' with type URL: "
                        + $"'{any.TypeUrl}'");
                return null;
        }
    }

    private static bool Installed(bool installed, string coding, string library, Rejections rejections)
    {
        if (!installed)
            rejections.Add($"{coding} is not served: {library} is not installed");
        return installed;
    }

    private static Func<ByteTransform> Gzip(GzipIn gzip)
    {
        // zlib: default 0, filtered 1, huffman only 2, run lengths 3, fixed 4; Envoy's numbers are the same. Level 0 is "default" there.
        var options = new GzipOptions(gzip.CompressionLevel == 0 ? -1 : (int)gzip.CompressionLevel, (int)gzip.CompressionStrategy,
            (int)(gzip.WindowBits ?? 12), (int)(gzip.MemoryLevel ?? 5));
        return () => new GzipCompression(options);
    }

    private static Func<ByteTransform> Brotli(BrotliIn brotli, Rejections rejections)
    {
        if (brotli.EncoderMode is not (BrotliIn.Types.EncoderMode.Default or BrotliIn.Types.EncoderMode.Generic)
            || brotli.InputBlockBits is not null || brotli.DisableLiteralContextModeling)
            rejections.Note("brotli: encoder_mode, input_block_bits and disable_literal_context_modeling have no effect");
        (int quality, int window) = ((int)(brotli.Quality ?? 3), (int)(brotli.WindowBits ?? 18));
        return () => new BrotliCompression(quality, window);
    }

    private static Func<ByteTransform> Zstd(ZstdIn zstd, Rejections rejections)
    {
        (int level, bool checksum, int strategy) = ((int)(zstd.CompressionLevel ?? 3), zstd.EnableChecksum, (int)zstd.Strategy);
        byte[] dictionary = ValueTranslator.Data(zstd.Dictionary, rejections) ?? [];
        return () => new ZstdCompression(level, checksum, strategy, dictionary);
    }
}
