"""A storage medium that forgets: what was written and not flushed is gone when the power goes, or half of it is.

Each file has two images, the one a running program sees and the one that is on the medium; fsync carries a file over,
fsync of a directory carries its names over. A `cut` freezes both at one moment. No FUSE in here: `fuse_card.py` mounts it.

>>> card = Medium()
>>> card.create("/a"); card.write("/a", b"one", 0); card.fsync("/a"); card.fsync_folder("/"); card.write("/a", b"two", 0)
3
3
>>> card.cut(seed=1, torn=False).files
{'a': b'one'}
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

SECTOR = 512
PAGE = 4096


class Survivors(NamedTuple):
    """What is on the medium after a cut: files by path, and how many pages were written and not flushed then."""

    files: dict[str, bytes]
    unsynced_pages: int


@dataclass(eq=False)
class File:
    """One file: `seen` by programs, `kept` by the medium, and the sectors in which they may differ."""

    seen: bytearray = field(default_factory=bytearray)
    kept: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set)

    def write(self, data: bytes, at: int) -> int:
        """Write as pwrite does."""
        self.resize(max(len(self.seen), at + len(data)))
        self.seen[at : at + len(data)] = data
        self.dirty.update(range(at // SECTOR, (at + len(data) - 1) // SECTOR + 1))
        return len(data)

    def resize(self, size: int) -> None:
        """Truncate or extend with zeros."""
        old = len(self.seen)
        if size < old:
            del self.seen[size:]
            self.dirty.add(size // SECTOR)
        elif size > old:
            self.seen.extend(bytes(size - old))
            self.dirty.update(range(old // SECTOR, (size - 1) // SECTOR + 1))

    def flush(self) -> None:
        """Carry everything over to the medium."""
        size = len(self.seen)
        if len(self.kept) > size:
            del self.kept[size:]
        self.kept.extend(bytes(size - len(self.kept)))
        for sector in self.dirty:
            at = sector * SECTOR
            self.kept[at : at + SECTOR] = self.seen[at : at + SECTOR]
        self.dirty.clear()

    def unsynced_pages(self) -> int:
        """Pages that a power cut may lose."""
        return len({sector * SECTOR // PAGE for sector in self.dirty if sector * SECTOR < len(self.seen)})

    def torn(self, chance: random.Random, grain: int) -> bytes:
        """The medium's image when any part of what was not flushed had reached it, in blocks of `grain` bytes."""
        image = bytearray(self.kept)
        if len(self.seen) < len(image) and chance.random() < 0.5:
            del image[len(self.seen) :]
        for block in sorted({sector * SECTOR // grain for sector in self.dirty}):
            part = self.seen[block * grain : (block + 1) * grain]
            if part and chance.random() < 0.5:
                image.extend(bytes(max(block * grain - len(image), 0)))
                image[block * grain : block * grain + len(part)] = part
        return bytes(image)


@dataclass(eq=False)
class Folder:
    """One directory: the names that programs see, and those on the medium."""

    seen: dict[str, "File | Folder"] = field(default_factory=dict)
    kept: dict[str, "File | Folder"] = field(default_factory=dict)


class Name(NamedTuple):
    """One name given to something, or to nothing any more."""

    folder: Folder
    name: str
    what: File | Folder | None

    def give(self, names: dict[str, "File | Folder"]) -> None:
        """Change these names so."""
        if self.what is None:
            names.pop(self.name, None)
        else:
            names[self.name] = self.what


class Medium:
    """The files by absolute path; raises the OSErrors of a file system."""

    def __init__(self) -> None:
        self.root = Folder()
        self.changes: list[list[Name]] = []  # names not flushed, in the order of the operations that gave them

    def find(self, path: str) -> File | Folder:
        """The file or folder at `path`."""
        here: File | Folder = self.root
        for name in path.strip("/").split("/"):
            if name:
                if not isinstance(here, Folder) or name not in here.seen:
                    raise FileNotFoundError(path)
                here = here.seen[name]
        return here

    def file(self, path: str) -> File:
        """The file at `path`."""
        found = self.find(path)
        if isinstance(found, Folder):
            raise IsADirectoryError(path)
        return found

    def folder(self, path: str) -> Folder:
        """The folder at `path`."""
        found = self.find(path)
        if isinstance(found, File):
            raise NotADirectoryError(path)
        return found

    def _parent(self, path: str) -> tuple[Folder, str]:
        folder, _, name = path.rpartition("/")
        return self.folder(folder), name

    def create(self, path: str) -> None:
        """An empty file."""
        self._name(Name(*self._parent(path), File()))

    def make_folder(self, path: str) -> None:
        """An empty folder."""
        self._name(Name(*self._parent(path), Folder()))

    def remove(self, path: str) -> None:
        """Take a name away."""
        self.find(path)
        self._name(Name(*self._parent(path), None))

    def rename(self, old: str, new: str) -> None:
        """Move a name. Between two folders each of them must be flushed."""
        what = self.find(old)
        self._name(Name(*self._parent(new), what), Name(*self._parent(old), None))

    def _name(self, *names: Name) -> None:
        for each in names:
            each.give(each.folder.seen)
        self.changes.append(list(names))

    def write(self, path: str, data: bytes, at: int) -> int:
        """Write as pwrite does."""
        return self.file(path).write(data, at)

    def fsync(self, path: str) -> None:
        """Flush a file; its name is not flushed with it."""
        self.file(path).flush()

    def fsync_folder(self, path: str) -> None:
        """Flush the names in a folder."""
        folder = self.folder(path)
        folder.kept = dict(folder.seen)
        for change in self.changes:
            change[:] = [each for each in change if each.folder is not folder]

    def size(self) -> int:
        """Bytes taken by all files, in whole pages."""
        return sum(-(-len(file.seen) // PAGE) * PAGE for _, file in self._walk(self.root, _seen))

    def cut(self, seed: int, *, torn: bool) -> Survivors:
        """What is on the medium if the power goes now. Torn: blocks of 512 or 4,096 bytes of the rest, at random."""
        chance = random.Random(seed)
        grain = chance.choice((SECTOR, PAGE))
        unsynced = sum(
            file.unsynced_pages() for path, file in self._walk(self.root, _seen) if not path.endswith(("-shm", ".lock"))
        )
        # A file system keeps the order of names, and a move between two folders is one change: some first part of them.
        reached = chance.randint(0, len(self.changes)) if torn else 0
        moved: dict[int, dict[str, File | Folder]] = {}
        for each in (each for change in self.changes[:reached] for each in change):
            each.give(moved.setdefault(id(each.folder), dict(each.folder.kept)))
        files = {
            path: file.torn(chance, grain) if torn else bytes(file.kept)
            for path, file in self._walk(self.root, lambda folder: moved.get(id(folder), folder.kept))
        }
        return Survivors(files, unsynced)

    def _walk(
        self, folder: Folder, names: Callable[[Folder], dict[str, File | Folder]], prefix: str = ""
    ) -> list[tuple[str, File]]:
        found: list[tuple[str, File]] = []
        for name, what in sorted(names(folder).items()):
            if isinstance(what, File):
                found.append((prefix + name, what))
            else:
                found += self._walk(what, names, f"{prefix}{name}/")
        return found


def _seen(folder: Folder) -> dict[str, File | Folder]:
    return folder.seen
