# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed zones, sound and broken, and what mx_pairs_info has to make of each (rules 13, 18, 19)."""

from __future__ import annotations

from dataclasses import dataclass

from .signing import Child, altered, without_signature_of

PARENT = "secure.example"
_USUAL = "@ MX 10 mx\nmx A 192.0.2.1\n"

PARENT_RECORDS = "@ MX 10 mx\nmx A 192.0.2.2\nmixed MX 10 mx.unsigned\nmixed MX 20 mx\n"
CHILDREN = {
    "good": Child(
        _USUAL + "mx AAAA 2001:db8::1\nalias CNAME @\nout CNAME unsigned.secure.example.\n"
    ),
    "hashed": Child("@ A 192.0.2.3\n*.wild MX 10 @\ntext TXT nothing\n", nsec3=True),
    "null": Child("@ MX 0 .\n"),
    "unsigned": Child(_USUAL, signed=False, delegation=""),
    "island": Child(_USUAL, delegation=""),
    "expired": Child(_USUAL, expired=True),
    "wrongds": Child(_USUAL, delegation="other"),
    "stripped": Child(_USUAL, signed=False),
    "nomxsig": Child(_USUAL + "@ A 192.0.2.4\n", spoil=without_signature_of("MX")),
    "noaddrsig": Child(_USUAL, spoil=without_signature_of("A")),
    "forged": Child(_USUAL, spoil=altered("192.0.2.1", "192.0.2.66")),
    "noaaaasig": Child(_USUAL + "mx AAAA 2001:db8::1\n", spoil=without_signature_of("AAAA")),
    "nodenial": Child(_USUAL, spoil=without_signature_of("NSEC")),
}
ZONES = (PARENT, *(f"{label}.{PARENT}" for label in CHILDREN))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a validating resolver leads to for a domain below the parent.

    ``authentic`` is None where nothing is known about the domain; ``bogus`` is the question
    ("type name") that fails then; ``aaaa`` the name whose AAAA is in trouble.
    ``questions`` are those that the result rests on.
    """

    label: str
    about: str
    status: str = "ok"
    pairs: tuple[str, ...] = ()
    authentic: bool | None = True
    bogus: str = ""
    aaaa: str = ""
    questions: tuple[str, ...] = ()

    @property
    def domain(self) -> str:
        """The domain asked."""
        return f"{self.label}.{PARENT}" if self.label else PARENT

    def __str__(self) -> str:
        return self.about


def _pair(label: str, address: str = "192.0.2.1", preference: int = 10) -> str:
    return f"{preference} mx.{label}.{PARENT} {address}"


def _asked(label: str) -> tuple[str, ...]:
    return (f"MX {label}.{PARENT}", f"A mx.{label}.{PARENT}")


_GOOD = (_pair("good"),)
VERDICTS = [
    Verdict("good", "signed", pairs=_GOOD, questions=_asked("good")),
    Verdict(
        "alias.good",
        "a signed alias",
        pairs=_GOOD,
        questions=(f"MX alias.good.{PARENT}", f"A mx.good.{PARENT}"),
    ),
    Verdict(
        "out.good",
        "a signed alias of an unsigned domain",
        pairs=(_pair("unsigned"),),
        authentic=False,
        questions=(f"MX out.good.{PARENT}", f"A mx.unsigned.{PARENT}"),
    ),
    Verdict(
        "hashed",
        "an implicit MX, proved by NSEC3",
        pairs=(f"0 hashed.{PARENT} 192.0.2.3",),
        questions=(f"MX hashed.{PARENT}", f"A hashed.{PARENT}"),
    ),
    Verdict(
        "any.wild.hashed",
        "a signed wildcard",
        pairs=(f"10 hashed.{PARENT} 192.0.2.3",),
        questions=(f"MX any.wild.hashed.{PARENT}", f"A hashed.{PARENT}"),
    ),
    Verdict(
        "text.hashed",
        "proved to have neither MX nor address",
        status="no_address",
        questions=(f"MX text.hashed.{PARENT}", f"A text.hashed.{PARENT}"),
    ),
    Verdict("null", "a signed null MX", status="null_mx", questions=(f"MX null.{PARENT}",)),
    Verdict(
        "no.good",
        "proved not to exist",
        status="no_such_domain",
        authentic=None,
        questions=(f"MX no.good.{PARENT}",),
    ),
    Verdict(
        "unsigned",
        "proved to be unsigned",
        pairs=(_pair("unsigned"),),
        authentic=False,
        questions=_asked("unsigned"),
    ),
    Verdict(
        "island",
        "signed, and not vouched for by the parent",
        pairs=(_pair("island"),),
        authentic=False,
        questions=_asked("island"),
    ),
    Verdict(
        "mixed",
        "signed, with an unsigned exchange",
        pairs=(_pair("unsigned"), f"20 mx.{PARENT} 192.0.2.2"),
        authentic=False,
        questions=(f"MX mixed.{PARENT}", f"A mx.unsigned.{PARENT}", f"A mx.{PARENT}"),
    ),
    *(
        Verdict(
            label,
            about,
            status="temporary_failure",
            authentic=None,
            bogus=f"MX {label}.{PARENT}",
            questions=(f"MX {label}.{PARENT}",),
        )
        for label, about in (
            ("expired", "signatures that have expired"),
            ("wrongds", "the parent names another key"),
            ("stripped", "the signatures were taken away"),
            ("nomxsig", "no signature over the MX, and an address"),
            ("no.nodenial", "its absence is not proved"),
        )
    ),
    *(
        Verdict(
            label,
            about,
            status="temporary_failure",
            bogus=f"A mx.{label}.{PARENT}",
            authentic=False,
            questions=_asked(label),
        )
        for label, about in (
            ("noaddrsig", "no signature over the address"),
            ("forged", "a forged address"),
        )
    ),
    Verdict(
        "noaaaasig",
        "no signature over the AAAA of the exchange",
        pairs=(_pair("noaaaasig"),),
        aaaa=f"mx.noaaaasig.{PARENT}",
        questions=_asked("noaaaasig"),
    ),
]
