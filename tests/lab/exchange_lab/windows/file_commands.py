# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of cmd.exe that work on files and folders."""

from __future__ import annotations

from .commands import FAILED, OK, Builtin, Context, Outcome
from .errors import (
    ACCESS_DENIED,
    ALREADY_EXISTS,
    DISK_FULL,
    FILE_NOT_FOUND,
    PATH_NOT_FOUND,
    WinError,
)
from .filesystem import is_device
from .loops import matching, wildcard

_UTF16 = b"\xff\xfe"
_END_OF_FILE = b"\x1a"


def type_files(context: Context) -> Outcome:
    """``type FILE...``: bytes as they are; a UTF-16 file with its mark is converted."""
    names = context.words()
    if not names:
        context.complain("syntax")
        return FAILED
    outcome = OK
    several = len(names) > 1 or any(set(name) & {"*", "?"} for name in names)
    for name in names:
        found = matching(name, context.shell)
        if not found:
            outcome = _missing(context, name, several=several)
        for path in found:
            if several:
                context.err(f"\r\n{path}\r\n\r\n\r\n")
            if _type_one(context, path) != OK:
                outcome = FAILED
    return outcome


def _missing(context: Context, name: str, *, several: bool) -> Outcome:
    try:
        files, path = context.shell.locate(name)
        folder = path.rpartition("\\")[0] + "\\"
        outcome = context.fault(FILE_NOT_FOUND if files.is_dir(folder) else PATH_NOT_FOUND)
    except WinError as exc:
        outcome = context.fault(exc.code)
    if several:
        context.err(f"Error occurred while processing: {name}.\r\n")
    return outcome


def _type_one(context: Context, path: str) -> Outcome:
    if is_device(path):
        return OK
    try:
        files, local = context.shell.locate(path)
        data = files.read_bytes(local)
    except WinError as exc:
        return context.fault(exc.code)
    if data.startswith(_UTF16):
        data = context.shell.encode(data[2:].decode("utf-16-le", "replace"))
    for start in range(0, len(data), 65536):
        context.streams.check()
        context.streams.stdout(data[start : start + 65536])
    return OK


def delete(context: Context) -> Outcome:
    """``del [/q /f /s] FILE...``: ERRORLEVEL is 0 even when nothing was deleted.

    Only ``||`` sees that a folder is missing.
    """
    switches, words = context.switches_and_words()
    if not words:
        context.complain("syntax")
        return FAILED
    code = 0
    for word in words:
        code = _delete_pattern(context, word, quiet="q" in switches, deep="s" in switches) or code
    return code, 0


def _delete_pattern(context: Context, word: str, *, quiet: bool, deep: bool) -> int:
    """Delete what matches, ``deep`` below too; return 1 where the folder is missing, else 0."""
    try:
        full = context.shell.absolute(word) if not set(word) & {"*", "?"} else word
        files, local = context.shell.locate(full) if full != word else (context.shell.host.fs, "")
        if local and files.is_dir(local):
            word = f"{word}\\*"
        whole = word.endswith(("\\*", "\\*.*")) or word in {"*", "*.*"}
        if whole and not quiet and not _sure(context, word):
            return 0
    except WinError as exc:
        context.fault(exc.code)
        return 1
    removed = False
    for path in _matching_below(context, word) if deep else matching(word, context.shell):
        files, local = context.shell.locate(path)
        if files.is_dir(local):
            continue
        removed = True
        try:
            files.delete(local)
        except WinError as exc:
            context.err(f"{context.shell.absolute(path)}\r\n")
            context.fault(exc.code)
            continue
        if deep:
            context.out(f"Deleted file - {context.shell.absolute(path)}\r\n")
    return 0 if removed else _could_not_find(context, word)


def _matching_below(context: Context, word: str) -> list[str]:
    """Return the files of this name, in this folder and all below it."""
    folder, backslash, mask = word.replace("/", "\\").rpartition("\\")
    files, local = context.shell.locate(folder + backslash or ".")
    if not files.is_dir(local):
        return []
    return [path for path in files.walk(local) if wildcard(path.rpartition("\\")[2], mask)]


def _could_not_find(context: Context, word: str) -> int:
    folder, _skipped, name = word.replace("/", "\\").rpartition("\\")
    try:
        full = context.shell.absolute(folder + "\\" if folder else ".").rstrip("\\")
        files, local = context.shell.locate(full + "\\")
    except WinError as exc:
        context.fault(exc.code)
        return 1
    if not files.is_dir(local):
        context.fault(PATH_NOT_FOUND)
        return 1
    context.complain("could_not_find", f"{full}\\{name}")
    return 0


def _sure(context: Context, what: str) -> bool:
    context.say("sure", context.shell.absolute(what.rpartition("\\")[0] or ".") + "\\*")
    answer = context.streams.stdin.read_line(context.streams.stop)
    return answer.strip().lower()[:1] in {b"y", b"j"}


def copy(context: Context) -> Outcome:
    """``copy [/y /b] SOURCE[+SOURCE] [TARGET]``; joined without /b it ends in a Ctrl-Z."""
    switches, words = context.switches_and_words()
    if not words:
        context.complain("syntax")
        return FAILED
    target = words[1] if len(words) > 1 else "."
    if "+" in words[0]:
        return _join(context, words[0].split("+"), target, binary="b" in switches)
    sources = [path for path in matching(words[0], context.shell) if _is_file(context, path)]
    if not sources:
        _missing(context, words[0], several=False)
        context.say("copied", 0)
        return FAILED
    copied = 0
    for path in sources:
        if len(sources) > 1 or set(words[0]) & {"*", "?"}:
            context.out(f"{path}\r\n")
        if not _copy_one(context, path, _inside(context, target, path), ask="y" not in switches):
            break
        copied += 1
    context.say("copied", copied)
    return OK if copied == len(sources) else FAILED


def _is_file(context: Context, path: str) -> bool:
    files, local = context.shell.locate(path)
    return is_device(path) or files.is_file(local)


def _inside(context: Context, target: str, source: str) -> str:
    """Return the target file: in the target folder under the source's name, or the target."""
    files, local = context.shell.locate(target)
    if files.is_dir(local):
        return context.shell.absolute(target).rstrip("\\") + "\\" + source.rpartition("\\")[2]
    return target


def _copy_one(context: Context, source: str, target: str, *, ask: bool) -> bool:
    """Copy one file; say why not. A target that did not fit is deleted again."""
    shell = context.shell
    try:
        data = (
            b""
            if is_device(source)
            else shell.locate(source)[0].read_bytes(shell.locate(source)[1])
        )
        if is_device(target):
            return True
        files, local = shell.locate(target)
        if shell.absolute(source).casefold() == shell.absolute(target).casefold():
            context.complain("onto_itself")
            return False
        if ask and files.is_file(local) and not _overwrite(context, target):
            return False
        files.write_bytes(local, data)
    except WinError as exc:
        context.fault(exc.code)
        if exc.code == DISK_FULL:
            files.delete(local)
        return False
    return True


def _overwrite(context: Context, target: str) -> bool:
    context.out(f"Overwrite {target}? (Yes/No/All): ")
    answer = context.streams.stdin.read_line(context.streams.stop)
    return answer.strip().lower()[:1] in {b"y", b"j", b"a"}


def _join(context: Context, sources: list[str], target: str, *, binary: bool) -> Outcome:
    data = b""
    for source in sources:
        try:
            files, local = context.shell.locate(source)
            part = files.read_bytes(local)
        except WinError:
            continue  # cmd skips what is missing as long as one file is there
        context.out(f"{source}\r\n")
        data += part if binary else part.partition(_END_OF_FILE)[0]
    try:
        files, local = context.shell.locate(target)
        files.write_bytes(local, data if binary else data + _END_OF_FILE)
    except WinError as exc:
        context.say("copied", 0)
        return context.fault(exc.code)
    context.say("copied", 1)
    return OK


def move(context: Context) -> Outcome:
    """``move [/y] SOURCE TARGET``."""
    switches, words = context.switches_and_words()
    if len(words) != 2:
        context.complain("syntax")
        return FAILED
    sources = matching(words[0], context.shell)
    if not sources:
        return context.fault(FILE_NOT_FOUND)
    folders = 0
    for path in sources:
        try:
            folders += _move_one(context, path, words[1], ask="y" not in switches)
        except WinError as exc:
            return context.fault(exc.code)
    context.say("dirs_moved" if folders else "moved", len(sources))
    return OK


def _move_one(context: Context, source: str, target: str, *, ask: bool) -> bool:
    shell = context.shell
    goal = _inside(context, target, source)
    files, local = shell.locate(source)
    goal_files, goal_local = shell.locate(goal)
    is_dir = files.is_dir(local)
    if ask and goal_files.is_file(goal_local) and not _overwrite(context, goal):
        raise WinError(ACCESS_DENIED, goal)
    if goal_files is files:
        files.move(local, goal_local)
    else:
        goal_files.write_bytes(goal_local, files.read_bytes(local))
        files.delete(local)
    return is_dir


def rename(context: Context) -> Outcome:
    """``ren PATH NEWNAME``."""
    words = context.words()
    if len(words) != 2 or "\\" in words[1]:
        context.complain("syntax")
        return FAILED
    try:
        files, local = context.shell.locate(words[0])
        goal = local.rpartition("\\")[0] + "\\" + words[1]
        if not files.exists(local) or files.exists(goal):
            context.complain("duplicate")
            return FAILED
        files.move(local, goal)
    except WinError as exc:
        return context.fault(exc.code)
    return OK


def make_directory(context: Context) -> Outcome:
    """``md FOLDER...``, with the folders above it."""
    words = context.words()
    if not words:
        context.complain("syntax")
        return FAILED
    outcome = OK
    for word in words:
        try:
            files, local = context.shell.locate(word)
            files.mkdir(local)
        except WinError as exc:
            outcome = FAILED
            if exc.code == ALREADY_EXISTS:
                context.complain("md_exists", word)
            else:
                context.fault(exc.code)
    return outcome


def remove_directory(context: Context) -> Outcome:
    """``rd [/s /q] FOLDER``: its return code is the Windows error; ERRORLEVEL stays."""
    switches, words = context.switches_and_words()
    if not words:
        context.complain("syntax")
        return FAILED
    for word in words:
        if "s" in switches and "q" not in switches and not _sure(context, word + "\\*"):
            continue
        try:
            files, local = context.shell.locate(word)
            files.rmdir(local, recursive="s" in switches)
        except WinError as exc:
            context.fault(exc.code)
            return exc.code, None
    return 0, None


FILE_BUILTINS: dict[str, Builtin] = {
    "type": type_files,
    "del": delete,
    "erase": delete,
    "copy": copy,
    "move": move,
    "ren": rename,
    "rename": rename,
    "md": make_directory,
    "mkdir": make_directory,
    "rd": remove_directory,
    "rmdir": remove_directory,
}
