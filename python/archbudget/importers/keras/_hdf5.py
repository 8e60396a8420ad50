"""Attributes of the root of a file of HDF5, read without the library of HDF5.

That library hangs on files that are not well formed, in C where nothing stops it. An attribute with a text takes four
structures of the format: the superblock, an object header with its continuations, an attribute message, and the global
heap in which a text of any length is.

The HDF Group, HDF5 File Format Specification, version 3.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from archbudget.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_MESSAGES = 10_000
"""The most messages of an object header."""
MOST_HEADER = 1 << 20
"""The most bytes of a part of an object header."""
CONTINUATION, ATTRIBUTE, ATTRIBUTE_INFO = 0x10, 0x0C, 0x15
FIXED_TEXT, VARIABLE_LENGTH = 3, 9


def root_attributes(stream: BinaryIO, path: str, most: int) -> dict[str, bytes | None]:
    """The attributes of the root by their names; `None` for one that is no single text.

    Args:
        stream: The file.
        path: What it is called in messages.
        most: The most bytes of a text.

    Raises:
        FileError: If it is not well formed, or keeps its attributes in another way than Keras does.
    """
    return _File(stream, path, most).attributes()


class _File:
    """A file of HDF5.

    Args:
        stream: The file.
        path: What it is called in messages.
        most: The most bytes of a text.
    """

    def __init__(self, stream: BinaryIO, path: str, most: int) -> None:
        self._stream, self._path, self._most = stream, path, most
        self._size = stream.seek(0, 2)
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}

    def attributes(self) -> dict[str, bytes | None]:
        """The attributes of the root."""
        found: dict[str, bytes | None] = {}
        for kind, body in self._messages(self._root()):
            if kind == ATTRIBUTE:
                name, value = self._attribute(_Bytes(self, body))
                found[name] = value
            if kind == ATTRIBUTE_INFO:
                info = _Bytes(self, body)
                info.skip(1)
                info.skip(2 if info.number(1) & 1 else 0)
                if info.number(self._offset) != (1 << 8 * self._offset) - 1:
                    raise FileError(f"{self._path} keeps its attributes in a heap, as Keras does not: give its JSON")
        return found

    def fault(self, what: str) -> FileError:
        """The error of a file that is not well formed."""
        return FileError(f"{self._path} cannot be read as HDF5: {what}")

    def read(self, place: int, count: int) -> bytes:
        """Bytes of the file.

        Raises:
            FileError: If it does not have them.
        """
        if place + count > self._size:
            raise self.fault(f"it ends before byte {place + count:,}")
        self._stream.seek(place)
        return self._stream.read(count)

    def _root(self) -> int:
        """Where the object header of the root is."""
        start = _Bytes(self, self.read(8, min(self._size - 8, 120)))
        version = start.number(1)
        if version > 3:
            raise self.fault(f"its version is {version}")
        if version < 2:
            start.skip(4)
            self._offset, self._length = start.number(1), start.number(1)
            start.skip(9 if version == 0 else 13)
        else:
            self._offset, self._length = start.number(1), start.number(1)
            start.skip(1)
        if self._offset not in (2, 4, 8) or self._length not in (2, 4, 8):
            raise self.fault("its addresses have no size that HDF5 knows")
        self._base = start.number(self._offset)
        # Free space, the end of the file, a driver, and the name of the root; or an extension and the end.
        start.skip((4 if version < 2 else 2) * self._offset)
        return self._address(start)

    def _address(self, given: _Bytes) -> int:
        return self._base + given.number(self._offset)

    def _messages(self, place: int) -> Iterator[tuple[int, bytes]]:
        """The messages of an object header, by their types."""
        second = self.read(place, 4) == b"OHDR"
        ordered = 0
        if second:
            head = _Bytes(self, self.read(place, min(self._size - place, 40)))
            head.skip(5)
            flags = head.number(1)
            head.skip((16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0))
            length = head.number(1 << (flags & 3))
            ordered = 2 if flags & 4 else 0
            blocks = [(place + head.place, length)]
        else:
            head = _Bytes(self, self.read(place, 12))
            if head.number(1) != 1:
                raise self.fault("its root has no object header")
            head.skip(7)
            blocks = [(place + 16, head.number(4))]
        left, seen = MOST_MESSAGES, set()
        while blocks:
            start, length = blocks.pop(0)
            if start in seen or length > MOST_HEADER:
                raise self.fault("an object header goes in circles, or is larger than what is read")
            seen.add(start)
            block = _Bytes(self, self.read(start, length))
            while block.left() >= (4 + ordered if second else 8):
                left -= 1
                if not left:
                    raise self.fault(f"an object header has more than {MOST_MESSAGES:,} messages")
                kind, size = block.number(1 if second else 2), block.number(2)
                shared = block.number(1) & 2
                block.skip(ordered if second else 3)
                body = block.take(size)
                if kind == CONTINUATION:
                    more = _Bytes(self, body)
                    where, length = self._address(more), more.number(self._length)
                    # The second version writes its name before a continuation, and a sum behind it.
                    blocks.append((where + 4, max(0, length - 8)) if second else (where, length))
                elif not shared:
                    yield kind, body

    def _attribute(self, given: _Bytes) -> tuple[str, bytes | None]:
        """The name and the value of an attribute."""
        version, flags = given.number(1), given.number(1)
        if not 1 <= version <= 3:
            raise self.fault(f"an attribute has the version {version}")
        sizes = [given.number(2) for _ in range(3)]
        given.skip(1 if version == 3 else 0)
        # The first version fills up each of the three to eight bytes.
        name, kind, space = (given.take(size, -size % 8 if version == 1 else 0) for size in sizes)
        title = name.partition(b"\0")[0].decode("utf-8", "replace")
        if version > 1 and flags & 3:
            return title, None
        scalar = len(space) > 1 and space[1] == 0 and (space[0] != 2 or (len(space) > 3 and space[3] == 0))
        if not scalar or len(kind) < 8:
            return title, None
        if kind[0] & 15 == FIXED_TEXT:
            return title, given.take(int.from_bytes(kind[4:8], "little")).rstrip(b"\0")
        if kind[0] & 15 == VARIABLE_LENGTH and kind[1] & 15 == 1:
            length = given.number(4)
            return title, self._kept(self._address(given), given.number(4), length)
        return title, None

    def _kept(self, heap: int, index: int, length: int) -> bytes:
        """A text in a global heap."""
        if heap not in self._heaps:
            self._heaps[heap] = self._objects(heap)
        place, size = self._heaps[heap].get(index, (0, -1))
        if not 0 <= length <= size or length > self._most:
            raise self.fault(f"an attribute has no text of {length:,} bytes; at most {self._most:,} are read")
        return self.read(place, length)

    def _objects(self, heap: int) -> dict[int, tuple[int, int]]:
        """Where the objects of a global heap begin and how long they are, by their numbers."""
        head = _Bytes(self, self.read(heap, 8 + self._length))
        if head.take(4) != b"GCOL":
            raise self.fault("there is no heap where an attribute should be")
        head.skip(4)
        end = heap + head.number(self._length)
        place = heap + 8 + self._length
        found: dict[int, tuple[int, int]] = {}
        while place + 8 + self._length <= min(end, self._size) and len(found) < MOST_MESSAGES:
            entry = _Bytes(self, self.read(place, 8 + self._length))
            index = entry.number(2)
            entry.skip(6)
            size = entry.number(self._length)
            if not index:
                break
            place += 8 + self._length
            found[index] = (place, size)
            place += size + -size % 8
        return found


class _Bytes:
    """Bytes that are read one after the other.

    Args:
        file: The file that they are of.
        content: The bytes.
    """

    def __init__(self, file: _File, content: bytes) -> None:
        self._file, self._content, self.place = file, content, 0

    def left(self) -> int:
        """How many there are still."""
        return len(self._content) - self.place

    def take(self, count: int, more: int = 0) -> bytes:
        """The next ones, and `more` behind them are passed over.

        Raises:
            FileError: If there are not as many.
        """
        if count > self.left():
            raise self._file.fault("a part of it is shorter than what it says")
        taken = self._content[self.place : self.place + count]
        self.place += count + more
        return taken

    def skip(self, count: int) -> None:
        """Passes over some."""
        self.take(count)

    def number(self, count: int) -> int:
        """The next ones as a number."""
        return int.from_bytes(self.take(count), "little")
