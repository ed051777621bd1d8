# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as PowerShell remoting writes them (MS-PSRP 2.2.5), read as plain Python values. Pure.

Text from a host is data: it is unescaped and never interpreted. Anything else raises
``NotAnObject``, because half an object must not pass as a whole one.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

#: How deep objects within objects are followed; deeper ones are shown by their text.
MAX_DEPTH = 8
# An object can be referred to many times, also from within itself. What is read altogether may be
# so many times as long as the document, and never less than so many characters.
_GROWTH, _LEAST = 10, 10_000
#: Elements within elements of any message. An error record of Exchange has about a dozen.
MAX_NESTING = 40
#: Characters of a message other than output: an error, a warning or a state.
MAX_RECORD = 1_048_576

_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_TEXTS = frozenset(
    {"S", "ToString", "URI", "XD", "SBK", "DT", "TS", "D", "G", "Version", "BA", "PR"}
)
_NUMBERS = frozenset({"By", "SB", "U16", "I16", "U32", "I32", "U64", "I64"})
_LISTS = frozenset({"LST", "IE", "STK", "QUE"})
_WRAPPED = (_TEXTS - {"ToString"}) | _NUMBERS | {"B", "C", "Db", "Sg", "Nil", "SS"}


class NotAnObject(Exception):  # noqa: N818 - never leaves this package
    """Text that is not a serialised object."""


def check(text: str) -> None:
    """Raise NotAnObject for a document that could cost far more than its own size to read.

    These are documents that declare a type, because its entities may grow, and deep ones: pypsrp
    keeps the text of each object, and thus that of the innermost once for each around it. A
    document that is not well formed passes, because every reader rejects it.
    """
    depth = 0

    def start(_name: str, _attributes: Mapping[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_NESTING:
            raise NotAnObject(f"elements nested deeper than {MAX_NESTING}")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def declared(*_unused: object) -> None:
        raise NotAnObject("a document type declaration")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = declared
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError):
        return


def read(text: str) -> Any:
    """Return a serialised object as dict, list, text, number, boolean or None.

    An object with properties becomes a dict of them, adapted ones and extended ones together. An
    object within another, and an enumeration, become the text of their ``ToString``, as
    PowerShell prints it; the properties only if that text is just the name of the type.
    """
    if "<!DOCTYPE" in text:
        raise NotAnObject("a document type declaration")
    try:
        reader = _Reader(_LEAST + _GROWTH * len(text))
        return reader.value(ET.fromstring(text), 0)  # noqa: S314 - no DTD, so no entity
    except (ET.ParseError, ValueError, OverflowError, KeyError) as error:
        raise NotAnObject(type(error).__name__) from None


def unescape(text: str | None) -> str:
    """Return text with its ``_xHHHH_`` escapes (MS-PSRP 2.2.5.3.2) undone.

    The escapes are of UTF-16 code units; half of a surrogate pair becomes U+FFFD.
    """
    return _whole(_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text or ""))


def _whole(text: str) -> str:
    """Join the halves of surrogate pairs; a half that is alone becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@dataclass(slots=True)
class _Reader:
    """Reads one document; objects in it may refer to earlier ones, by number.

    ``left`` is how many elements and characters may still be read.
    """

    left: int
    objects: dict[str, ET.Element] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)

    def value(self, element: ET.Element, depth: int) -> Any:
        if element.tag == "Ref":
            element = self.objects[element.attrib["RefId"]]
        self._pay(element)
        is_object = element.tag in {"Obj", "Ref"}
        return self._object(element, depth) if is_object else _primitive(element)

    def _pay(self, element: ET.Element) -> None:
        self.left -= 1 + len(element) + len(element.text or "") + len(element.get("N", ""))
        if self.left < 0:
            raise NotAnObject("objects that repeat each other without end")

    def _object(self, element: ET.Element, depth: int) -> Any:
        self.objects[element.get("RefId", "")] = element
        type_name = self._type_name(element)
        shown = element.find("ToString")
        if shown is not None:
            self._pay(shown)
        text = None if shown is None else unescape(shown.text)
        if depth > MAX_DEPTH:
            return text
        for child in element:
            if child.tag in _LISTS:
                return [self.value(item, depth + 1) for item in child]
            if child.tag == "DCT":
                return dict(self._entries(child, depth))
        wrapped = next((c for c in element if c.tag in _WRAPPED), None)
        if wrapped is not None:
            return _primitive(wrapped) if text is None or wrapped.tag == "S" else text
        properties = {
            unescape(child.attrib["N"]): self.value(child, depth + 1)
            for kind in ("Props", "MS")
            for child in element.findall(f"{kind}/*")
        }
        says_something = text is not None and text != type_name
        if properties and (depth == 0 or not says_something):
            return properties
        return text if text is not None else properties

    def _type_name(self, element: ET.Element) -> str:
        """Return the name of an object's own type; the list may be given by number."""
        names, reference = element.find("TN"), element.find("TNRef")
        if names is not None:
            text = names.findtext("T") or ""
            self.left -= len(text)
            name = unescape(text).removeprefix("Deserialized.")
            return self.types.setdefault(names.get("RefId", ""), name)
        return "" if reference is None else self.types.get(reference.get("RefId", ""), "")

    def _entries(self, dictionary: ET.Element, depth: int) -> Iterator[tuple[str, Any]]:
        for entry in dictionary.findall("En"):
            self._pay(entry)
            named = {child.get("N"): child for child in entry}
            yield str(self.value(named["Key"], depth + 1)), self.value(named["Value"], depth + 1)


def _primitive(element: ET.Element) -> Any:
    tag, text = element.tag, element.text or ""
    if tag in _TEXTS:
        return unescape(text)
    if tag in _NUMBERS:
        return int(text)
    match tag:
        case "B":
            return text.strip().lower() == "true"
        case "C":
            return _whole(chr(int(text)))
        case "Db" | "Sg":
            return float(text)
        case "Nil" | "SS":  # a secure string is never read
            return None
    raise NotAnObject(f"an element {tag[:20]!r}")
