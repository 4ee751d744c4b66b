"""EXIF blocks as cameras write them, and as nobody should."""

import random
import struct

import pytest
from PIL import Image

from pixshift.gateways import exif


def block(orientation: int | None = None, *, is_located: bool = False) -> bytes:
    notes = Image.Exif()
    notes[0x010F] = "Camera"
    if orientation is not None:
        notes[0x0112] = orientation
    if is_located:
        notes.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    return notes.tobytes().removeprefix(b"Exif\x00\x00")


@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_read(value: int) -> None:
    assert exif.orientation(block(value)) == value


def test_both_byte_orders_are_read() -> None:
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)

    assert exif.orientation(b"MM\x00*\x00\x00\x00\x08\x00\x01" + entry) == 6


@pytest.mark.parametrize("value", [0, 9, 255])
def test_an_orientation_that_does_not_exist_is_upright(value: int) -> None:
    assert exif.orientation(block(value)) == 1


def test_a_place_is_found_and_its_absence_too() -> None:
    assert exif.has_location(block(1, is_located=True))
    assert not exif.has_location(block(1))


def test_a_directory_of_positions_without_any_is_no_place() -> None:
    entry = struct.pack("<HHII", 0x8825, 4, 1, 22)

    assert not exif.has_location(b"II*\x00\x08\x00\x00\x00\x01\x00" + entry + b"\x00\x00")


@pytest.mark.parametrize("data", [b"", b"II", b"II*\x00\xff\xff\xff\xff", b"MM\x00*\x00\x00\x00\x08\xff\xff"])
def test_a_broken_block_says_nothing(data: bytes) -> None:
    assert exif.orientation(data) == 1
    assert not exif.has_location(data)


def test_noise_does_no_harm() -> None:
    chance, good = random.Random(1), block(6, is_located=True)
    for _ in range(2000):
        data = bytearray(good[: chance.randrange(len(good))])
        for _ in range(min(3, len(data))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        assert exif.orientation(bytes(data)) in range(1, 9)
        assert exif.has_location(bytes(data)) in (True, False)
