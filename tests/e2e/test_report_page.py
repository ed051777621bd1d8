# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a report in a real browser: what a reader can do there, by mouse and by keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import Run, build
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.plugin_utils._page import render
from chromium import PROGRAM, Browser, chromium
from exchange_lab.samples import (
    NOW,
    SWITCH,
    appending,
    connector,
    domain,
    hijack,
    message,
    organisation,
    pinned,
    resolved,
    table,
    waiting,
)

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed"),
]

AUDIT = Run("audit", check_mode=False, finished_at=NOW, id="run-1", login="operator")
ENFORCE = replace(AUDIT, kind="enforce")
HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\u05d0\u202e\x07"
)
NESTLE = domain("nestle.com", "192.0.2.25", "192.0.2.26", warnings=[hijack("nestle.com")])
AOL, LOST = domain("aol.com", "198.51.100.9"), domain("lost.example", status="temporary_failure")
GONE = domain("gone.example", status="null_mx")
ALL = [NESTLE, AOL, LOST, GONE]
NAMES = [each["domain"] for each in ALL]
ROWS = pinned(ALL)
PIN, BEFORE = connector("nestle.com", "192.0.2.25"), connector("nestle.com", "198.51.100.1")
OPEN_ROWS = "document.querySelectorAll('[aria-expanded=false]').forEach(each => each.click())"
OPEN_DETAILS = "document.querySelectorAll('details').forEach(each => { each.open = true; })"
SHOWN = "[...document.querySelectorAll('#hosts tbody .toggle')].map(each => each.textContent)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests, since starting one takes a second."""
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


class Reader:
    """Somebody who reads a page."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser = browser
        self.folder = folder

    def open(self, run: Run, *hosts: HostResult, of: Any = None) -> Browser:
        """Open the page of a run."""
        document = build(run, of or resolved(*ALL), hosts)
        page = self.folder / "report.html"
        with page.open("w", encoding="utf-8") as file:
            file.writelines(render(document))
        self.browser.console.clear()
        self.browser.asked.clear()
        self.browser.open(page)
        return self.browser

    def screen(self, width: int, height: int = 740) -> None:
        """Read on a screen of another size."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.call("Emulation.setDeviceMetricsOverride", **metrics)


@pytest.fixture
def reader(browser: Browser, tmp_path: Path) -> Iterator[Reader]:
    """A reader whose browser has nothing to complain of, and asks nobody."""
    yield Reader(browser, tmp_path)
    browser.call("Emulation.setEmulatedMedia", media="", features=[])
    browser.call("Emulation.clearDeviceMetricsOverride")
    browser.call("Page.setBypassCSP", enabled=False)
    assert browser.console == []
    assert {Path(url).name for url in browser.asked} <= {"report.html"}


def fleet() -> list[HostResult]:
    """Four hosts: one up to date, one with drift, one that is lost, one of another kind."""
    switched = {"before": None, "after": SWITCH}
    changed = [{**ROWS[0], "address": "198.51.100.77"}, *ROWS[1:2]]
    return [
        HostResult("mail1", NAMES, table(ROWS, ROWS), exchange=appending("hq.example")),
        HostResult(
            "mail2",
            NAMES,
            table(changed, ROWS, registry=switched),
            exchange=appending("hq.example", version="5.0"),
            queue=waiting("nestle.com", error="421 busy"),
        ),
        HostResult("mail10", NAMES, {"unreachable": True, "msg": "mail10: no answer."}),
        HostResult(
            "ex19",
            ["nestle.com"],
            organisation([BEFORE], [PIN], "nestle.com"),
            family="transport",
            exchange=appending("corp.example", version="2019"),
        ),
    ]


def text(browser: Browser, selector: str) -> str:
    found: str = browser.run(f"document.querySelector({json.dumps(selector)}).innerText")
    return " ".join(found.split())


def focused(browser: Browser) -> str:
    found: str = browser.run("document.activeElement.textContent")
    return found


def test_the_answer_comes_first_and_leads_to_what_it_counts(reader: Reader) -> None:
    page = reader.open(AUDIT, *fleet())
    assert text(page, "h1").endswith(
        "Of 4 hosts, 1 could not be checked, 2 have drift, 1 is up to date."
    )
    assert page.run(SHOWN) == ["mail10", "ex19", "mail2", "mail1"]
    page.click('[data-state="stuck"] button')
    assert page.run(SHOWN) == ["mail2"]
    assert text(page, "#hosts [role=status]") == "1 of 4 hosts, sorted by state"
    page.click("#hosts .tools > button")
    assert len(page.run(SHOWN)) == 4


def test_hosts_are_filtered_by_what_is_typed_and_by_state(reader: Reader) -> None:
    page = reader.open(AUDIT, *fleet())
    page.press("/")
    page.type("MAIL1")
    assert page.run(SHOWN) == ["mail10", "mail1"]
    page.click("#hosts .chip[value=up_to_date]")
    assert page.run(SHOWN) == ["mail1"]
    pressed = "document.querySelector('.chip[value=up_to_date]').getAttribute('aria-pressed')"
    assert page.run(pressed) == "true"
    page.type("x")
    page.run("document.querySelector('#hosts-filter').focus()")
    page.type("x")
    assert page.run(SHOWN) == []
    assert text(page, "#hosts [role=status]").startswith("0 of 4 hosts")


def test_hosts_are_sorted_by_any_column_both_ways_as_a_person_counts(reader: Reader) -> None:
    page = reader.open(AUDIT, *fleet())
    sort = "document.querySelector('#hosts thead th').getAttribute('aria-sort')"
    page.click("#hosts thead th:first-child button")
    assert page.run(SHOWN) == ["ex19", "mail1", "mail2", "mail10"]
    assert page.run(sort) == "ascending"
    page.click("#hosts thead th:first-child button")
    assert page.run(SHOWN) == ["mail10", "mail2", "mail1", "ex19"]
    assert page.run(sort) == "descending"
    page.click("#hosts thead th:nth-child(4) button")  # what has most that is not right
    assert page.run(SHOWN)[0] == "mail10"
    assert page.run(sort) == "none"
    assert text(page, "#hosts [role=status]") == (
        "4 hosts, sorted by domains not up to date, descending"
    )


def test_a_host_opens_to_all_that_is_known_of_it(reader: Reader) -> None:
    page = reader.open(AUDIT, *fleet())
    page.run("location.hash = '#host/mail2'")
    page.run("new Promise(done => setTimeout(done))")
    assert page.run("document.querySelectorAll('#hosts tr.detail').length") == 1
    told = text(page, "#hosts tr.detail")
    for part in (
        "enforce would change the search list switch and the routes of aol.com, nestle.com",
        "- DisableResolverSearchList (absent)",
        "+ DisableResolverSearchList REG_DWORD 1",
        "- 198.51.100.77 + 192.0.2.25",
        "Queue: 1 message",
        "421 busy",
        "The service appends hq.example to names (Q150969).",
        "nestle.com.hq.example MX 10 mail.hq.example",
        "2 pending",
        "2 kept",
    ):
        assert part in told, told
    page.run("document.querySelector('#hosts tr.detail details').open = true")
    page.run("new Promise(done => setTimeout(done, 50))")
    assert "aol.com" in text(page, "#hosts tr.detail details")
    page.run("document.querySelector('#hosts tr.detail details:last-of-type').open = true")
    page.run("new Promise(done => setTimeout(done, 50))")
    assert "lost.example (DNS lookup failed)" in text(page, "#hosts tr.detail")


def test_a_domain_opens_to_its_pairs_and_hosts(reader: Reader) -> None:
    page = reader.open(AUDIT, *fleet())
    page.run("location.hash = '#domain/nestle.com'")
    page.run("new Promise(done => setTimeout(done))")
    assert page.run("document.querySelector('#hosts').hidden") is True
    told = text(page, "#domains tr.detail")
    for part in (
        "192.0.2.25 mx1.nestle.com 10 300 s (5 min)",
        "nestle.com.hq.example has an answer",
        "May be appended by 1 host: mail2",  # on mail1 the service is told not to
        "up to date on 1 host",
        "pending on 2 hosts",
    ):
        assert part in told, told
    page.run("location.hash = '#domain/lost.example'")
    page.run("new Promise(done => setTimeout(done))")
    assert "lost.example MX 192.0.2.53 timeout: no answer" in text(page, "#domains")


def test_a_connector_shows_its_difference(reader: Reader) -> None:
    page = reader.open(AUDIT, *fleet())
    page.click('nav a[href="#connectors"]')
    page.run("new Promise(done => setTimeout(done))")
    page.click("#connectors .toggle")
    told = text(page, "#connectors")
    assert "to change" in told
    assert "- smart host: [198.51.100.1] + smart host: [192.0.2.25]" in told
    assert "HQ (hq.example)" in told


def test_a_run_tells_who_changed_what_and_what_became_of_the_messages(reader: Reader) -> None:
    tested = {
        "results": [
            message("nestle.com", "queued", error={"code": 421, "text": "busy"}),
            message("aol.com"),
        ]
    }
    host = HostResult("mail1", NAMES, table([], ROWS, backup="/srv/backups/mail1/x"), tested)
    page = reader.open(ENFORCE, host)
    page.click('[data-state="undelivered"] button')
    page.click("#hosts .toggle")
    told = text(page, "#hosts tr.detail")
    assert "Domain Result Time After Response Message-ID" in told
    assert "nestle.com queued 2026-11-23 11:47:31 UTC 5.1 s 421 busy" in told
    assert "aol.com delivered 2026-11-23 11:47:31 UTC 5.1 s" in told
    page.click('nav a[href="#run"]')
    page.run("new Promise(done => setTimeout(done))")
    assert "Changed by operator" in text(page, "#run")
    assert "mail1 routes of 2 domains, service restarted /srv/backups/mail1/x" in text(page, "#run")


def test_all_of_it_works_by_keys(reader: Reader) -> None:
    page = reader.open(AUDIT, *fleet())
    page.run("document.querySelector('#hosts-filter').focus()")
    assert page.run("document.querySelectorAll('#hosts .toggle[tabindex=\"0\"]').length") == 1
    for _unused in range(40):
        page.press("Tab")
        if page.run("document.activeElement.matches('.toggle')"):
            break
    assert focused(page) == "mail10"
    page.press("ArrowDown")
    assert focused(page) == "ex19"
    page.press("End")
    assert focused(page) == "mail1"
    page.press("ArrowUp")
    page.press("Enter")
    assert page.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert "enforce would change" in text(page, "#hosts tr.detail")
    page.press("Tab")  # into the details
    assert page.run("!!document.activeElement.closest('tr.detail')") is True
    page.press("Escape")
    assert focused(page) == "mail2"
    assert page.run("document.querySelectorAll('tr.detail').length") == 0


def test_a_screen_reader_finds_names_for_all_it_can_work(reader: Reader) -> None:
    page = reader.open(AUDIT, *fleet())
    page.click("#hosts .toggle")
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    roles: dict[str, list[str]] = {}
    for node in tree:
        if not node.get("ignored"):
            name = str(node.get("name", {}).get("value", ""))
            roles.setdefault(node["role"]["value"], []).append(name)
    for role in ("button", "link", "searchbox", "region", "table", "columnheader", "navigation"):
        assert roles.get(role), role
        assert all(roles[role]), (role, roles[role])
    assert len(roles["main"]) == len(roles["banner"]) == len(roles["contentinfo"]) == 1
    assert page.run("document.querySelectorAll('h1').length") == 1
    assert "Hosts" in roles["table"]
    assert page.run("document.documentElement.lang") == "en"


def test_on_a_narrow_screen_nothing_is_cut_off_and_a_table_stays_one(reader: Reader) -> None:
    page = reader.open(AUDIT, *fleet())
    reader.screen(360)
    for part in ("domains", "connectors", "run", "hosts"):
        page.run(f"location.hash = '#{part}'; new Promise(done => setTimeout(done))")
        page.run(OPEN_ROWS)
        assert page.run("document.documentElement.scrollWidth <= innerWidth") is True, part
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    found = [node["role"]["value"] for node in tree if not node.get("ignored")]
    assert found.count("table") > 1  # the hosts, and facts of those that are open
    assert {"rowheader", "cell", "columnheader"} <= set(found)
    nav = "document.querySelector('nav').getBoundingClientRect().height"
    assert page.run(nav) < 60  # one line: it stays on the screen and covers what is below
    squeezed = """[...document.querySelectorAll('table.facts td')]
        .map((cell) => cell.getBoundingClientRect().width)
        .filter((width) => width && width < 200)"""
    assert page.run(squeezed) == []


AXE = Path(__file__).resolve().parent.parent.parent / ".build" / "others" / "axe.min.js"
FOUND = """axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',
  'best-practice']}).then((told) => told.violations.map((one) =>
  `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 120)).join(' ')}`))"""


@pytest.mark.skipif(not AXE.exists(), reason="axe is not there (tools/axe .build/others)")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_that_keeps_people_from_using_it(
    reader: Reader, scheme: str, width: int
) -> None:
    page = reader.open(AUDIT, *fleet())
    page.call("Page.setBypassCSP", enabled=True)
    reader.screen(width)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.call("Emulation.setEmulatedMedia", features=[feature])
    page = reader.open(AUDIT, *fleet())
    page.run(AXE.read_text(encoding="utf-8") + ";0")
    for part in ("domains", "connectors", "run", "hosts"):
        page.run(f"location.hash = '#{part}'; new Promise(done => setTimeout(done))")
        page.run(OPEN_ROWS)
        page.run(OPEN_DETAILS)
        page.run("new Promise(done => setTimeout(done, 300))")  # until colours have faded
        assert page.run(FOUND) == [], part


BROKEN_WORDS = """(() => {
  const broken = [];
  const range = document.createRange();
  for (const cell of document.querySelectorAll('.part:not([hidden]) > table > * > tr > *')) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      for (const { 0: word, index } of node.data.matchAll(/[^\\s\u00a0-]+/g)) {
        range.setStart(node, index);
        range.setEnd(node, index + word.length);
        const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
        if (lines.size > 1) { broken.push(word); }
      }
    }
  }
  return broken;
})()"""


@pytest.mark.parametrize("width", [1200, 1000])
def test_no_word_is_broken_on_a_usual_screen(reader: Reader, width: int) -> None:
    reader.screen(width, 900)
    pin = connector("contoso-international.example", "192.0.2.25")
    long = [
        HostResult(
            f"mail5-{n}.headquarters.hq.example",
            NAMES,
            table(ROWS[1:], ROWS, restarted=True),
            {"results": [message("aol.com", "queued"), message("nestle.com")]},
            exchange=appending("hq.example"),
            queue=waiting("aol.com"),
        )
        for n in range(3)
    ]
    ex = HostResult(
        "ex19-a.headquarters.hq.example",
        NAMES,
        organisation([], [pin], "nestle.com"),
        family="transport",
        exchange={"version": "2019"},
    )
    for run in (AUDIT, replace(AUDIT, kind="enforce")):
        page = reader.open(run, *long, ex)
        for part in ("hosts", "domains", "connectors"):
            page.run(f"location.hash = '#{part}'; new Promise(done => setTimeout(done))")
            assert width < 1200 or page.run(BROKEN_WORDS) == [], part
        wide = "document.documentElement.scrollWidth <= innerWidth"
        assert page.run(wide)


CONTRAST = """(() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, place) => sum + each * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) { return colour; }
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (own && element.getClientRects().length && !element.closest('script, noscript, .skip')) {
      const ink = light(parse(getComputedStyle(element).color));
      const behind = light(ground(element));
      const ratio = (Math.max(ink, behind) + 0.05) / (Math.min(ink, behind) + 0.05);
      if (ratio < 4.5) { poor.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`); }
    }
  }
  return poor;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_in_light_and_dark(reader: Reader, scheme: str) -> None:
    """WCAG 2.2 asks for a contrast of 4.5 to 1 (AA)."""
    page = reader.open(AUDIT, *fleet())
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.call("Emulation.setEmulatedMedia", features=[feature])
    page.run(OPEN_ROWS)
    page.run("new Promise(done => setTimeout(done, 300))")
    for part in ("hosts", "domains", "connectors", "run"):
        page.run(f"location.hash = '#{part}'; new Promise(done => setTimeout(done))")
        assert page.run(CONTRAST) == [], part


def test_the_colours_can_be_chosen_and_the_choice_is_kept(reader: Reader) -> None:
    page = reader.open(AUDIT, *fleet())
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.run(ground)
    page.click("#theme")
    page.click("#theme")
    assert text(page, "#theme") == "Colours: dark"
    assert page.run(ground) != light
    page.call("Page.reload")
    page.run("new Promise(done => setTimeout(done, 200))")
    assert text(page, "#theme") == "Colours: dark"
    page.click("#theme")
    assert page.run(ground) == light


def test_on_paper_all_parts_and_rows_are_there(reader: Reader) -> None:
    many = [HostResult(f"h{number}", NAMES, table(ROWS, ROWS)) for number in range(300)]
    page = reader.open(AUDIT, *many)
    page.call("Emulation.setEmulatedMedia", media="print")
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert len(page.run(SHOWN)) == 300
    for part in ("#hosts", "#domains", "#run", "h1"):
        assert page.run(f"document.querySelector('{part}').getClientRects().length") > 0, part
    for part in ("nav", ".tools", "#theme"):
        assert page.run(f"document.querySelector('{part}').getClientRects().length") == 0, part


def test_paper_gets_columns_and_rows_that_go_on_over_a_page(reader: Reader) -> None:
    """A sheet is narrower than most screens; what is to be read on it is the same."""
    domains = [domain(f"d{number}.example", status="disagreement") for number in range(5)]
    notes = [{"code": "dead_exchange", "message": f"note {number}"} for number in range(5)]
    noted = [{**one, "warnings": [note]} for one, note in zip(domains, notes, strict=True)]
    names = [each["domain"] for each in noted]
    host = HostResult("ex19", names, organisation([], [], *names), family="transport")
    page = reader.open(AUDIT, *fleet(), host, of=resolved(*ALL, *noted))
    opened = "document.querySelector('.notices').open"
    page.click("#hosts .toggle")
    assert page.run(opened) is False
    reader.screen(700, 900)
    page.call("Emulation.setEmulatedMedia", media="print")
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run(opened) is True
    style = "getComputedStyle(document.querySelector('#hosts tbody tr{}')).{}"
    assert page.run(style.format("", "display")) == "table-row"
    assert page.run(style.format(":not(.detail)", "breakInside")) == "avoid"
    assert page.run(style.format(".detail", "breakInside")) == "auto"
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.run(opened) is False


def test_what_others_wrote_is_shown_and_does_nothing(reader: Reader) -> None:
    noted = {"code": HOSTILE, "message": HOSTILE}
    named = domain("aol.com", "198.51.100.9", warnings=[noted])
    hosts = [
        HostResult(HOSTILE, ["aol.com"], {"failed": True, "msg": HOSTILE}),
        HostResult(
            "b/%", ["aol.com"], table([], pinned([named])), queue=waiting(HOSTILE, error=HOSTILE)
        ),
        HostResult(
            "c",
            ["aol.com"],
            {
                **table([], []),
                "worksheet": [{"action": HOSTILE, "domain": HOSTILE, "address": HOSTILE}],
            },
        ),
    ]
    run = replace(AUDIT, id=HOSTILE, login=HOSTILE, limit=HOSTILE)
    page = reader.open(run, *hosts, of=resolved(named))
    page.run(OPEN_ROWS)
    page.run(OPEN_DETAILS)
    page.run("new Promise(done => setTimeout(done, 100))")
    assert page.run("document.title").startswith("Audit of Exchange mail delivery")
    assert page.run("document.querySelectorAll('img').length") == 0
    assert page.run("document.querySelectorAll('script').length") == 3
    shown = HOSTILE.replace("\u202e", "\ufffd").replace("\x07", "\ufffd")
    assert shown in page.run(SHOWN)
    assert page.run("document.body.textContent").count(shown) > 8
    page.run("location.hash = '#host/' + encodeURIComponent('b/%')")
    page.run("new Promise(done => setTimeout(done))")
    assert focused(page) == "b/%"
    page.run("location.hash = '#host/%E0%A4%A'; new Promise(done => setTimeout(done))")


def test_many_hosts_and_domains_are_drawn_as_far_as_they_are_asked_for(reader: Reader) -> None:
    many = [domain(f"d{number}.example", "192.0.2.1") for number in range(200)]
    names, rows = [each["domain"] for each in many], pinned(many)
    fine, differing = table(rows, rows), table(rows[60:], rows)
    hosts = [
        HostResult(f"mail{number}", names, differing if number % 7 == 0 else fine)
        for number in range(500)
    ]
    page = reader.open(AUDIT, *hosts, of=resolved(*many))
    page.run("new Promise(done => setTimeout(done, 500))")
    assert len(page.run(SHOWN)) == 500
    page.run("document.querySelector('#hosts-filter').focus()")
    page.type("mail49")
    assert len(page.run(SHOWN)) == 11
    page.run("location.hash = '#host/mail7'; new Promise(done => setTimeout(done))")
    assert page.run("document.querySelectorAll('#hosts .diff').length") == 50
    page.click("#hosts .diffs .more")
    assert page.run("document.querySelectorAll('#hosts .diff').length") == 60
    assert page.run("!!document.activeElement.closest('.diff')") is True


def test_without_its_script_the_page_tells_the_answer_and_the_hosts(reader: Reader) -> None:
    page = reader.open(AUDIT, *fleet())
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page = reader.open(AUDIT, *fleet())
        tree = page.call("Accessibility.getFullAXTree")["nodes"]
        names = [str(node.get("name", {}).get("value", "")) for node in tree]
        told = " ".join(
            name for node, name in zip(tree, names, strict=True) if not node.get("ignored")
        )
        for part in (
            "Of 4 hosts, 1 could not be checked",
            "mail10",
            "no answer.",
            "need JavaScript",
        ):
            assert part in told, told
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)


def test_external_dns_stands_with_the_host_that_changed_it(reader: Reader) -> None:
    before = {"servers": [], "adapter_enabled": True}
    after = {"servers": ["203.0.113.53"], "adapter_enabled": False}
    result = organisation(
        [PIN],
        [PIN],
        external_dns={
            "servers": [{"name": "EX1", "before": before, "after": after}],
            "connectors": [{"name": "Internet", "before": True, "after": True}],
        },
    )
    host = HostResult("ex19", ["nestle.com"], {**result, "changed": True}, family="transport")
    page = reader.open(ENFORCE, host)
    page.run(OPEN_ROWS)
    shown = text(page, "#hosts")
    assert "external DNS of the server EX1: those of the adapter → 203.0.113.53" in shown
    assert "connector Internet: external DNS; server EX1: 203.0.113.53" in shown
    assert "external DNS" in text(page, "#changed")
