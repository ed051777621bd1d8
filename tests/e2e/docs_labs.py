# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labs that the pages of the documentation speak of, and what has happened there before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from exchange_lab.controller import Controller
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.scenario import NESTLE, SIMPLE_HOST, HostSpec, Letter, Scenario, SinkSpec
from exchange_lab.scenario_default import DEFAULT
from pages import ROOT

# Pages that have a test of their own, with a lab that these tests do not have.
ELSEWHERE = {page.name for page in (ROOT / "docs").glob("inventory*.md")} | {"monitoring.md"}

Before = Callable[[Controller], None]


def of(page: str) -> tuple[Scenario, Before]:
    """Return the lab of a page and what has been done to it; most begin with mail that waits."""
    return _LABS.get(page, (_STUCK, _nothing))


def _nothing(_controller: Controller) -> None:
    pass


def _enforced(controller: Controller) -> None:
    """Everything was pinned, by the job 4711 of AWX."""
    run = controller.playbook("enforce", "-e", "awx_job_id=4711")
    assert run.status == 0, run.output


def _partners_listed(controller: Controller) -> None:
    """Somebody has a list of the partners, one a line."""
    lines = "".join(f"{domain}\n" for domain in PARTNERS)
    (controller.inventory.parent / "partners.txt").write_text(lines, encoding="utf-8")


def _in_a_checkout(controller: Controller) -> None:
    """Somebody is in a checkout of the project."""
    (controller.folder / "tests").symlink_to(ROOT / "tests")


def _built(controller: Controller) -> None:
    """The collection was built, and its archive got a name without a version."""
    to = str(controller.folder)
    run = controller.run(["ansible-galaxy", "collection", "build", "--output-path", to, str(ROOT)])
    assert run.status == 0, run.output
    (archive,) = controller.folder.glob("postmaster-exchange-*.tar.gz")
    archive.rename(controller.folder / "postmaster-exchange.tar.gz")


def _out_of_reach(controller: Controller) -> None:
    """The last host of the night is down: nothing listens at the port of its WinRM."""
    file = controller.inventory
    text, found = file.read_text(encoding="utf-8"), f"        {NIGHT_HOSTS[-1].name}:\n"
    above, _found, below = text.partition(found)
    assert below
    _port, _end, rest = below.partition("\n")
    file.write_text(f"{above}{found}          ansible_port: 1\n{rest}", encoding="utf-8")


def _host(name: str, **more: object) -> HostSpec:
    return replace(SIMPLE_HOST, name=name, **more)  # type: ignore[arg-type]


# One host of each kind whose users wait for an answer.
_LETTER = Letter("sales@hq.example", "buyer@nestle.com", "Offer")
_STUCK = replace(DEFAULT, hosts=(_host("mail5-a.hq.example", letters=(_LETTER,)),))

_ONE_DOMAIN = replace(_STUCK, domains=("nestle.com",))

# Forty partners, whose mail is taken in by two providers; one has a spelling mistake.
PARTNERS = [f"partner{number:02}.example" for number in range(1, 40)] + ["partner40.exmaple"]
_PROVIDERS = ("mx1.nestle.com.", "mailin-02.mx.aol.com.")
_SITE = tuple(_host(f"mail5-{letter}.hq.example") for letter in "abcd")
_MANY = replace(
    DEFAULT,
    hosts=_SITE,
    organisation=None,
    zones={
        **DEFAULT.zones,
        "nestle.com": NESTLE,
        **{
            name: f"@ MX 10 {_PROVIDERS[number % 2]}\n@ MX 20 mailin-03.mx.aol.com.\n"
            for number, name in enumerate([*PARTNERS[:-1], "partner40.example"])
        },
    },
)

# The same hosts, and a far server that takes no mail for postmaster.
_GATE = replace(
    DEFAULT,
    hosts=_SITE,
    organisation=None,
    zones={**DEFAULT.zones, "far.example": "@ MX 10 mx\nmx A 192.0.2.77\n"},
    sinks=(*DEFAULT.sinks, SinkSpec("192.0.2.77", "mx.far.example", Temper.REJECT)),
    domains=("nestle.com", "far.example"),
)

# Two dozen hosts, all as they should be but for one that somebody changed by hand.
_OK = next(host for host in DEFAULT.hosts if host.name == "mail55-ok")
_BY_HAND = tuple(row for row in _OK.rows if not row.startswith("AOL.COM;198.51.100.9;"))
NIGHT_HOSTS = tuple(
    replace(_OK, name=f"mail5-{number:02}", rows=_BY_HAND if number == 7 else _OK.rows)
    for number in range(1, 25)
)
_NIGHT = replace(DEFAULT, hosts=NIGHT_HOSTS, organisation=None)

# Pages whose programs come with requirements-dev.txt only.
MORE_PROGRAMS = {"execution-environment.md"}

FIRST = {"README.md", "docs/getting-started.md"}

_LABS: dict[str, tuple[Scenario, Before]] = {
    "lab.md": (_STUCK, _in_a_checkout),
    "pin-forty-partners.md": (_MANY, _partners_listed),
    "lock.md": (_ONE_DOMAIN, _nothing),
    "report.md": (DEFAULT, _nothing),
    "rollout.md": (_GATE, _nothing),
    "execution-environment.md": (_STUCK, _built),
    "nightly-audit.md": (_NIGHT, _out_of_reach),
    **dict.fromkeys(
        ("rollback.md", "take-a-pin-away.md", "when-something-went-wrong.md"),
        (_STUCK, _enforced),
    ),
}
