"""The files of a release, in a folder, in a zip archive or alone; read line by line, never unpacked.

Only names that a loader asks for are opened, inside of the archive; nothing is written, so a path in it leads nowhere.
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from terminology.loaders.release import LoadError, Problems

LONGEST_LINE = 4_000_000
"""Bytes of a line beyond which a file is none of ours."""
TOLD_EVERY = 1_000_000
"""Bytes between two reports of progress."""


class Member(NamedTuple):
    """One file: its path below the folder or in the archive, and its size when unpacked."""

    name: str
    size: int


class Row(NamedTuple):
    """The fields of one line."""

    line: int
    fields: list[str]


class Source:
    """A release's files.

    Errors: LoadError where the path does not exist or is no archive that can be read
    """

    def __init__(
        self, path: Path, problems: Problems | None = None, progress: Callable[[int, int], None] | None = None
    ) -> None:
        self.path = path
        self.problems = problems if problems is not None else Problems()
        self.done = 0
        self.wanted = 0
        self._progress = progress
        try:
            self.archive = zipfile.ZipFile(path) if zipfile.is_zipfile(path) else None
            self.members = sorted(self._members(), key=lambda one: (one.name.count("/"), one.name))
        except (OSError, zipfile.BadZipFile) as error:
            raise LoadError(f"{path} cannot be read: {error}") from error

    def _members(self) -> Iterator[Member]:
        if self.archive is not None:
            yield from (Member(i.filename, i.file_size) for i in self.archive.infolist() if not i.is_dir())
        elif self.path.is_dir():
            for file in self.path.rglob("*"):
                if file.is_file():
                    yield Member(file.relative_to(self.path).as_posix(), file.stat().st_size)
        else:
            yield Member(self.path.name, self.path.stat().st_size)

    @property
    def fingerprint(self) -> str:
        """What changes when other files are given under the same path."""
        stat = self.path.stat()
        parts = [f"{m.name}:{m.size}" for m in self.members]
        return f"{self.path.resolve()}|{stat.st_mtime_ns}|{stat.st_size}|{'|'.join(parts)}"

    def find(self, *patterns: str) -> list[Member]:
        """Return the files whose last name fits one of the patterns, case ignored; those least deep first."""
        return [
            one
            for one in self.members
            if any(fnmatch(PurePosixPath(one.name).name.casefold(), p.casefold()) for p in patterns)
        ]

    def first(self, *patterns: str) -> Member | None:
        """Return the file that fits and lies least deep, None where none fits."""
        return next(iter(self.find(*patterns)), None)

    def need(self, *patterns: str) -> Member:
        """Return the file that fits.

        Errors: LoadError where there is none
        """
        found = self.first(*patterns)
        if found is None:
            raise LoadError(f"There is no file {' or '.join(patterns)} in {self.path}")
        return found

    def expect(self, members: Sequence[Member | None]) -> None:
        """Tell which files will be read, so that progress has an end."""
        self.wanted = sum(one.size for one in members if one is not None)

    @contextmanager
    def binary(self, member: Member) -> Iterator[IO[bytes]]:
        """Lend a file as bytes."""
        if self.archive is not None:
            stream: IO[bytes] = self.archive.open(member.name)
        else:
            stream = (self.path / member.name if self.path.is_dir() else self.path).open("rb")
        with stream:
            yield stream

    def lines(self, member: Member, encoding: str = "utf-8-sig") -> Iterator[tuple[int, str]]:
        """Yield (number, text) of each line, its end cut off; one that cannot be decoded is a problem."""
        told = 0
        with self.binary(member) as stream:
            number = 0
            while raw := stream.readline(LONGEST_LINE):
                number += 1
                if len(raw) == LONGEST_LINE:
                    raise LoadError(f"{member.name}:{number}: a line of more than {LONGEST_LINE:,} bytes")
                told += len(raw)
                if told >= TOLD_EVERY:
                    self._tell(told)
                    told = 0
                try:
                    yield number, raw.decode(encoding if number == 1 else encoding.removesuffix("-sig"))
                except UnicodeDecodeError as error:
                    self.problems.add(
                        member.name, number, f"is not {encoding.removesuffix('-sig')}: {error.reason}"
                    )
        self._tell(told)

    def _tell(self, count: int) -> None:
        self.done += count
        if self._progress is not None:
            self._progress(self.done, max(self.wanted, self.done))

    def split(self, member: Member, delimiter: str, count: int, encoding: str = "utf-8-sig") -> Iterator[Row]:
        """Yield the rows of a file without quotes or header; one of fewer than `count` fields is a problem."""
        for number, text in self.lines(member, encoding):
            bare = text.rstrip("\r\n")
            if not bare:
                continue
            fields = bare.split(delimiter)
            if len(fields) < count:
                self.problems.add(member.name, number, f"{len(fields)} fields, not {count}")
                continue
            yield Row(number, fields)

    def columns(
        self, member: Member, delimiter: str, *names: str, encoding: str = "utf-8-sig"
    ) -> Iterator[Row]:
        """Yield the named columns of a tab-separated file with a header, in that order.

        Errors: LoadError where the header lacks one
        """
        places: list[int] = []
        width = 0
        for number, text in self.lines(member, encoding):
            fields = text.rstrip("\r\n").split(delimiter)
            if number == 1:
                places, width = self._places(member, fields, names), len(fields)
            elif len(fields) == width:
                yield Row(number, [fields[place] for place in places])
            elif any(fields):
                self.problems.add(member.name, number, f"{len(fields)} fields, not {width}")

    def table(self, member: Member, delimiter: str = ",") -> Iterator[tuple[int, dict[str, str]]]:
        """Yield (line, {column: value}) of a CSV file with header and quotes; rows of another width are problems."""
        reader = csv.reader((text for _, text in self.lines(member)), delimiter=delimiter, strict=True)
        header: list[str] | None = None
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.problems.add(member.name, reader.line_num, f"is no CSV: {error}")
                continue
            if header is None:
                header = [name.strip() for name in fields]
            elif len(fields) == len(header):
                yield reader.line_num, dict(zip(header, fields, strict=True))
            elif any(fields):
                self.problems.add(member.name, reader.line_num, f"{len(fields)} fields, not {len(header)}")

    def header(self, member: Member, delimiter: str = ",") -> list[str]:
        """Return the names of a file's columns; raises LoadError where the first line is no CSV."""
        with self.binary(member) as stream:
            first = stream.readline(LONGEST_LINE).decode("utf-8-sig", "replace")
        try:
            return [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
        except csv.Error as error:
            raise LoadError(f"{member.name} is no CSV: {error}") from error

    def _places(self, member: Member, header: Sequence[str], names: Sequence[str]) -> list[int]:
        lacking = [name for name in names if name not in header]
        if lacking:
            raise LoadError(f"{member.name} has no column {', '.join(lacking)}")
        return [header.index(name) for name in names]
