# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cmd.exe interpreter: runs the tree of one line on a lab host.

Documented and often surprising rules kept here: every command has a return code, which ``&&`` and
``||`` look at and ``cmd /c`` ends with, and which is not always ERRORLEVEL. A redirect that fails
leaves ERRORLEVEL as it was, and so do ECHO, SET, FOR, IF and RD; where ``||`` sees a failure, it
sets ERRORLEVEL to the return code. CALL of a command that sets nothing clears ERRORLEVEL. Each side
of a pipe has its own shell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from . import loops
from .commands import BUILTINS as PLAIN_BUILTINS
from .commands import Context
from .dir_command import DIR_BUILTINS
from .errors import DRIVE_NOT_FOUND, FILE_NOT_FOUND, PATH_NOT_FOUND, WinError
from .expand import delayed, loop_variables, percent
from .file_commands import FILE_BUILTINS
from .filesystem import is_device
from .phrases import phrase
from .process import Invocation, Sink, Stdin, Streams
from .programs import find_program, split_arguments
from .shell import Shell
from .syntax import (
    DELIMITERS,
    Block,
    Chain,
    Command,
    CommandSyntaxError,
    Condition,
    For,
    If,
    Node,
    Redirect,
    parse,
    render,
)

MAX_LINE = 8191  # characters cmd.exe takes (KB830473)
UNKNOWN_COMMAND = 9009
BUILTINS = {**PLAIN_BUILTINS, **FILE_BUILTINS, **DIR_BUILTINS}


class Exit(Exception):  # noqa: N818 - not an error: the EXIT command
    """The shell ends with this exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def run_line(line: str, shell: Shell, streams: Streams) -> int:
    """Run one line as ``cmd /c`` does and return its exit code.

    Only the first line of the text counts, and only if it is not too long.
    """
    line = line.partition("\n")[0].replace("\r", "")
    runner = Interpreter(shell, streams)
    if len(line) > MAX_LINE:
        runner.error(streams, "too_long")
        return 1
    try:
        return runner.line(line)
    except Exit as exc:
        return exc.code


def command_tail(text: str, shell: Shell) -> str:
    """Apply the quote rule of ``cmd /c``: the outermost quotes go, unless they hold a program.

    They stay if there are no others, with blanks and no special characters between them, and what
    they hold is the name of an executable file (``cmd /?``).
    """
    text = text.lstrip()
    if not text.startswith('"') or '"' not in text[1:]:
        return text
    inner = text[1 : text.index('"', 1)]
    plain = text.count('"') == 2 and not set(inner) & set("&<>()@^|") and " " in inner
    if plain and find_program(inner, shell):
        return text
    last = text.rindex('"')
    return text[1:last] + text[last + 1 :]


def _discard(_data: bytes) -> None:
    """Swallow what goes to NUL."""


class Interpreter:
    """Runs commands in one shell. ``variables`` are those of the FOR loops around."""

    def __init__(
        self, shell: Shell, streams: Streams, variables: Mapping[str, str] | None = None
    ) -> None:
        self.shell = shell
        self.streams = streams
        self.variables = dict(variables or {})

    def line(self, text: str) -> int:
        """Expand, parse and run a line; return the last command's code."""
        try:
            node = parse(percent(text, self.shell))
        except CommandSyntaxError as exc:
            self.error(self.streams, "unexpected" if exc.token else "syntax", exc.token)
            self.shell.errorlevel = 1
            return 1
        return self.run(node, self.streams) if node else 0

    def error(self, streams: Streams, key: str, *values: object) -> None:
        """Print one of cmd's own texts to standard error."""
        streams.stderr(self.shell.encode(phrase(key, self.shell.host.language, *values)))

    def fault(self, streams: Streams, code: int) -> int:
        """Print a Windows error to standard error; the command failed with 1."""
        streams.stderr(self.shell.encode(self.shell.message(code) + "\r\n"))
        return 1

    def run(self, node: Node, streams: Streams) -> int:
        """Run a tree; return the code that ``&&`` and ``||`` look at."""
        streams.check()
        match node:
            case Command():
                return self._command(node, streams)
            case Block():
                return self._block(node, streams)
            case Chain():
                return self._chain(node, streams)
            case If():
                return self._if(node, streams)
            case For():
                return self._for(node, streams)

    # -- structure ---------------------------------------------------------------------------

    def _chain(self, node: Chain, streams: Streams) -> int:
        if node.operator == "|":
            return self._pipe(node, streams)
        code = self.run(node.left, streams)
        if node.operator == "&&" and code != 0:
            return code
        if node.operator == "||":
            if code == 0:
                return code
            self.shell.errorlevel = code
        return self.run(node.right, streams)

    def _pipe(self, node: Chain, streams: Streams) -> int:
        passed = bytearray()
        self._in_child(node.left, replace(streams, stdout=passed.extend))
        stdin = Stdin(bytes(passed), closed=True)
        self.shell.errorlevel = self._in_child(node.right, replace(streams, stdin=stdin))
        return self.shell.errorlevel

    def _in_child(self, node: Node, streams: Streams) -> int:
        """Run one side of a pipe in a shell of its own; return its exit code."""
        child = self.shell.child()
        child.echo = False
        try:
            code = Interpreter(child, streams, self.variables).run(node, streams)
        except Exit as exc:
            return exc.code
        return code

    def _block(self, node: Block, streams: Streams) -> int:
        try:
            streams = self._redirected(node.redirects, streams)
        except WinError as exc:
            return self.fault(streams, exc.code)
        return self.run(node.body, streams) if node.body else 0

    def _if(self, node: If, streams: Streams) -> int:
        try:
            holds = self._holds(node.condition) ^ node.condition.negated
        except ValueError:
            self.error(streams, "syntax")
            return 1
        if holds:
            return self.run(node.then, streams)
        return self.run(node.otherwise, streams) if node.otherwise else 0

    def _holds(self, condition: Condition) -> bool:
        left, right = self._expand(condition.left), self._expand(condition.right)
        if condition.kind == "exist":
            return bool(loops.matching(left, self.shell))
        if condition.kind == "errorlevel":
            return self.shell.errorlevel >= int(left)
        if condition.kind == "defined":
            return self.shell.environment.get(left) is not None
        return loops.compare(condition.kind, left, right, ignore_case=condition.ignore_case)

    def _for(self, node: For, streams: Streams) -> int:
        code = 0
        items = self._expand(node.items)
        for values in loops.iterations(node, items, self._capture):
            streams.check()
            self.variables.update(values)
            if self.shell.echo and not node.silent:
                self._show(node.body, streams)
            code = self.run(node.body, streams)
        for letter in loops.letters(node):
            self.variables.pop(letter, None)
        return code

    def _capture(self, command: str | None) -> tuple[Shell, bytes]:
        """Run the command of ``for /f``; with None only give the shell."""
        output = bytearray()
        if command is not None:
            run_line(command, self.shell.child(), replace(self.streams, stdout=output.extend))
        return self.shell, bytes(output)

    def _show(self, node: Node, streams: Streams) -> None:
        """Print prompt and command, as cmd does for each turn of a loop unless ``@`` is there."""
        if not getattr(node, "silent", False):
            text = f"\r\n{self.shell.cwd}>{self._expand(render(node))} \r\n"
            streams.stdout(self.shell.encode(text))

    # -- one command -------------------------------------------------------------------------

    def _expand(self, text: str) -> str:
        text = loop_variables(text, self.variables, self.shell)
        return delayed(text, self.shell) if self.shell.delayed_expansion else text

    def _command(self, node: Command, streams: Streams) -> int:
        outer = streams
        try:
            streams = self._redirected(node.redirects, streams)
        except WinError as exc:
            return self.fault(outer, exc.code)
        text = self._expand(node.text).lstrip(DELIMITERS)
        if not text:
            return 0
        try:
            return self._execute(text, streams)
        except WinError as exc:
            self.shell.errorlevel = 1
            return self.fault(outer, exc.code)

    def _execute(self, text: str, streams: Streams) -> int:
        name, rest = _split_name(text)
        lower = name.lower()
        if lower == "call":
            return self._call(rest, streams)
        if lower == "exit":
            digits = rest.replace("/b", "").replace("/B", "").strip()
            raise Exit(int(digits) if digits.lstrip("-").isdigit() else self.shell.errorlevel)
        if name.endswith(":") and len(text.strip()) == 2:
            return self._change_drive(name)
        if builtin := BUILTINS.get(lower):
            code, errorlevel = builtin(Context(self.shell, streams, name, rest))
            if errorlevel is not None:
                self.shell.errorlevel = errorlevel
            return code
        return self._external(text, streams)

    def _change_drive(self, name: str) -> int:
        if not self.shell.host.fs.is_dir(name + "\\"):
            self.shell.errorlevel = 1
            return self.fault(self.streams, DRIVE_NOT_FOUND)
        if self.shell.cwd[0].upper() != name[0].upper():
            self.shell.cwd = f"{name[0].upper()}:\\"
        return 0

    def _call(self, rest: str, streams: Streams) -> int:
        """Run CALL: percent signs are looked at a second time; operators are not."""
        text = percent(rest.lstrip(DELIMITERS), self.shell)
        if not text:
            return 0
        code = self._execute(text, streams)
        name = _split_name(text)[0].lower()
        if code == 0 and name in BUILTINS:
            self.shell.errorlevel = 0
        return code

    def _external(self, text: str, streams: Streams) -> int:
        name, raw = _split_program(text)
        tool = find_program(name, self.shell)
        if tool is None:
            return self._unknown(name, streams)
        argv = [name, *split_arguments(raw)]
        code = tool(Invocation(self.shell, streams, argv, raw))
        self.shell.errorlevel = code
        return code

    def _unknown(self, name: str, streams: Streams) -> int:
        """Say that there is no such command, or no such folder where it names one."""
        folder = name.replace("/", "\\").rpartition("\\")[0]
        if folder and not loops.matching(folder, self.shell):
            self.shell.errorlevel = PATH_NOT_FOUND
            return self.fault(streams, PATH_NOT_FOUND)
        self.error(streams, "unknown_command", name)
        self.shell.errorlevel = UNKNOWN_COMMAND
        return 1

    # -- redirects ---------------------------------------------------------------------------

    def _redirected(self, redirects: tuple[Redirect, ...], streams: Streams) -> Streams:
        handles: dict[int, Sink] = {1: streams.stdout, 2: streams.stderr}
        stdin = streams.stdin
        for redirect in redirects:
            target = self._expand(redirect.target).strip('"')
            if redirect.mode == "&":
                handles[redirect.handle] = handles.get(int(target), _discard)
            elif redirect.mode == "<":
                stdin = Stdin(self._input(target), closed=True)
            else:
                sink = self._output(target, truncate=redirect.mode == ">")
                if redirect.handle == 0:
                    stdin = Stdin(closed=True)
                handles[redirect.handle] = sink
        return replace(streams, stdout=handles[1], stderr=handles[2], stdin=stdin)

    def _input(self, target: str) -> bytes:
        if is_device(target):
            return b""
        files, path = self.shell.locate(target)
        if files.is_dir(path):
            raise WinError(FILE_NOT_FOUND, target)
        return files.read_bytes(path)

    def _output(self, target: str, *, truncate: bool) -> Sink:
        if is_device(target):
            return _discard
        files, path = self.shell.locate(target)
        if truncate:
            files.write_bytes(path, b"")
        else:
            files.append(path, b"")
        return lambda data: files.append(path, data)


def _split_name(text: str) -> tuple[str, str]:
    """Split a command's name from the rest, as for internal commands (``echo.``, ``cd..``)."""
    end = 0
    while end < len(text) and text[end] not in DELIMITERS + '/\\:."()[]+<>|&':
        end += 1
    name, rest = text[:end], text[end:]
    if rest[:1] in {".", ":", "(", "[", "]", "+"} and name.lower() != "echo":
        is_dots = name.lower() in {"cd", "chdir"} and rest.startswith("..")
        return (name, rest) if is_dots else (text, "")
    return name, rest


def _split_program(text: str) -> tuple[str, str]:
    """Split an external program's name, possibly quoted, from its arguments."""
    quoted = False
    for end, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif not quoted and (char in DELIMITERS or (char == "/" and end > 0)):
            return text[:end].replace('"', ""), text[end:]
    return text.replace('"', ""), ""
