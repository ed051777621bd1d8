# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an acting IMC is told about itself, and what the lab assumes where nothing is documented."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """A version of Exchange as the lab acts it.

    ``build`` is what Setup's ``NewestBuild`` says. Pickup came with 5.5 (Q201314), the tracking
    log's SMTP events 1010 to 1018 with 5.0 (Q173364), and imccopy is documented for 5.x (Q182522).
    """

    label: str
    build: int
    pickup: bool
    smtp_events: bool
    imccopy: bool


V40 = Version("4.0", 996, pickup=False, smtp_events=False, imccopy=False)
V50 = Version("5.0", 1460, pickup=False, smtp_events=True, imccopy=True)
V55 = Version("5.5", 2653, pickup=True, smtp_events=True, imccopy=True)


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


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Behaviour nobody documented, or that only its symptom is known of. Times are lab seconds.

    ``failover``: after a row whose host cannot be contacted, the next row of the same domain is
    tried. The real order and failover over rows are unknown; the article's workaround can only help
    if they are like this.
    ``mx_failover``: the same over several MX records. Off: one attempt contacts one exchange (of
    the best preference, the first by name) and gives up, which shows exactly the article's symptom.
    ``retry_after``: pauses between attempts, the last one repeats (the service's default schedule
    is in hours). ``expire_after``: then the sender gets a report (NDR).
    ``patience``: how long a far server may take to answer. ``poll``: how often Pickup is looked at.
    """

    failover: bool = True
    mx_failover: bool = False
    retry_after: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0, 30.0)
    expire_after: float = 3600.0
    patience: float = 2.0
    poll: float = 0.05

    def pause(self, attempts: int) -> float:
        """Return the seconds to wait after so many failed attempts (at least one)."""
        return self.retry_after[min(attempts, len(self.retry_after)) - 1]
