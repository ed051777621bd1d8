# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches: one line, several answers, and no way to fake a marker."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    InvalidInput,
    SessionLost,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import (
    Batch,
    Completed,
)
from hypothesis import given
from hypothesis import strategies as st

NONCE = "0123456789abcdef"


def batch(*names: str) -> Batch:
    made = Batch(NONCE)
    for name in names:
        made.add(name, f"type {name}")
    return made


def answer(*sections: tuple[str, bytes, int]) -> bytes:
    """What cmd.exe prints for a batch; the output may lack a line end."""
    mark = f"#{NONCE}#".encode()
    return b"".join(
        mark + name.encode() + b"\r\n" + output + mark + f"rc {code}\r\n".encode()
        for name, output, code in sections
    )


def test_the_line_is_the_documented_one() -> None:
    made = Batch(NONCE)
    made.add("a", "reg query HKLM")
    made.add("b", r'(if exist "C:\a" echo yes)')
    assert made.line() == (
        f"echo #{NONCE}#a&reg query HKLM 2>&1&call echo #{NONCE}#rc %^errorlevel%&"
        f'echo #{NONCE}#b&(if exist "C:\\a" echo yes)&call echo #{NONCE}#rc %^errorlevel%'
    )


def test_an_if_does_not_swallow_the_rest_of_the_line() -> None:
    made = Batch(NONCE)
    made.add("a", "if exist C:\\a echo yes")
    assert "&(if exist C:\\a echo yes)&call" in made.line()


def test_answers_are_taken_apart() -> None:
    found = batch("one", "two").parse(
        Completed(0, answer(("one", b"a\r\nb", 0), ("two", b"", -1073741510)), b"")
    )
    assert found["one"].output == b"a\r\nb"
    assert found["one"].ok
    assert found["two"].exit_code == -1073741510
    assert not found["two"].ok


@pytest.mark.parametrize(
    "stdout",
    [
        b"",
        b"'reg' is not recognized",
        answer(("one", b"", 0)),  # the second is missing
        answer(("two", b"", 0), ("one", b"", 0)),  # in another order
        answer(("one", b"", 0), ("two", b"", 0))[:-5],  # cut within the mark
        answer(("one", b"", 0), ("two", b"", 0)).replace(b"rc 0", b"rc %errorlevel%"),
        answer(("one", b"", 0), ("two", b"", 0)).replace(NONCE.encode(), b"f" * 16),
    ],
)
def test_an_answer_without_every_mark_is_garbage(stdout: bytes) -> None:
    with pytest.raises(SessionLost, match="mail5-a: unexpected output from command"):
        batch("one", "two").parse(Completed(1, stdout, b"\x1b[2Jboom"), host="mail5-a")


def test_the_message_about_garbage_shows_it_harmlessly() -> None:
    with pytest.raises(SessionLost) as caught:
        batch("one").parse(Completed(1, b"", b"\x1b[2Jboom"), host="mail5-a")
    assert "[2Jboom" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert caught.value.details == {"exit_code": 1}


def test_a_cut_answer_is_not_taken_for_a_whole_one() -> None:
    done = Completed(-1, answer(("one", b"", 0)), b"", truncated=True)
    with pytest.raises(ExchangeError, match="cut off"):
        batch("one").parse(done)


@pytest.mark.parametrize("name", ["", "rc", "1a", "a b", "a&b", "one"])
def test_a_name_is_short_plain_and_new(name: str) -> None:
    made = batch("one")
    with pytest.raises(InvalidInput):
        made.add(name, "ver")


@pytest.mark.parametrize("command", ["", " ", "ver\r\ndel x", f"echo #{NONCE}#rc 0"])
def test_what_is_no_command_is_refused(command: str) -> None:
    with pytest.raises(InvalidInput):
        batch().add("one", command)


@pytest.mark.parametrize("nonce", ["short", "G" * 16, "0123456789abcde&"])
def test_the_nonce_is_hexadecimal_and_long(nonce: str) -> None:
    with pytest.raises(InvalidInput):
        Batch(nonce)


def test_every_batch_has_its_own_nonce() -> None:
    assert len({Batch()._nonce for _round in range(100)}) == 100
    one, two = Batch(), Batch()
    one.add("a", "ver")
    two.add("a", "ver")
    assert one.line() != two.line()


def test_a_line_that_cmd_would_cut_is_refused() -> None:
    made = Batch(NONCE)
    made.add("a", "echo " + "x" * 8191)
    with pytest.raises(InvalidInput, match="8191"):
        made.line()


# Output that imitates the marks, with every nonce but the right one.
_HOSTILE = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"#", b"\r\n", b"#one\r\n", b"rc 0\r\n", b"#rc 1\r\n"]),
        st.binary(min_size=8, max_size=8).map(lambda b: b"#" + b.hex().encode() + b"#rc 0\r\n"),
    ),
    max_size=8,
).map(b"".join)


@given(
    first=_HOSTILE,
    second=_HOSTILE,
    codes=st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(0, 255)),
)
def test_no_output_can_pass_for_a_mark(first: bytes, second: bytes, codes: tuple[int, int]) -> None:
    stdout = answer(("one", first, codes[0]), ("two", second, codes[1]))
    found = batch("one", "two").parse(Completed(0, stdout, b""))
    assert (found["one"].output, found["one"].exit_code) == (first, codes[0])
    assert (found["two"].output, found["two"].exit_code) == (second, codes[1])


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_garbage_and_nothing_worse(stdout: bytes) -> None:
    with pytest.raises(SessionLost):
        batch("one").parse(Completed(0, stdout, b""))
