# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cmd.exe's grammar: from a line (after ``%VAR%`` was replaced) to a tree of commands."""

from __future__ import annotations

from dataclasses import dataclass, field

DELIMITERS = " \t,;=\v\f\xa0"
_SPECIAL = "&|<>"
_COMPARISONS = {"EQU", "NEQ", "LSS", "LEQ", "GTR", "GEQ"}


class CommandSyntaxError(Exception):
    """The line cannot be understood; ``token`` was unexpected (empty: nothing better to say)."""

    def __init__(self, token: str = "") -> None:
        super().__init__(token)
        self.token = token


@dataclass(frozen=True, slots=True)
class Redirect:
    """``HANDLE>TARGET``; ``mode`` is ``>``, ``>>``, ``<`` or ``&`` (TARGET is a handle)."""

    handle: int
    mode: str
    target: str


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command as text, carets removed."""

    text: str
    redirects: tuple[Redirect, ...] = ()
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """``( ... )``; None for nothing inside."""

    body: Node | None
    redirects: tuple[Redirect, ...] = ()
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """Two commands joined by ``&``, ``&&``, ``||`` or ``|``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Condition:
    """``kind`` is exist, errorlevel, defined, ``==`` or a comparison word."""

    kind: str
    left: str
    right: str = ""
    negated: bool = False
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class If:
    """``if CONDITION then [else otherwise]``."""

    condition: Condition
    then: Node
    otherwise: Node | None = None


@dataclass(frozen=True, slots=True)
class For:
    """``for [/KIND "OPTIONS"] %LETTER in (ITEMS) do BODY``; ``kind`` is "", F, L, D or R."""

    kind: str
    options: str
    letter: str
    items: str
    body: Node
    silent: bool = False


Node = Command | Block | Chain | If | For


def parse(line: str) -> Node | None:
    """Return the tree of one line; None when there is no command on it."""
    parser = _Parser(line)
    node = parser.chain()
    parser.skip()
    if parser.position < len(line):
        raise CommandSyntaxError(parser.line[parser.position])
    return node


def render(node: Node) -> str:
    """Return the command as cmd echoes it in the turns of a loop."""
    match node:
        case Command():
            return node.text + _rendered(node.redirects)
        case Block():
            return f"({render(node.body) if node.body else ''}){_rendered(node.redirects)}"
        case Chain():
            return f"{render(node.left)}  {node.operator} {render(node.right)}"
        case If():
            words = [node.condition.left, node.condition.kind, node.condition.right]
            return f"if {' '.join(filter(None, words))} {render(node.then)}"
        case For():
            return f"for %{node.letter} in ({node.items}) do {render(node.body)}"


def _rendered(redirects: tuple[Redirect, ...]) -> str:
    return "".join(f" {item.handle}{item.mode}{item.target}" for item in redirects)


@dataclass(slots=True)
class _Parser:
    line: str
    position: int = 0
    depth: int = 0
    _redirects: list[Redirect] = field(default_factory=list)

    # -- characters --------------------------------------------------------------------------

    def skip(self, characters: str = DELIMITERS) -> None:
        while self.position < len(self.line) and self.line[self.position] in characters:
            self.position += 1

    def _peek(self, text: str) -> bool:
        return self.line.startswith(text, self.position)

    def _take(self, text: str) -> bool:
        if self._peek(text):
            self.position += len(text)
            return True
        return False

    def _at_end(self) -> bool:
        """Tell whether the command ends here: operator, end of line, or ``)`` of a block."""
        rest = self.line[self.position : self.position + 1]
        return not rest or rest in "&|" or (rest == ")" and self.depth > 0)

    def _word_ahead(self) -> str:
        """Return the next bare word in upper case without taking it."""
        end = self.position
        while end < len(self.line) and self.line[end] not in DELIMITERS + _SPECIAL + '()"/':
            end += 1
        return self.line[self.position : end].upper()

    # -- chains: | binds tightest, then &&, then ||, then & -----------------------------------

    def chain(self) -> Node | None:
        left = self._joined("||", "&&", "|")
        while left is not None and self._operator("&"):
            right = self._joined("||", "&&", "|")
            if right is None:
                break
            left = Chain("&", left, right)
        return left

    def _joined(self, operator: str, *tighter: str) -> Node | None:
        left = self._joined(*tighter) if tighter else self._single()
        while left is not None and self._operator(operator):
            right = self._joined(*tighter) if tighter else self._single()
            if right is None:
                raise CommandSyntaxError(self.line[self.position : self.position + 1])
            left = Chain(operator, left, right)
        return left

    def _operator(self, operator: str) -> bool:
        self.skip()
        if len(operator) == 1 and self._peek(operator * 2):
            return False
        return self._take(operator)

    # -- one command -------------------------------------------------------------------------

    def _single(self) -> Node | None:
        silent = False
        self.skip()
        while self._take("@"):
            silent = True
            self.skip()
        redirects = self._leading_redirects()
        if self._at_end():
            return self._nothing(redirects, silent=silent)
        if self._take("("):
            return self._block(redirects, silent=silent)
        match self._word_ahead():
            case "IF":
                self.position += 2
                node = self._if()
            case "FOR":
                self.position += 3
                node = self._for(silent=silent)
            case "REM":
                self.position = len(self.line)
                node = Command("rem", (), silent)
            case _:
                text = self._text(redirects)
                node = Command(text, tuple(redirects), silent)
        return node

    def _nothing(self, redirects: list[Redirect], *, silent: bool) -> Node | None:
        """Deal with a place that has no command: redirects alone make an empty file."""
        if redirects:
            return Command("", tuple(redirects), silent)
        if not self._peek(")") and self.position < len(self.line):
            raise CommandSyntaxError(self.line[self.position])
        return None

    def _block(self, redirects: list[Redirect], *, silent: bool) -> Node:
        self.depth += 1
        body = self.chain()
        self.depth -= 1
        self.skip()
        if not self._take(")"):
            raise CommandSyntaxError
        redirects += self._leading_redirects()
        return Block(body, tuple(redirects), silent)

    def _leading_redirects(self) -> list[Redirect]:
        redirects: list[Redirect] = []
        self.skip()
        while redirect := self._redirect(at_token_start=True):
            redirects.append(redirect)
            self.skip()
        return redirects

    def _redirect(self, *, at_token_start: bool) -> Redirect | None:
        """Take a redirect; a digit counts as its handle only where a token starts."""
        start, digit = self.position, None
        if at_token_start and self.line[start : start + 1].isdigit():
            digit, start = int(self.line[start]), start + 1
        arrow = self.line[start : start + 1]
        if arrow not in {"<", ">"}:
            return None
        self.position = start + 1
        handle = digit if digit is not None else int(arrow == ">")
        if arrow == ">" and self._take(">"):
            arrow = ">>"
        if self._take("&"):
            self.skip()
            target = self.line[self.position : self.position + 1]
            if not target.isdigit():
                raise CommandSyntaxError(target or "&")
            self.position += 1
            return Redirect(handle, "&", target)
        self.skip()
        target = self._token()
        if not target:
            raise CommandSyntaxError(self.line[self.position : self.position + 1])
        return Redirect(handle, arrow, target)

    def _token(self) -> str:
        """Take one word: up to an unquoted delimiter or special character."""
        output: list[str] = []
        quoted = False
        while self.position < len(self.line):
            char = self.line[self.position]
            if not quoted and (char in DELIMITERS + _SPECIAL or self._at_end()):
                break
            self.position += 1
            if char == "^" and not quoted:
                output.append(self.line[self.position : self.position + 1])
                self.position += 1
                continue
            quoted ^= char == '"'
            output.append(char)
        return "".join(output)

    def _text(self, redirects: list[Redirect]) -> str:
        """Take the rest of a simple command; redirects in it are collected, carets removed."""
        output: list[str] = []
        quoted = False
        token_start = True
        while self.position < len(self.line):
            char = self.line[self.position]
            if not quoted:
                if self._at_end():
                    break
                redirect = self._redirect(at_token_start=token_start)
                if redirect:
                    redirects.append(redirect)
                    token_start = True
                    continue
            self.position += 1
            if char == "^" and not quoted:
                output.append(self.line[self.position : self.position + 1])
                self.position += 1
                token_start = False
                continue
            quoted ^= char == '"'
            token_start = not quoted and char in DELIMITERS
            output.append(char)
        return "".join(output)

    # -- if ----------------------------------------------------------------------------------

    def _if(self) -> Node:
        ignore_case = negated = False
        self.skip()
        while self._peek("/i") or self._peek("/I"):
            self.position += 2
            ignore_case = True
            self.skip()
        while self._word_ahead() == "NOT":
            self.position += 3
            negated = not negated
            self.skip()
        condition = self._condition(negated=negated, ignore_case=ignore_case)
        then = self._branch()
        self.skip()
        otherwise = None
        if self._word_ahead() == "ELSE":
            self.position += 4
            otherwise = self._branch()
        return If(condition, then, otherwise)

    def _condition(self, *, negated: bool, ignore_case: bool) -> Condition:
        word = self._word_ahead()
        if word in {"EXIST", "ERRORLEVEL", "DEFINED"}:
            self.position += len(word)
            self.skip()
            return Condition(word.lower(), self._token(), "", negated, ignore_case)
        left = self._token()
        self.skip(" \t")
        if self._take("=="):
            self.skip()
            return Condition("==", left, self._token(), negated, ignore_case)
        self.skip()
        word = self._word_ahead()
        if word not in _COMPARISONS:
            raise CommandSyntaxError(self._token() or left)
        self.position += 3
        self.skip()
        return Condition(word, left, self._token(), negated, ignore_case)

    def _branch(self) -> Node:
        """Take what IF or ELSE governs: everything up to the end of the line or block.

        Only behind a bracketed block can an ELSE follow; elsewhere it is text of the command.
        """
        start = self.position
        node = self.chain()
        if node is None:
            raise CommandSyntaxError(self.line[start : start + 1])
        return node

    # -- for ---------------------------------------------------------------------------------

    def _for(self, *, silent: bool) -> Node:
        kind = options = ""
        self.skip()
        if self._take("/"):
            kind = self.line[self.position : self.position + 1].upper()
            if kind not in "FLDR":
                raise CommandSyntaxError(f"/{kind}")
            self.position += 1
            self.skip()
            if not self._peek("%"):
                options = self._token().strip('"')
                self.skip()
        if not self._take("%"):
            raise CommandSyntaxError(self._token())
        letter = self._token()
        self.skip()
        if len(letter) != 1:
            raise CommandSyntaxError(f"%{letter}")
        self._keyword("IN")
        if not self._take("("):
            raise CommandSyntaxError(self._token())
        items = self._items()
        self._keyword("DO")
        body = self.chain()
        if body is None:
            raise CommandSyntaxError
        return For(kind, options, letter, items, body, silent)

    def _keyword(self, word: str) -> None:
        self.skip()
        if self._word_ahead() != word:
            raise CommandSyntaxError(self._token())
        self.position += len(word)
        self.skip()

    def _items(self) -> str:
        output: list[str] = []
        quoted = False
        while self.position < len(self.line):
            char = self.line[self.position]
            self.position += 1
            if char == ")" and not quoted:
                return "".join(output)
            if char == "^" and not quoted:
                char = self.line[self.position : self.position + 1]
                self.position += 1
            quoted ^= char == '"'
            output.append(char)
        raise CommandSyntaxError
