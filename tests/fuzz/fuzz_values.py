# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where hostile values come from: valid ones that are bent, and pieces that are repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

#: Bytes of the longest input that is made by repetition.
LONG = 1_000_000
_EDITS = ("insert", "delete", "replace", "repeat", "cut", "flip", "splice")
#: What upsets text readers of any kind.
NASTY = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b"\t",
    b" " * 40,
    b"\x1b[2J",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    "\u0665\u0b68\u00b2".encode(),
    "\u202e\u2028\u0085".encode(),
    b"-1",
    b"0",
    b"9" * 20,
    b"9" * 5000,
    b"1e999",
    b"nan",
    b"{{ lookup('pipe', 'id') }}",
    b"%COMSPEC%",
    b'"&calc&"',
)


def mutated(
    seeds: Sequence[bytes], tokens: Sequence[bytes] = (), *, most: int = 6
) -> st.SearchStrategy[bytes]:
    """Valid samples after some edits; now and then bytes of no sense at all."""
    pieces = st.one_of(
        st.sampled_from([*tokens, *NASTY]) if tokens else st.sampled_from(NASTY),
        st.binary(max_size=12),
        st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
    )

    @st.composite
    def edited(draw: st.DrawFn) -> bytes:
        data = draw(st.sampled_from(seeds))
        for _number in range(draw(st.integers(0, most))):
            data = _edit(draw, data, pieces, seeds)
        return data

    return st.one_of(edited(), edited(), edited(), st.binary(max_size=300))


def _edit(  # noqa: PLR0911 - one for each kind
    draw: st.DrawFn, data: bytes, pieces: st.SearchStrategy[bytes], seeds: Sequence[bytes]
) -> bytes:
    """Return data with one piece of it changed."""
    start = draw(st.integers(0, len(data)))
    end = min(len(data), start + draw(st.integers(0, 40)))
    match draw(st.sampled_from(_EDITS)):
        case "insert":
            return data[:start] + draw(pieces) + data[start:]
        case "delete":
            return data[:start] + data[end:]
        case "replace":
            return data[:start] + draw(pieces) + data[end:]
        case "repeat":
            return data[:start] + data[start:end] * draw(st.integers(2, 30)) + data[end:]
        case "cut":
            return data[:start]
        case "flip" if start < len(data):
            return (
                data[:start] + bytes([data[start] ^ draw(st.integers(1, 255))]) + data[start + 1 :]
            )
        case _:
            other = draw(st.sampled_from(seeds))
            return data[:start] + other[draw(st.integers(0, len(other))) :]


def mutated_text(
    seeds: Sequence[str], tokens: Sequence[str] = (), *, most: int = 6
) -> st.SearchStrategy[str]:
    """The same for text."""
    known = [[text.encode("utf-8", "surrogatepass") for text in each] for each in (seeds, tokens)]
    encoded = mutated(*known, most=most)
    return st.one_of(encoded.map(lambda data: data.decode("utf-8", "surrogateescape")), st.text())


def long_bytes(seeds: Sequence[bytes], tokens: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """A megabyte made of a few pieces, where whatever is not linear takes for ever."""
    lines = [piece for seed in seeds for piece in (seed, *seed.splitlines(keepends=True))]
    pieces = st.one_of(
        st.sampled_from([*lines, *tokens]), st.sampled_from(NASTY), st.binary(max_size=4)
    )
    parts = st.tuples(pieces, st.lists(pieces, min_size=1, max_size=3), pieces)

    def build(made: tuple[bytes, list[bytes], bytes]) -> bytes:
        piece = b"".join(made[1]) or b"x"
        return made[0] + piece * (LONG // len(piece)) + made[2]

    return parts.map(build)


#: Values that no property of an object has: of the wrong type, not finite, huge, nested.
ODDITIES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**30,
    -(10**400),
    2**63,
    1.5,
    float("nan"),
    float("inf"),
    float("-inf"),
    [],
    [None],
    [1, "a", None],
    [[[["x"]]]],
    ["x" * 10_000] * 50,
    {},
    {"a": None},
    {"a": {"b": ["c"]}},
    "",
    " ",
    "\x00",
    "\r\n",
    "\ud800",
    "\u0665",
    "9" * 5000,
    "9" * 20,
    "-1",
    "1e999",
    "nan",
    "x" * 100_000,
    "True",
    "$true",
    "{{ lookup('pipe', 'id') }}",
    "a;b;c",
    ";" * 300,
    "SMTP:;",
    "SMTP:*;1",
    "SMTP:nestle.com;\u0665",
    "[::1]",
    "[192.0.2.1",
    "192.0.2.1/24",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
)
ODD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(ODDITIES),
    st.sampled_from(ODDITIES),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.lists(st.sampled_from(ODDITIES), max_size=4),
    st.dictionaries(st.text(max_size=5), st.sampled_from(ODDITIES), max_size=3),
)


def one_odd(valid: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A valid object with one property after the other missing, and of each odd value."""
    for name in valid:
        yield {other: value for other, value in valid.items() if other != name}
        for odd in ODDITIES:
            yield {**valid, name: odd}


def bent(valid: Mapping[str, Any], odd: st.SearchStrategy[Any] = ODD) -> st.SearchStrategy[Any]:
    """A valid object with some properties of another value, missing, or made up."""
    names = st.sampled_from(sorted(valid))

    def apply(made: tuple[dict[str, Any], list[str]]) -> dict[str, Any]:
        changes, missing = made
        return {k: v for k, v in {**valid, **changes}.items() if k not in missing}

    anywhere = st.one_of(names, names, names, st.text(max_size=8))
    changes = st.dictionaries(anywhere, odd, min_size=1, max_size=4)
    return st.tuples(changes, st.lists(names, max_size=1)).map(apply)
