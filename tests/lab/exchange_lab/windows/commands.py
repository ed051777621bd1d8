# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that cmd.exe itself knows, except those that work on files and folders.

Which of them clear ERRORLEVEL on success was established by experiment by others and is widely
documented: ECHO, SET, REM, TITLE, POPD and RD leave it alone, the rest clear it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

from .errors import DIRECTORY_NAME_INVALID, PATH_NOT_FOUND, WinError
from .phrases import phrase
from .process import Streams
from .shell import Shell
from .syntax import DELIMITERS

Outcome = tuple[int, int | None]
"""What ``&&`` and ``||`` see, and the new ERRORLEVEL (None: leave it)."""

OK: Outcome = (0, 0)
KEEP: Outcome = (0, None)
FAILED: Outcome = (1, 1)


@dataclass(frozen=True, slots=True)
class Context:
    """One call of an internal command: its name as typed and the text behind it, unsplit."""

    shell: Shell
    streams: Streams
    name: str
    rest: str

    def out(self, text: str) -> None:
        """Print to standard output."""
        self.streams.check()
        self.streams.stdout(self.shell.encode(text))

    def err(self, text: str) -> None:
        """Print to standard error."""
        self.streams.check()
        self.streams.stderr(self.shell.encode(text))

    def say(self, key: str, *values: object) -> None:
        """Print one of cmd's texts to standard output."""
        self.out(phrase(key, self.shell.host.language, *values))

    def complain(self, key: str, *values: object) -> None:
        """Print one of cmd's texts to standard error."""
        self.err(phrase(key, self.shell.host.language, *values))

    def fault(self, code: int) -> Outcome:
        """Print a Windows error; the command failed."""
        self.err(self.shell.message(code) + "\r\n")
        return FAILED

    def words(self) -> list[str]:
        """Return the arguments, split at delimiters outside quotes, quotes removed."""
        inside = re.escape(DELIMITERS)
        found = re.findall(rf'(?:"[^"]*"?|[^{inside}"])+', self.rest)
        return [word.replace('"', "") for word in found]

    def switches_and_words(self) -> tuple[set[str], list[str]]:
        """Split ``/x`` switches (lower case, also joined: ``/s/q``) from the other arguments."""
        switches: set[str] = set()
        words: list[str] = []
        for word in self.words():
            if word.startswith("/"):
                switches.update(part.lower() for part in word.split("/") if part)
                continue
            name, *joined = word.split("/")
            words.append(name)
            switches.update(part.lower() for part in joined if part)
        return switches, words


def echo(context: Context) -> Outcome:
    """``echo text``, ``echo.text``, ``echo on|off``, and ``echo`` alone."""
    text = context.rest
    separator, text = text[:1], text[1:]
    blank = not text.strip(DELIMITERS)
    if blank and (not separator or separator in DELIMITERS):
        context.say("echo_on" if context.shell.echo else "echo_off")
    elif separator in DELIMITERS and text.strip().lower() in {"on", "off"}:
        context.shell.echo = text.strip().lower() == "on"
    elif separator in DELIMITERS and text.strip().startswith("/?"):
        context.out("Displays messages, or turns command-echoing on or off.\r\n")
    else:
        context.out(text + "\r\n")
    return KEEP


def set_variable(context: Context) -> Outcome:
    """``set``, ``set PREFIX``, ``set NAME=VALUE``, ``set "NAME=VALUE"``, ``set /p NAME=PROMPT``."""
    text = context.rest.lstrip(DELIMITERS)
    if text[:2].lower() == "/p":
        return _prompt(context, text[2:].lstrip())
    if text.startswith('"') and '"' in text[1:]:
        text = text[1 : text.rindex('"')]
    name, equals, value = text.partition("=")
    environment = context.shell.environment
    if equals:
        if not name or name.startswith("/"):
            context.complain("syntax")
            return FAILED
        environment.set(name, value)
        return KEEP
    found = [(n, v) for n, v in environment if n.upper().startswith(name.strip().upper())]
    for known, value in found:
        context.out(f"{known}={value}\r\n")
    if not found:
        context.complain("undefined", name)
        return FAILED
    return KEEP


def _prompt(context: Context, text: str) -> Outcome:
    name, _skipped, prompt = text.strip('"').partition("=")
    context.out(prompt)
    line = context.streams.stdin.read_line(context.streams.stop)
    answer = line.decode(context.shell.codec, "replace").rstrip("\r\n")
    if not answer:
        return FAILED
    context.shell.environment.set(name, answer)
    return KEEP


def change_directory(context: Context) -> Outcome:
    """``cd``, ``cd [/d] FOLDER`` (a folder with spaces needs no quotes)."""
    text = context.rest.strip(DELIMITERS)
    if text[:2].lower() == "/d":
        text = text[2:].strip()
    if not text:
        context.out(context.shell.cwd + "\r\n")
        return OK
    return _enter(context, text)


def _enter(context: Context, folder: str) -> Outcome:
    try:
        full = context.shell.absolute(folder)
    except WinError as exc:
        return context.fault(exc.code)
    files = context.shell.host.fs
    if full.startswith("\\\\") or not files.exists(full):
        return context.fault(PATH_NOT_FOUND)
    if not files.is_dir(full):
        return context.fault(DIRECTORY_NAME_INVALID)
    context.shell.cwd = files.spelling(full)
    return OK


def push_directory(context: Context) -> Outcome:
    """``pushd FOLDER``."""
    before = context.shell.cwd
    outcome = _enter(context, context.rest.strip(DELIMITERS))
    if outcome == OK:
        context.shell.directory_stack.append(before)
    return outcome


def pop_directory(context: Context) -> Outcome:
    """``popd``."""
    if not context.shell.directory_stack:
        return FAILED
    context.shell.cwd = context.shell.directory_stack.pop()
    return KEEP


def version(context: Context) -> Outcome:
    """``ver``."""
    context.out(f"\r\nMicrosoft Windows [Version {context.shell.host.version}]\r\n")
    return OK


def code_page(context: Context) -> Outcome:
    """``chcp`` and ``chcp N``."""
    words = context.words()
    if words:
        number = int(words[0]) if words[0].isdigit() else 0
        try:
            codecs.lookup("utf-8" if number == 65001 else f"cp{number}")
        except LookupError:
            context.complain("bad_code_page")
            return FAILED
        context.shell.code_page = number
    context.say("code_page", context.shell.code_page)
    return OK


def show_date(context: Context) -> Outcome:
    """``date /t``."""
    context.out(format(context.shell.host.clock(), "%a %m/%d/%Y ") + "\r\n")
    return OK


def show_time(context: Context) -> Outcome:
    """``time /t``."""
    context.out(format(context.shell.host.clock(), "%I:%M %p") + "\r\n")
    return OK


def ignored(context: Context) -> Outcome:
    """Accept what has no effect without a console: ``rem``, ``title``, ``cls``, ``color``."""
    return KEEP


Builtin = Callable[[Context], Outcome]

BUILTINS: dict[str, Builtin] = {
    "echo": echo,
    "set": set_variable,
    "cd": change_directory,
    "chdir": change_directory,
    "pushd": push_directory,
    "popd": pop_directory,
    "ver": version,
    "chcp": code_page,
    "date": show_date,
    "time": show_time,
    "rem": ignored,
    "title": ignored,
    "cls": ignored,
    "color": ignored,
    "setlocal": ignored,
    "endlocal": ignored,
}
