# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serialised objects, by the forms of MS-PSRP 2.2.5 and those that Exchange was seen to use."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import clixml
from hypothesis import given
from hypothesis import strategies as st

CONNECTOR = """
<Obj RefId="0"><TN RefId="0"><T>Microsoft.Exchange.SendConnector</T><T>System.Object</T></TN>
<ToString>Internet</ToString><Props>
<S N="Name">Internet _x0041__x000A_</S><B N="Enabled">true</B><I32 N="Port">25</I32><Nil N="Fqdn"/>
<G N="Guid">6bf71e04-8cf3-4bc7-bd62-ab67381e9c90</G><DT N="WhenCreated">2026-11-23T13:08:12Z</DT>
<Obj N="Level" RefId="1"><TN RefId="1"><T>Microsoft.Exchange.ProtocolLoggingLevel</T>
<T>System.Enum</T></TN><ToString>Verbose</ToString><I32>1</I32></Obj>
<Obj N="Spaces" RefId="2"><TN RefId="2"><T>MultiValuedProperty</T></TN><LST><S>SMTP:*;1</S>
<Obj RefId="3"><TNRef RefId="1"/><ToString>None</ToString><I32>0</I32></Obj></LST></Obj>
<Obj N="Identity" RefId="4"><ToString>Internet</ToString><Props><S N="Dn">CN=x</S></Props></Obj>
<Obj N="Nested" RefId="5"><TN RefId="3"><T>Deserialized.A.B</T></TN><ToString>A.B</ToString>
<Props><S N="Inner">text</S></Props></Obj><Ref N="Again" RefId="4"/>
<Obj N="Table" RefId="6"><DCT><En><S N="Key">a</S><I32 N="Value">1</I32></En></DCT></Obj>
<Obj N="Secret" RefId="7"><SS>AAAA</SS></Obj>
</Props><MS><S N="Added">by PowerShell</S></MS></Obj>
"""


def test_an_object_becomes_its_properties() -> None:
    assert clixml.read(CONNECTOR) == {
        "Name": "Internet A\n",
        "Enabled": True,
        "Port": 25,
        "Fqdn": None,
        "Guid": "6bf71e04-8cf3-4bc7-bd62-ab67381e9c90",
        "WhenCreated": "2026-11-23T13:08:12Z",
        "Level": "Verbose",
        "Spaces": ["SMTP:*;1", "None"],
        "Identity": "Internet",
        "Nested": {"Inner": "text"},
        "Again": "Internet",
        "Table": {"a": 1},
        "Secret": None,
        "Added": "by PowerShell",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "<Obj",
        '<!DOCTYPE x [<!ENTITY a "b">]><S>&a;</S>',
        "<I32>five</I32>",
        "<Unknown/>",
        '<Obj RefId="0"><Props><Ref N="X" RefId="9"/></Props></Obj>',
        '<Obj RefId="0"><Props><S>no name</S></Props></Obj>',
        "<C>-1</C>",
    ],
)
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(clixml.NotAnObject):
        clixml.read(text)


def test_what_is_nested_too_deep_is_shown_by_its_text() -> None:
    opening = '<Obj RefId="0"><ToString>deep</ToString><LST>'
    depth = 500
    value = clixml.read(opening * depth + "</LST></Obj>" * depth)
    for _round in range(clixml.MAX_DEPTH + 1):
        (value,) = value
    assert value == "deep"


def test_an_object_that_refers_to_itself_ends() -> None:
    value = clixml.read('<Obj RefId="0"><Props><Ref N="Me" RefId="0"/></Props></Obj>')
    for _round in range(clixml.MAX_DEPTH + 1):
        value = value["Me"]
    assert value is None


@given(st.text())
def test_escaped_text_is_read_as_it_was(text: str) -> None:
    units = text.encode("utf-16-be", "surrogatepass")
    escaped = "".join(f"_x{units[i : i + 2].hex()}_" for i in range(0, len(units), 2))
    assert clixml.unescape(escaped) == text.encode("utf-16", "surrogatepass").decode(
        "utf-16", "replace"
    )


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        clixml.read(text)
    except clixml.NotAnObject:
        return


@pytest.mark.parametrize("itself", [True, False])
def test_objects_that_repeat_each_other_are_refused_before_they_fill_the_memory(
    itself: bool,
) -> None:
    """A billion laughs without any entity: each of ten objects holds the last many times."""
    text = "<S>ha</S>"
    for level in range(10):
        refs = f'<Ref RefId="{level if itself else max(level - 1, 0)}"/>' * 50
        text = f'<Obj RefId="{level}"><LST>{text}{refs}</LST></Obj>'
    with pytest.raises(clixml.NotAnObject, match="without end"):
        clixml.read(text)


def test_a_long_text_that_is_referred_to_often_is_refused() -> None:
    inner = f'<Obj RefId="1"><ToString>{"ha" * 50_000}</ToString></Obj>'
    refs = '<Ref RefId="1"/>' * 5_000
    with pytest.raises(clixml.NotAnObject, match="without end"):
        clixml.read(f'<Obj RefId="0"><LST>{inner}{refs}</LST></Obj>')


def test_an_object_may_be_referred_to_more_than_once() -> None:
    inner = '<Obj RefId="1"><ToString>ha</ToString></Obj>'
    refs = '<Ref RefId="1"/>' * 100
    assert clixml.read(f'<Obj RefId="0"><LST>{inner}{refs}</LST></Obj>') == ["ha"] * 101


@pytest.mark.parametrize("number", ["1114112", "9" * 20, "-1"])
def test_a_character_that_does_not_exist_is_no_object(number: str) -> None:
    with pytest.raises(clixml.NotAnObject):
        clixml.read(f"<C>{number}</C>")


def test_half_a_surrogate_pair_is_no_character() -> None:
    assert clixml.read("<C>55296</C>") == "\ufffd"


@pytest.mark.parametrize(
    "text",
    [
        '<Obj RefId="0"><Props>' * 21 + "</Props></Obj>" * 21,
        '<!DOCTYPE x [<!ENTITY a "b">]><S>&a;</S>',
        "<a><!-- </a></a> --><![CDATA[</a>]]>" * 41 + "</a>" * 41,
    ],
)
def test_what_grows_when_it_is_read_is_no_object(text: str) -> None:
    with pytest.raises(clixml.NotAnObject):
        clixml.check(text)


@pytest.mark.parametrize("text", [CONNECTOR, "<S>x</S>", "", "<S>", "no XML", "\ud800", "\x00"])
def test_other_documents_pass_and_so_does_what_is_none(text: str) -> None:
    clixml.check(text)
