"""Recognises a header whose elements lie where those of an earlier one lie, so that it need not be parsed again.

The slices of a series differ in the values of a few elements; tags, representations and lengths are nearly always the
same, or one of a few variants (a position of ``-9.5`` is shorter than one of ``-12.25``). Comparing the bytes between
the values takes a tenth of the time of finding them.
"""

from collections.abc import Callable, Collection, Mapping
from operator import itemgetter

Place = tuple[bytes, int, int]
"""Value representation (b"" if it is implicit), start and length of a value, in bytes."""

PREAMBLE = 128
UNDEFINED_LENGTH = b"\xff\xff\xff\xff"
# Bytes of the head of the last element: a quick comparison, which most other layouts fail.
TAIL = 8


class Layout:
    """Where the values of one header lie, and the bytes between them: tags, representations and lengths.

    Args:
        data: The first bytes of a file with a preamble.
        places: Its elements by tag, those of the meta group too; the last of them holds the pixels.
        fixed: Tags whose values count like the bytes between: another value is another layout.
    """

    def __init__(self, data: bytes, places: Mapping[int, Place], fixed: Collection[int] = ()) -> None:
        self._places = places
        self._end = max(start for _, start, _ in places.values())
        values = sorted(
            (start, start + length)
            for tag, (_, start, length) in places.items()
            # The items of a sequence of undefined length have heads that were read to find its end.
            if start < self._end and tag not in fixed and data[start - 4 : start] != UNDEFINED_LENGTH
        )
        edges = [PREAMBLE, *(edge for value in values for edge in value), self._end]
        # The empty slices make a tuple also of a single one.
        self._between = itemgetter(*map(slice, edges[::2], edges[1::2]), slice(0), slice(0))
        self._expected = self._between(data)
        self._tail = data[self._end - TAIL : self._end]
        self._getters: dict[Collection[int], tuple[tuple[bytes, ...], Callable[[bytes], tuple[bytes, ...]]]] = {}

    def fits(self, data: bytes) -> bool:
        """Return whether a file with these first bytes has the same elements at the same places, up to its pixels."""
        return data[self._end - TAIL : self._end] == self._tail and self._between(data) == self._expected

    def values(self, data: bytes, tags: tuple[int, ...]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """Return representations and bytes of those of the elements ``tags`` that are there, preceded by their tags."""
        if tags not in self._getters:
            found = [(tag, *self._places[tag]) for tag in tags if tag in self._places]
            heads = tuple(tag.to_bytes(4, "big") + vr for tag, vr, _, _ in found)
            slices = [slice(start, start + length) for _, _, start, length in found]
            self._getters[tags] = heads, itemgetter(*slices, slice(0), slice(0))
        heads, get = self._getters[tags]
        return heads, get(data)
