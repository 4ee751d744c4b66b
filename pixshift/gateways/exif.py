"""The two things we want to know of a photo's EXIF block: which way is up, and does it say where it was taken."""

import struct

_ORIENTATION, _GPS = 0x0112, 0x8825
_SHORT = 3
_MAX_ENTRIES = 1000


def orientation(block: bytes) -> int:
    """1 to 8; 1 when the block does not say or cannot be read."""
    value = _first_directory(block).get(_ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def has_location(block: bytes) -> bool:
    """Whether there is a directory of positions with anything in it."""
    start = _first_directory(block).get(_GPS)
    return start is not None and bool(_directory(block, start))


def _first_directory(block: bytes) -> dict[int, int]:
    try:
        (start,) = struct.unpack_from(_order(block) + "I", block, 4)
    except struct.error:
        return {}
    return _directory(block, start)


def _directory(block: bytes, start: int) -> dict[int, int]:
    """Tags and their values, or where their values lie; as far as the block goes."""
    order, found = _order(block), {}
    try:
        (count,) = struct.unpack_from(order + "H", block, start)
        for number in range(min(count, _MAX_ENTRIES)):
            tag, kind = struct.unpack_from(order + "HH", block, start + 2 + 12 * number)
            form = "H" if kind == _SHORT else "I"
            (found[tag],) = struct.unpack_from(order + form, block, start + 10 + 12 * number)
    except struct.error:
        pass
    return found


def _order(block: bytes) -> str:
    return ">" if block[:2] == b"MM" else "<"
