# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an acting IMC is told about itself, and what the lab assumes where nothing is documented."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Version:
    """A version of Exchange as the lab acts it.

    ``build`` is what Setup's ``NewestBuild`` says, and with ``revision`` what the service says of
    itself (Q257618). Pickup came with 5.5 (Q201314), the tracking log's SMTP events 1010 to 1018
    with 5.0 (Q173364), and imccopy is documented for 5.x (Q182522).
    """

    label: str
    build: int
    pickup: bool
    smtp_events: bool
    imccopy: bool
    revision: int = 0

    @property
    def greeting(self) -> str:
        """What stands behind the host's name in its SMTP banner.

        5.0 and 5.5 are as Q182821 and published banners have them, 4.0 is the lab's assumption.
        """
        number = f"{self.label}.{self.build}.{self.revision}"
        if self.label == "4.0":
            return f"Microsoft Exchange Internet Mail Connector <{number}>"
        if self.label == "5.0":
            return f"Microsoft Exchange Internet Mail Service {number} ready"
        return f"ESMTP Server (Microsoft Exchange Internet Mail Service {number}) ready"

    @property
    def relays(self) -> bool:
        """4.0 takes mail for its own recipients only: rerouting came with 5.0 (Q148985)."""
        return self.label != "4.0"

    @property
    def stays_with_silent_exchanges(self) -> bool:
        """Whether an exchange that accepts and says nothing is tried until the NDR.

        5.0 in every service pack and 5.5 before SP1 (Q182821, Q242221); before that, Q166604 has
        the same behind firewalls for 4.0 (fixed in SP5, build 996).
        """
        return self.build < _FIXED.get(self.label, 0)

    @property
    def compares_ends_of_names(self) -> bool:
        """Q164457: a row takes every name that ends like its own, also within a label."""
        return self.build < _WHOLE_LABELS


_FIXED = {"4.0": 996, "5.0": 9999, "5.5": 2232}
_WHOLE_LABELS = 995  # 4.0 SP4

V40 = Version("4.0", 996, pickup=False, smtp_events=False, imccopy=False, revision=62)
V50 = Version("5.0", 1460, pickup=False, smtp_events=True, imccopy=True, revision=8)
V55 = Version("5.5", 2653, pickup=True, smtp_events=True, imccopy=True, revision=13)
V55_RTM = replace(V55, build=1960, revision=3)
"""5.5 as it was released: with the faults of Q182821 and Q175982."""
V40_SP3 = replace(V40, build=994, revision=63)


@dataclass(frozen=True, slots=True)
class Site:
    """The names a server has in its organisation; ``domain`` is the mail domain it receives for."""

    server: str
    domain: str = "hq.example"
    organisation: str = "HQ"
    site: str = "MAIN"

    @property
    def fqdn(self) -> str:
        """The name the server says in HELO."""
        return f"{self.server.lower()}.{self.domain}"

    @property
    def gateway(self) -> str:
        """The connector's distinguished name, as event texts of the Knowledge Base show it."""
        return (
            f"/O={self.organisation}/OU={self.site}/CN=CONFIGURATION/CN=CONNECTIONS/"
            f"CN=INTERNET MAIL CONNECTOR ({self.server.upper()})"
        )

    @property
    def store(self) -> str:
        """The distinguished name of the server's information store, the partner of most events."""
        return (
            f"/O={self.organisation}/OU={self.site}/CN=CONFIGURATION/CN=SERVERS/"
            f"CN={self.server.upper()}/CN=MICROSOFT PRIVATE MDB"
        )

    def is_local(self, mailbox: str) -> bool:
        """Tell whether an address is delivered here and not sent on."""
        return mailbox.rpartition("@")[2].casefold() == self.domain.casefold()


class Relay(enum.Enum):
    """What the service does with mail by SMTP for other domains."""

    OPEN = "sends it on"
    RETURNED = "takes it and returns it"
    """4.0, and later ones with "Do not reroute incoming SMTP mail"."""
    PROHIBITED = "550 Relaying is prohibited"
    """By the restrictions of 5.5 SP1 and later (Q193922)."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Behaviour nobody documented, or that only its symptom is known of. Times are lab seconds.

    ``failover``: after a row whose host cannot be contacted, the next row of the same domain is
    tried. The real order and failover over rows are unknown; the article's workaround can only help
    if they are like this.
    ``mx_failover``: the same over several MX records, as articles have it: by Q182821 an exchange
    that takes the connection and stays silent is the only one that is not gone past, on the builds
    that do so. Off: one attempt contacts one exchange (of the best preference, the first by name)
    and gives up, whatever it says.
    ``retry_after``: pauses between attempts, the last one repeats (the service's default schedule
    is in hours). ``expire_after``: then the sender gets a report (NDR).
    ``patience``: how long a far server may take to answer, ``banner``: how long it may take to
    greet (5 minutes, Q175982). ``poll``: how often Pickup is looked at.
    ``real_log``: the protocol log as articles have it: the service's own lines are 499 and replies
    with the subject, a file belongs to a concurrent connection, and connections of others stand in
    it too. Off: the words of the queue window, and a file for each connection.
    ``real_relay``: 4.0 does not relay.
    """

    failover: bool = True
    mx_failover: bool = True
    retry_after: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0, 30.0)
    expire_after: float = 3600.0
    patience: float = 2.0
    poll: float = 0.05
    banner: float | None = None
    real_log: bool = True
    real_relay: bool = True

    def pause(self, attempts: int) -> float:
        """Return the seconds to wait after so many failed attempts (at least one)."""
        return self.retry_after[min(attempts, len(self.retry_after)) - 1]
