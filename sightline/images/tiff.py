"""TIFFs whose samples Pillow has no mode for or reads wrongly, read one by one and shown as 8 bits."""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin

from sightline.images import tiff_layout
from sightline.images.tiff_layout import Layout, is_misread, layout_of, number
from sightline.images.to_rgb import eight_bits, grey_by_range

_REVERSED: Final = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_BIG_ENDIAN_BIG: Final = b"MM\0+"
_BRIGHTEST: Final = 16.0  # where a tenth of the floating-point colours are above this, white is not 1
_DARK: Final = 2**12  # of 16 bits; where all colours are below, they are a sensor's, and nearly black
_MOST_PAGES: Final = 16  # looked through for the one that is not a reduced copy of another

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def open_tiff(source: BinaryIO, filename: str = "", by_samples: bool = False) -> TiffImagePlugin.TiffImageFile:
    """Open the first page that isn't a reduced copy, by Pillow or by samples, where it can't or as asked.

    Raises whatever Pillow does for a damaged file, and NotSupportedError.
    """
    source.seek(0)
    if source.read(4) == _BIG_ENDIAN_BIG:
        source.seek(0)
        source = io.BytesIO(tiff_layout.as_classic(source.read()))
    source.seek(0)
    try:
        image = TiffImagePlugin.TiffImageFile(source, filename)
        misread = by_samples or is_misread(image.tag_v2)
    except (KeyError, SyntaxError):  # no mode for it, or a compression that Pillow doesn't know
        misread = True
    if misread:
        source.seek(0)
        image = _SampledTiff(source, filename)
    if number(image.tag_v2, tiff_layout.REDUCED, 0) & 1:
        _skip_reduced(image)
    return image


def _skip_reduced(image: TiffImagePlugin.TiffImageFile) -> None:
    for page in range(1, _MOST_PAGES):
        try:
            image.seek(page)
        except EOFError:
            break
        if not number(image.tag_v2, tiff_layout.REDUCED, 0) & 1:
            return
    image.seek(0)


class _SampledTiff(TiffImagePlugin.TiffImageFile):
    """A TIFF whose tags Pillow reads, and whose pixels are read by samples."""

    def _setup(self) -> None:
        self._layout = layout = layout_of(self.tag_v2)
        self._tile_size = layout.width, layout.height
        self._size = (layout.height, layout.width) if 5 <= layout.orientation <= 8 else self._tile_size
        self._mode = _mode(layout)
        self.tile = [ImageFile._Tile("samples", (0, 0, *self._tile_size), 0, ())]
        profile = self.tag_v2.get(tiff_layout.ICC_PROFILE)
        if isinstance(profile, bytes):
            self.info["icc_profile"] = profile
        # Whoever asks for the orientation finds it as a number.
        self.getexif()[tiff_layout.ORIENTATION] = layout.orientation

    def load(self) -> Any:
        """Read the samples, and turn the picture upright as Pillow does with other TIFFs."""
        if self.tile:
            assert self.fp is not None
            made = _picture(self._layout, _samples(self._layout, self.fp))
            turn = _TURNS.get(self._layout.orientation)
            made = made if turn is None else made.transpose(turn)
            self.im, self._size, self._mode, self.tile = made.im, made.size, made.mode, []
        return Image.Image.load(self)


def _mode(layout: Layout) -> str:
    if layout.photometric in (tiff_layout.WHITE_IS_ZERO, tiff_layout.BLACK_IS_ZERO):
        return {0: "L", tiff_layout.ASSOCIATED: "La", tiff_layout.UNASSOCIATED: "LA"}[layout.alpha]
    if layout.photometric == tiff_layout.CMYK:
        return "CMYK"
    if layout.photometric in (tiff_layout.LAB, tiff_layout.ICC_LAB):
        return "LAB" if layout.kept == 3 else "L"
    return {0: "RGB", tiff_layout.ASSOCIATED: "RGBa", tiff_layout.UNASSOCIATED: "RGBA"}[layout.alpha]


# -- samples --------------------------------------------------------------------------------------------------------


def _samples(layout: Layout, source: Any) -> NDArray[Any]:
    """The samples of a page, (height, width, kept), as they are stored: integers or floats."""
    wide, high = layout.sizes
    if wide < 1 or high < 1:
        raise ValueError("strips or tiles without pixels")
    across, down = -(-layout.width // wide), -(-layout.height // high)
    planes = layout.kept if layout.planar else 1
    if len(layout.offsets) < across * down * planes or len(layout.counts) < across * down * planes:
        raise ValueError("strips or tiles are missing")
    made: NDArray[Any] = np.zeros((layout.height, layout.width, layout.kept), _dtype(layout).newbyteorder("="))
    for index in range(across * down * planes):
        plane, rest = divmod(index, across * down)
        row, column = rest // across * high, rest % across * wide
        rows = high if layout.tiled else min(high, layout.height - row)
        source.seek(layout.offsets[index])
        data = source.read(layout.counts[index])
        if layout.reversed_bits:
            data = data.translate(_REVERSED)
        part = _part(layout, data, rows, wide)[: layout.height - row, : layout.width - column]
        place = made[row : row + high, column : column + wide]
        if layout.planar:
            place[..., plane] = part[..., 0]
        else:
            place[...] = part[..., : layout.kept]
    return made


def _dtype(layout: Layout) -> np.dtype[Any]:
    order = ">" if layout.big_endian else "<"
    if layout.kind == tiff_layout.FLOAT:
        return np.dtype(f"{order}f{layout.bits // 8}")
    letter = "i" if layout.kind == tiff_layout.SIGNED else "u"
    return np.dtype(f"{order}{letter}{next(size for size in (1, 2, 4, 8) if 8 * size >= layout.bits)}")


def _part(layout: Layout, data: bytes, rows: int, wide: int) -> NDArray[Any]:
    """One strip or tile, (rows, wide, samples), decompressed."""
    samples = 1 if layout.planar else layout.samples
    if layout.photometric == tiff_layout.YCBCR:
        return _subsampled(layout, data, rows, wide)
    row_bytes = -(-wide * samples * layout.bits // 8)
    data = _decompressed(layout, data, rows * row_bytes)
    if layout.predictor == 3:
        return _unpredicted_floats(layout, data, rows, wide, samples)
    dtype = _dtype(layout)
    if layout.bits == 8 * dtype.itemsize:
        part = np.frombuffer(data, dtype).reshape(rows, wide, samples).astype(dtype.newbyteorder("="), copy=False)
    else:
        part = _unpacked(data, rows, wide * samples, layout.bits).reshape(rows, wide, samples)
    if layout.predictor == 2:
        part = np.cumsum(part, axis=1, dtype=part.dtype)
        if layout.bits != 8 * dtype.itemsize:
            part &= (1 << layout.bits) - 1
    return part


def _unpacked(data: bytes, rows: int, count: int, bits: int) -> NDArray[Any]:
    """Rows of `count` numbers of `bits` bits each, highest bit first; each row begins with a byte."""
    ones = np.unpackbits(np.frombuffer(data, np.uint8).reshape(rows, -1), axis=1)[:, : count * bits]
    ones = ones.reshape(rows, count, bits)
    dtype = np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32
    made = np.zeros((rows, count), dtype)
    for bit in range(bits):
        made = (made << dtype(1)) | ones[..., bit]
    return made


def _unpredicted_floats(layout: Layout, data: bytes, rows: int, wide: int, samples: int) -> NDArray[Any]:
    """Undo Adobe's floating-point predictor (Photoshop TIFF Technical Note 3): differences by bytes."""
    size = layout.bits // 8
    lanes = np.frombuffer(data, np.uint8).reshape(rows, -1, samples)
    summed = np.cumsum(lanes, axis=1, dtype=np.uint8).reshape(rows, size, wide * samples)
    part = np.ascontiguousarray(summed.transpose(0, 2, 1)).view(f">f{size}")
    return part.reshape(rows, wide, samples).astype(f"=f{size}")


def _subsampled(layout: Layout, data: bytes, rows: int, wide: int) -> NDArray[np.uint8]:
    """YCbCr in blocks of so many luma samples and one of either chroma (TIFF 6.0, section 21)."""
    across, down = layout.subsampling
    columns, lines = -(-wide // across), -(-rows // down)
    size = across * down + 2
    data = _decompressed(layout, data, columns * lines * size)
    blocks = np.frombuffer(data, np.uint8).reshape(lines, columns, size)
    luma = blocks[..., :-2].reshape(lines, columns, down, across).transpose(0, 2, 1, 3)
    planes = [luma.reshape(lines * down, columns * across)]
    planes += [blocks[..., place].repeat(down, axis=0).repeat(across, axis=1) for place in (-2, -1)]
    return np.stack(planes, axis=-1)[:rows, :wide]


def _decompressed(layout: Layout, data: bytes, size: int) -> bytes:
    """The `size` bytes of a strip or tile; EOFError where there are fewer."""
    if layout.compression in (tiff_layout.DEFLATE, tiff_layout.OLD_DEFLATE):
        data = zlib.decompressobj().decompress(data, size)
    elif layout.compression == tiff_layout.LZMA:
        data = lzma.LZMADecompressor().decompress(data, size)
    elif layout.compression != tiff_layout.NONE:
        data = _by_libtiff(data, layout.compression, size)
    if len(data) < size:
        raise EOFError(f"{len(data)} of {size} bytes of a strip are there")
    return data[:size]


def _by_libtiff(data: bytes, compression: int, size: int) -> bytes:
    """Decompress by Pillow's libtiff, to which it is one row of `size` grey pixels."""
    tags = {256: size, 257: 1, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1, 278: 1, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    padded = data + b"\0" * (len(data) % 2)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(padded))
    whole = head + padded + struct.pack("<H", len(tags)) + entries + bytes(4)
    with TiffImagePlugin.TiffImageFile(io.BytesIO(whole), "") as image:
        return image.tobytes()


# -- colours --------------------------------------------------------------------------------------------------------


def _picture(layout: Layout, samples: NDArray[Any]) -> Image.Image:
    """The samples as a Pillow picture of `_mode`, not turned."""
    photometric = layout.photometric
    if photometric == tiff_layout.PALETTE:
        assert layout.palette is not None
        entries = layout.palette if layout.palette.max() < 256 else layout.palette >> 8
        indices = np.minimum(samples[..., 0], len(entries) - 1)
        return Image.fromarray(entries.astype(np.uint8)[indices])
    if photometric == tiff_layout.YCBCR:
        return _from_ycbcr(layout, samples)
    colours = samples[..., : layout.kept - bool(layout.alpha)]
    shown = _grey(layout, colours[..., 0])[..., None] if colours.shape[-1] == 1 else _eight(layout, colours)
    if photometric == tiff_layout.WHITE_IS_ZERO:
        shown = 255 - shown
    if photometric in (tiff_layout.LAB, tiff_layout.ICC_LAB) and layout.kept == 3:
        if photometric == tiff_layout.ICC_LAB:  # its a and b are unsigned; Pillow's decoder takes TIFF's signed ones
            shown = shown ^ np.array([0, 128, 128], np.uint8)
        size = (layout.width, layout.height)
        return Image.frombytes("LAB", size, np.ascontiguousarray(shown).tobytes(), "raw", "LAB", 0, 1)
    if layout.alpha:
        shown = np.concatenate([shown, _eight(layout, samples[..., -1:])], axis=-1)
    mode = _mode(layout)
    return Image.frombytes(mode, (layout.width, layout.height), np.ascontiguousarray(shown).tobytes())


def _grey(layout: Layout, values: NDArray[Any]) -> NDArray[np.uint8]:
    if layout.kind == tiff_layout.UNSIGNED and layout.bits <= 8:
        return _eight(layout, values)
    if layout.kind == tiff_layout.UNSIGNED and layout.bits <= 16:
        return eight_bits(values, float((1 << layout.bits) - 1))
    usual: tuple[float, ...] = (255.0, 65535.0, 2.0**layout.bits - 1)
    if layout.kind == tiff_layout.FLOAT:
        usual = (1.0, 255.0, 65535.0)
    elif layout.kind == tiff_layout.SIGNED:
        usual = {8: (127.0,), 16: (255.0, 32767.0)}.get(layout.bits, (255.0, 65535.0, 2.0 ** (layout.bits - 1) - 1))
    return grey_by_range(values, usual)


def _eight(layout: Layout, values: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours or alpha by the full range of their type.

    Floating-point colours have their white at 1, and lights above it, as in HDR; else at 255 or 65535.
    """
    shown: NDArray[Any]
    if layout.kind == tiff_layout.UNSIGNED or (
        layout.kind == tiff_layout.SIGNED and layout.photometric == tiff_layout.LAB
    ):
        if layout.bits == 16 and layout.photometric == tiff_layout.RGB and 0 < values.max(initial=0) < _DARK:
            return eight_bits(values, 65535.0)
        raw = values.view(values.dtype.str.replace("i", "u"))
        most = (1 << layout.bits) - 1
        shown = raw >> raw.dtype.type(layout.bits - 8) if layout.bits >= 8 else np.rint(raw * (255 / most))
    elif layout.kind == tiff_layout.SIGNED:
        shown = (np.maximum(values, 0) >> (layout.bits - 8)) * 2
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            floats = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
            white = 1.0 if np.count_nonzero(floats > _BRIGHTEST) * 10 < floats.size else 255.0
            white = 65535.0 if white > 1 and floats.max() > 255 else white
            shown = np.clip(np.rint(floats * (255 / white)), 0, 255)
    return shown.astype(np.uint8)


def _from_ycbcr(layout: Layout, samples: NDArray[np.uint8]) -> Image.Image:
    """By ReferenceBlackWhite, if any, and the coefficients of CCIR 601 (TIFF 6.0, sections 20 and 21)."""
    if len(layout.black_white) == 6:
        low, high = np.array(layout.black_white[::2]), np.array(layout.black_white[1::2])
        scale = np.array([255.0, 127.0, 127.0]) / np.where(high > low, high - low, 255.0)
        moved = (samples - low) * scale + np.array([0.0, 128.0, 128.0])
        samples = np.clip(np.rint(moved), 0, 255).astype(np.uint8)
    size = (layout.width, layout.height)
    return Image.frombytes("YCbCr", size, np.ascontiguousarray(samples).tobytes()).convert("RGB")
