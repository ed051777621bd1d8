# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as a file: closed against the network, escaped, and readable without its script."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import Run, build
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.plugin_utils._page import render
from exchange_lab.samples import (
    NOW,
    appending,
    domain,
    hijack,
    message,
    pinned,
    resolved,
    table,
    waiting,
)

AOL = domain("aol.com", "198.51.100.9")
BOTH = pinned([AOL])
AUDIT = Run("audit", check_mode=False, finished_at=NOW, login="operator")
ENFORCE = replace(AUDIT, kind="enforce")
HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\"'&amp;\u2028"


class Page(HTMLParser):
    """The page as a browser parses it: its elements, and the text of script and style."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, str] = {}
        self.words: list[str] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag if tag != "script" else str(dict(attrs).get("id", "script"))

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.inside[self._open] = self.inside.get(self._open, "") + data
        if self._open not in {"script", "style", "document", "labels"}:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(run: Run, *hosts: HostResult, of: dict[str, Any] | None = None) -> tuple[Page, Any]:
    document = build(run, resolved(AOL) if of is None else of, hosts)
    return Page("".join(render(document))), document


def test_the_page_allows_its_own_style_and_script_and_nothing_else() -> None:
    shown, _document = page(AUDIT, HostResult("a", ["aol.com"], table([], BOTH)))
    meta = next(given for tag, given in shown.elements if given.get("http-equiv"))
    policy = dict(part.strip().split(" ", 1) for part in str(meta["content"]).split(";"))
    assert policy.pop("img-src") == "data:"  # an icon that is none, so that no browser asks for one
    for what, inner in (("style-src", "style"), ("script-src", "script")):
        digest = hashlib.sha256(shown.inside[inner].encode()).digest()
        assert policy.pop(what) == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert policy == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}


def test_the_page_names_nothing_outside_itself() -> None:
    shown, _document = page(AUDIT, HostResult("a", ["aol.com"], table([], BOTH)))
    for tag, given in shown.elements:
        assert "style" not in given, tag
        assert not any(name.startswith("on") for name in given), tag
        for name in ("src", "href", "action", "srcset"):
            assert (given.get(name) or "#").startswith(("#", "data:")), (tag, given)
    assert "url(" not in shown.inside["style"]
    assert "@import" not in shown.inside["style"]
    assert "innerHTML" not in shown.inside["script"]


def test_the_script_gets_the_document_as_it_is() -> None:
    host = HostResult("a", ["aol.com"], {"failed": True, "msg": HOSTILE})
    shown, document = page(AUDIT, host)
    assert json.loads(shown.inside["document"]) == document


def test_what_hosts_and_name_servers_say_stays_text() -> None:
    named = domain("aol.com", "198.51.100.9", warnings=[{"code": HOSTILE, "message": HOSTILE}])
    hosts = [
        HostResult(HOSTILE, ["aol.com"], {"failed": True, "msg": HOSTILE}),
        HostResult("b", ["aol.com"], table([], BOTH), exchange={"version": HOSTILE}),
    ]
    run = replace(AUDIT, login=HOSTILE, id=HOSTILE, awx={"user": HOSTILE})
    shown, _document = page(run, *hosts, of=resolved(named))
    plain, _document = page(AUDIT, *[HostResult(name, [], table([], [])) for name in "ab"])
    scripts = [tag for tag, _given in shown.elements if tag == "script"]
    assert scripts == [tag for tag, _given in plain.elements if tag == "script"]
    assert "img" not in dict(shown.elements)
    assert shown.text.count(" ".join(HOSTILE.split())) >= 5


@pytest.mark.parametrize(
    ("run", "queue", "told"),
    [
        (AUDIT, waiting(), "0 failed 0 pending 1 up to date 0 kept 0 delayed in the queue"),
        (AUDIT, None, "0 failed 0 pending 1 up to date 0 kept"),
        (AUDIT, {"failed": True, "msg": "no"}, "0 failed 0 pending 1 up to date 0 kept"),
        (ENFORCE, None, "0 failed 0 changed 1 up to date 0 kept"),
    ],
)
def test_what_a_reader_looks_for_is_counted_though_there_is_none(
    run: Run, queue: dict[str, Any] | None, told: str
) -> None:
    host = HostResult("a", ["aol.com"], table(BOTH, BOTH), queue=queue)
    shown, _document = page(run, host)
    assert f"domains: 1 {told} Hosts" in shown.text
    linked = [given["data-state"] for _tag, given in shown.elements if "data-state" in given]
    assert linked == ["up_to_date"]


def test_the_answer_and_the_hosts_are_there_without_the_script() -> None:
    hosts = [
        HostResult("a", ["aol.com"], table([], BOTH), queue=waiting("aol.com")),
        HostResult("b", ["aol.com"], {"unreachable": True, "msg": "b: no answer."}),
    ]
    shown, _document = page(AUDIT, *hosts)
    assert "Of 2 hosts, 1 could not be checked, 1 has drift." in shown.text
    assert (
        "0 failed 1 not checked 1 pending 0 up to date 0 kept 1 delayed in the queue" in shown.text
    )
    assert "a pending 4.0 to 5.5 1 pending enforce would change the routes of aol.com" in (
        shown.text
    )
    assert "b not checked 4.0 to 5.5 1 not checked no answer." in shown.text
    assert "run by operator" in shown.text


def test_test_messages_are_counted_by_verdict() -> None:
    tested = {"results": [message("aol.com", "would_send")]}
    run = replace(AUDIT, kind="enforce", check_mode=True)
    shown, _document = page(run, HostResult("a", ["aol.com"], table([], BOTH), tested))
    assert "Test messages 1 would send" in shown.text
    assert "Check mode: no changes were made." in shown.text


@pytest.mark.parametrize(("number", "opened"), [(3, True), (4, False)])
def test_many_notices_are_folded(number: int, opened: bool) -> None:
    suffixes = [f"s{n}.example" for n in range(number)]
    of = resolved(domain("aol.com", "192.0.2.1", warnings=[hijack("aol.com", s) for s in suffixes]))
    result = {"organisation": {"name": "HQ", "forest": "hq"}, "steps": []}
    result["connectors"] = {"before": [], "after": []}
    host = HostResult("ex", ["aol.com"], result, family="transport", exchange=appending(*suffixes))
    shown, _document = page(AUDIT, host, of=of)
    folded = next(given for tag, given in shown.elements if given.get("class") == "notices")
    assert ("open" in folded) is opened


def test_a_run_without_hosts_or_domains_has_a_page() -> None:
    shown, _document = page(replace(AUDIT, kind="rollback"), of={})
    assert "No host took part." in shown.text
