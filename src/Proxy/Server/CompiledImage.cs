using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Lateen.Proxy.Server;

/// <summary>
/// The image of all assemblies, compiled ahead. Its data section can be written: it begins with the cells that the runtime fills as methods
/// run. What follows are tables and signatures, seven times as much, which are only read.
/// </summary>
/// <remarks>Layout: PE/COFF, and docs/design/coreclr/botr/readytorun-format.md of the runtime. Read from the file: what is not as expected
/// there harms nobody.</remarks>
internal readonly ref struct CompiledImage
{
    private const int HeadersBytes = 1024, PeHeaderAt = 0x3C, SectionCountAt = 6, OptionalBytesAt = 20, OptionalAt = 24,
        ExportsAt = OptionalAt + 112, PeSectionBytes = 40, ExportedAddressesAt = 28;

    // The image's own header, its only export: a mark, a version, flags, and sections of three numbers each. Those of the cells have 20
    // bytes each, beginning with address and size.
    private const uint Mark = 0x00525452;
    private const int KnownVersion = 16, CountAt = 12, HeaderBytes = 16, SectionBytes = 12, SectionsMax = 64, CellSections = 101,
        CellSectionBytes = 20, CellSectionsMax = 64;

    private readonly SafeFileHandle _file;
    private readonly ReadOnlySpan<byte> _headers;

    private CompiledImage(SafeFileHandle file, ReadOnlySpan<byte> headers)
    {
        _file = file;
        _headers = headers;
    }

    /// <summary>True for the file of such an image.</summary>
    public static bool IsOne(ReadOnlySpan<byte> path) => path.EndsWith(".r2r.dll"u8);

    /// <summary>Where in its file the last cell ends; null where that can't be told.</summary>
    /// <exception cref="IOException">It can't be read.</exception>
    public static long? EndOfCells(ReadOnlySpan<byte> path)
    {
        using SafeFileHandle file = File.OpenHandle(Encoding.UTF8.GetString(path));
        Span<byte> headers = stackalloc byte[HeadersBytes];
        return RandomAccess.Read(file, headers, 0) == HeadersBytes ? new CompiledImage(file, headers).EndOfCells() : null;
    }

    private long? EndOfCells()
    {
        Span<byte> header = stackalloc byte[HeaderBytes + SectionsMax * SectionBytes];
        if (!TryRead(Number(_headers, PeHeader + ExportsAt) + ExportedAddressesAt, header[..4]) || !TryRead(Number(header, 0), header[..4])
            || !TryRead(Number(header, 0), header)
            || Number(header, 0) != Mark || BinaryPrimitives.ReadUInt16LittleEndian(header[4..]) != KnownVersion
            || Number(header, CountAt) > SectionsMax)
            return null;
        for (int at = HeaderBytes, left = (int)Number(header, CountAt); left > 0; left--, at += SectionBytes)
            if (Number(header, at) == CellSections)
                return EndOfCells(Number(header, at + 4), Number(header, at + 8));
        return null;
    }

    private long? EndOfCells(uint address, uint size)
    {
        Span<byte> sections = stackalloc byte[CellSectionsMax * CellSectionBytes];
        if (size > sections.Length || !TryRead(address, sections[..(int)size]))
            return null;
        uint end = 0;
        for (int at = 0; at < size; at += CellSectionBytes)
            end = Math.Max(end, Number(sections, at) + Number(sections, at + 4));
        return Place(end);
    }

    private int PeHeader => (int)Math.Min(Number(_headers, PeHeaderAt), HeadersBytes / 4);

    private bool TryRead(uint address, Span<byte> bytes) =>
        Place(address) is { } place && RandomAccess.Read(_file, bytes, place) == bytes.Length;

    // An address counts from where the image begins in memory: which section of the file holds it?
    private long? Place(uint address)
    {
        int at = PeHeader + OptionalAt + BinaryPrimitives.ReadUInt16LittleEndian(_headers[(PeHeader + OptionalBytesAt)..]);
        for (int left = BinaryPrimitives.ReadUInt16LittleEndian(_headers[(PeHeader + SectionCountAt)..]); left > 0
            && at + PeSectionBytes <= HeadersBytes; left--, at += PeSectionBytes)
        {
            uint start = Number(_headers, at + 12);
            if (address >= start && address - start <= Number(_headers, at + 16))
                return Number(_headers, at + 20) + (address - start);
        }
        return null;
    }

    private static uint Number(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
}
