# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as it comes up by default: Exchange hosts old and new, a small internet."""

from __future__ import annotations

from dataclasses import replace

from .mail.imc_model import V50, V55, V55_RTM, Assumptions
from .mail.smtp_sink import Temper
from .org.versions import Family
from .scenario import (
    LOCAL_SINKS,
    LOCAL_ZONE,
    NESTLE,
    NESTLE_SINKS,
    HostSpec,
    Letter,
    OrganisationSpec,
    Scenario,
    ServerSpec,
    SinkSpec,
    behind_manager,
)

_AOL = (
    "@ MX 15 mailin-01.mx\n@ MX 15 mailin-02.mx\n@ MX 15 mailin-03.mx\n@ MX 15 mailin-04.mx\n"
    "mailin-01.mx A 198.51.100.9\nmailin-02.mx A 198.51.100.12\n"
    "mailin-03.mx A 198.51.100.13\nmailin-04.mx A 198.51.100.14\n"
)
"""Four exchanges of equal preference (Q152165); the first one by name is down."""

# A partner that is reached over a private line: it has no MX anywhere, only a row of its own.
_FOREIGN_ROW = "PARTNER.CORP;10.1.2.3;0"

_TREATED_ROWS = (
    "NESTLE.COM;192.0.2.25;0",
    "NESTLE.COM;192.0.2.26;0",
    "NESTLE.COM;192.0.2.27;0",
    "AOL.COM;198.51.100.9;0",
    "AOL.COM;198.51.100.12;0",
    "AOL.COM;198.51.100.13;0",
    "AOL.COM;198.51.100.14;0",
    "SISTER.EXAMPLE;198.51.100.12;0",
)

_CONTOSO = "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 192.0.2.41\nmx2 A 192.0.2.42\n"
"""Its name servers ignore questions for AAAA: to Exchange 2010 and later that is a failed query."""

_OTHER_SECTION = "[Domain]\nDomainInformation=+\n+Default,ISO-8859-1,ISO-8859-1,800,76,0,0,0\n"

DIRECT = Scenario(
    hosts=(
        # 5.0: the switch is there in a spelling the service does not know, a row is out of date.
        HostSpec(
            "mail50",
            V50,
            "203.0.113.50",
            switch=("disableresolversearchlist", 1),
            rows=(_FOREIGN_ROW, "AOL.COM;198.51.100.200;0"),
        ),
        # 5.5: never treated, and its users complain.
        HostSpec(
            "mail55",
            V55,
            "203.0.113.55",
            rows=(_FOREIGN_ROW,),
            extra=_OTHER_SECTION,
            diagnostics=3,
            letters=(
                Letter("sales@hq.example", "buyer@nestle.com", "Offer 1997-0412"),
                Letter("helpdesk@hq.example", "friend@aol.com", "Your call of this morning"),
                Letter("sales@hq.example", "orders@partner.corp", "Order 77"),
            ),
        ),
        HostSpec(
            "mail55-ok",
            V55,
            "203.0.113.56",
            switch=("DisableResolverSearchList", 1),
            rows=(_FOREIGN_ROW, *_TREATED_ROWS),
        ),
    ),
    # Two servers of one organisation. Microsoft's workaround for "451 4.4.0 DNS query failed" is
    # what the old hosts need, too: the addresses of the MX, pinned.
    organisation=OrganisationSpec(
        servers=(
            ServerSpec(
                "ex19-a",
                Family.E2019,
                letters=(Letter("sales@hq.example", "buyer@contoso.example", "Offer 2024-0311"),),
            ),
            ServerSpec("exse-b", Family.SE),
        ),
        domains=("contoso.example", "nestle.com"),
        resolvers=("203.0.113.53", "203.0.113.54"),
    ),
    zones={
        "hq.example": LOCAL_ZONE,
        "nestle.com": NESTLE,
        "aol.com": _AOL,
        "contoso.example": _CONTOSO,
        "sister.example": "@ MX 10 mailin-02.mx.aol.com.\n",
        "nomail.example": "@ MX 0 .\n",
        "dead.example": "@ MX 10 mx\nmx A 192.0.2.99\n",
        "flaky.example": "@ MX 10 mx\nmx A 192.0.2.98\n",
    },
    sinks=(
        *LOCAL_SINKS,
        *NESTLE_SINKS,
        SinkSpec("198.51.100.9", "mailin-01.mx.aol.com", Temper.REFUSE),
        SinkSpec("198.51.100.12", "mailin-02.mx.aol.com"),
        SinkSpec("198.51.100.13", "mailin-03.mx.aol.com"),
        SinkSpec("198.51.100.14", "mailin-04.mx.aol.com"),
        SinkSpec("192.0.2.41", "mx1.contoso.example"),
        SinkSpec("192.0.2.42", "mx2.contoso.example"),
        SinkSpec("10.1.2.3", "mail.partner.corp"),
        SinkSpec("192.0.2.99", "mx.dead.example", Temper.REFUSE),
        SinkSpec("192.0.2.98", "mx.flaky.example"),
    ),
    failing=("flaky.example",),
    ignoring_aaaa=("contoso.example", "mx1.contoso.example", "mx2.contoso.example"),
    domains=("nestle.com", "aol.com", "sister.example"),
)

"""The default lab with WinRM on its old hosts, as no real one has it."""

DEFAULT = behind_manager(DIRECT)
"""The default lab: its old hosts are behind a management host, as they have to be."""

MORE_DOMAINS = {
    "nomail.example": "takes no mail (null MX)",
    "dead.example": "has one exchange, which refuses connections",
    "nosuch.example": "does not exist",
    "flaky.example": "DNS answers SERVFAIL",
}
"""Further names to try by hand, and what is special about each."""

SILENT_HOST = HostSpec(
    "mail55-rtm",
    V55_RTM,
    "203.0.113.57",
    switch=("DisableResolverSearchList", 1),
    diagnostics=3,
    letters=(Letter("sales@hq.example", "buyer@globex.example", "Offer 1998-0309"),),
)
"""5.5 as it was released. Its search list is off, and mail waits all the same (Q182821)."""

_GLOBEX = "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 192.0.2.81\nmx2 A 192.0.2.82\n"
_GLOBEX_SINKS = (
    SinkSpec("192.0.2.81", "mx1.globex.example", Temper.TARPIT),
    SinkSpec("192.0.2.82", "mx2.globex.example"),
)

_SILENCE = replace(
    DIRECT,
    hosts=(*DIRECT.hosts, SILENT_HOST),
    zones={
        **DIRECT.zones,
        "hq.example": f"{LOCAL_ZONE}mail55-rtm A 203.0.113.57\n",
        "globex.example": _GLOBEX,
    },
    sinks=(*DIRECT.sinks, *_GLOBEX_SINKS),
    domains=(*DIRECT.domains, "globex.example"),
    assumptions=Assumptions(real_log=True, mx_failover=True, banner=0.5),
)
WITH_SILENCE = behind_manager(_SILENCE)
"""The default lab with the fault of Q182821 beside that of Q150969: globex.example's best exchange
takes connections and says nothing. On this host a pin helps only to the other one."""
