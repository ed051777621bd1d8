# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run cases in the lab, and in Wine: there as many as possible in one cmd.exe."""

from __future__ import annotations

import codecs
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from exchange_lab.windows.errors import WinError
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.regfile import HEADER_5, export, load
from exchange_lab.windows.registry import ROOTS, Registry
from exchange_lab.windows.wine import CODE_PAGE, Wine

from .case import HERE, KEY, LONG_KEY, Case, Content, Result, Stored

FOLDER = r"C:\cases"
ROOT_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\LabCase"
_MARK = "~~~"
# What reg.exe says in a sentence of its own. Wine words it otherwise, and prints errors to standard
# output, which reg.exe of Windows does not: so sentences are left out, and exit codes compared.
_SENTENCES = re.compile(rb"^(?:reg: .*|The operation completed successfully\.)\r\n", re.MULTILINE)


def here(number: int) -> str:
    """Return the folder of a case."""
    return rf"{FOLDER}\{number}"


def key(number: int) -> str:
    """Return the registry key of a case."""
    return rf"{ROOT_KEY}\{number}"


def filled(text: str, number: int) -> str:
    """Put folder and key of a case into a text."""
    short = key(number)
    full = short.replace("HKLM", ROOTS["HKLM"])
    return text.replace(HERE, here(number)).replace(LONG_KEY, full).replace(KEY, short)


def raw(content: Content, number: int) -> bytes:
    """Return the bytes of a file; a registry file of the newer form is UTF-16 with its mark."""
    if isinstance(content, bytes):
        return content
    text = filled(content, number)
    if text.startswith(HEADER_5):
        return codecs.BOM_UTF16_LE + text.encode("utf-16-le")
    return text.encode("cp1252")


def without_sentences(output: bytes) -> bytes:
    """Leave out what ``reg`` says of its success or failure."""
    return _SENTENCES.sub(b"", output)


# -- in the lab ------------------------------------------------------------------------------


def in_lab(case: Case, host: LabHost, number: int = 0) -> Result:
    """Run a case on a lab host."""
    folder = here(number)
    host.fs.mkdir(folder)
    for name, content in case.files.items():
        path = host.fs.resolve(f"{folder}\\{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw(content, number))
    _store(case, host.registry, number)
    shell = host.open_shell()
    shell.cwd = folder
    shell.echo = False
    out, err, code = b"", b"", 0
    for line in case.lines:
        done = host.run(filled(line, number), shell=shell)
        out, err, code = out + done.stdout, err + done.stderr, done.exit_code
    files = _changes(case, number, host.fs.resolve(folder))
    level = code if case.alone else shell.errorlevel
    return Result(out, level, files, _stored(host.registry, number), err, code)


def _store(case: Case, registry: Registry, number: int) -> None:
    for below, name, type_, data in case.values:
        place = rf"{key(number)}\{below}".rstrip("\\")
        if name or type_:
            registry.set(place, name, type_, data)
        else:
            registry.add_key(place)


def _stored(registry: Registry, number: int) -> tuple[Stored, ...]:
    """Return all values below a case's key; a key without any appears with an empty type."""
    return tuple(_walk(registry, key(number), ""))


def _walk(registry: Registry, place: str, below: str) -> Iterator[Stored]:
    try:
        values = registry.values(place)
    except WinError:
        return
    for value in sorted(values, key=lambda value: value.name.upper()):
        yield below, value.name, value.type, value.data
    if not values:
        yield below, "", "", ""
    for name in sorted(registry.keys(place)):
        yield from _walk(registry, rf"{place}\{name}", rf"{below}\{name}".lstrip("\\"))


def _changes(case: Case, number: int, folder: Path) -> dict[str, bytes | None]:
    before = {name: raw(content, number) for name, content in case.files.items()}
    before |= {f"{path}\\": b"" for name in before for path in _parents(name)}
    found = dict(_contents(folder))
    changes = {name: data for name, data in found.items() if before.get(name) != data}
    gone = {name: None for name in before if name not in found}
    return {**changes, **gone}


def _parents(name: str) -> Iterator[str]:
    while name := name.rpartition("\\")[0]:
        yield name


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = str(path.relative_to(folder)).replace("/", "\\")
        yield (name, path.read_bytes()) if path.is_file() else (name + "\\", b"")


# -- in Wine ---------------------------------------------------------------------------------


def in_wine(cases: Sequence[Case], wine: Wine) -> dict[str, Result]:
    """Run cases in Wine; return their results by name."""
    _prepare(cases, wine)
    together = [number for number, case in enumerate(cases) if not case.alone]
    output = _typed(cases, together, wine)
    for number, case in enumerate(cases):
        if case.alone:
            output[number] = _typed_alone(case, number, wine)
    registry = _registry(wine)
    return {
        case.name: Result(
            *output[number],
            _changes(case, number, wine.unix(here(number))),
            _stored(registry, number),
        )
        for number, case in enumerate(cases)
    }


def _prepare(cases: Sequence[Case], wine: Wine) -> None:
    """Make every case's folder, and its values by one import."""
    shutil.rmtree(wine.unix(FOLDER), ignore_errors=True)
    registry = Registry()
    registry.add_key(ROOT_KEY)
    for number, case in enumerate(cases):
        folder = wine.unix(here(number))
        folder.mkdir(parents=True)
        for name, content in case.files.items():
            path = wine.unix(f"{here(number)}\\{name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw(content, number))
        _store(case, registry, number)
    (wine.unix(FOLDER) / "before.reg").write_bytes(export(registry, ROOT_KEY))
    wine.type_in([f"reg delete {ROOT_KEY} /f", rf"reg import {FOLDER}\before.reg"])


def _typed(
    cases: Sequence[Case], numbers: Sequence[int], wine: Wine
) -> dict[int, tuple[bytes, int]]:
    """Type cases into one cmd.exe; return output and ERRORLEVEL of each."""
    lines = [line for number in numbers for line in _script(cases[number], number)]
    output = wine.type_in(lines, timeout=100.0).stdout
    return {number: _cut(output, number) for number in numbers}


def _typed_alone(case: Case, number: int, wine: Wine) -> tuple[bytes, int]:
    """Type a case into a cmd.exe of its own; return output and exit code of that."""
    done = wine.type_in([*_before(number), *_lines(case, number)])
    return done.stdout.partition(f"{_MARK}{number}\r\n".encode())[2], done.exit_code


def _before(number: int) -> list[str]:
    """Return what brings a shell into a case's folder; ``type nul`` clears ERRORLEVEL."""
    return [f"cd /d {here(number)}", "type nul", f"echo {_MARK}{number}"]


def _lines(case: Case, number: int) -> list[str]:
    return [filled(line, number) for line in case.lines]


def _script(case: Case, number: int) -> list[str]:
    """Return the lines of a case between two marks, and what clears up after it."""
    mark = f"call echo {_MARK}rc %^errorlevel%"
    names = ("X", "LABX", "LABY")
    return [*_before(number), *_lines(case, number), mark, *(f"set {name}=" for name in names)]


def _cut(output: bytes, number: int) -> tuple[bytes, int]:
    """Return what a case printed, and the ERRORLEVEL; -1 where the second mark is missing."""
    rest = output.partition(f"{_MARK}{number}\r\n".encode())[2]
    if found := re.search(rf"{_MARK}rc (-?\d+)\r\n".encode(), rest):
        return rest[: found.start()], int(found[1])
    return rest, -1


def _registry(wine: Wine) -> Registry:
    """Return what Wine has below the key of all cases."""
    target = wine.unix(FOLDER) / "after.reg"
    wine.type_in([rf"reg export {ROOT_KEY} {FOLDER}\after.reg /y"])
    registry = Registry()
    load(registry, target.read_bytes())
    return registry


def expected(case: Case, number: int = 0) -> Result:
    """Return what the table says of a case."""
    files = {name: None if x is None else raw(x, number) for name, x in case.after.items()}
    values = case.values if case.stored is None else case.stored
    stored = tuple(sorted(values, key=lambda value: (value[0].split("\\"), value[1].upper())))
    out, err = (_printed(text, number) for text in (case.out, case.err))
    return Result(out, case.level, files, stored, err, case.code)


def _printed(text: str | bytes, number: int) -> bytes:
    return text if isinstance(text, bytes) else filled(text, number).encode(CODE_PAGE)


def parts(one: Result, other: Result) -> Mapping[str, tuple[object, object]]:
    """Return in which parts two results differ, with both values."""
    pairs = {
        "out": (without_sentences(one.out), without_sentences(other.out)),
        "level": (one.level, other.level),
        "files": (dict(one.files), dict(other.files)),
        "values": (one.values, other.values),
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
