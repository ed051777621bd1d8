# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of this folder share: sessions on lab hosts without a network between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import (
    ImcHost,
    Service,
    ServiceState,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.message import Probe
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import (
    COMMAND_LINE_LIMIT,
    Completed,
)
from exchange_lab.windows.host import LabHost

ROOT = r"C:\exchsrvr\imcdata"
TRACKING = r"C:\exchsrvr\tracking.log"
NOW = datetime(2026, 11, 23, 11, 45, 7, tzinfo=UTC)
RUN_TAG = "delivery-test-0123456789abcdef01234567"


@dataclass
class DirectSession:
    """A session whose commands run on a lab host at once.

    ``faults`` are looked at before each command: a callable that may raise instead of the host.
    """

    machine: LabHost
    faults: Iterator[Callable[[str], None] | None] = field(default_factory=lambda: iter(()))
    lines: list[str] = field(default_factory=list)
    reopened: int = 0

    @property
    def host(self) -> str:
        return self.machine.name

    @property
    def requests(self) -> int:
        return 0

    @property
    def host_time(self) -> None:
        """None: no response of HTTP has a time here."""
        return None

    def run(
        self, command: str, *, timeout: float = 60.0, max_output: int = 16_000_000
    ) -> Completed:
        assert len(command) <= COMMAND_LINE_LIMIT
        self.lines.append(command)
        fault = next(self.faults, None)
        if fault is not None:
            fault(command)
        shell = self.machine.open_shell(code_page=65001)
        done = self.machine.run(command, shell=shell)
        long = len(done.stdout) + len(done.stderr) > max_output
        return Completed(
            -1 if long else done.exit_code, done.stdout[:max_output], done.stderr, truncated=long
        )

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        pass


def raising(error: Exception) -> Callable[[str], None]:
    """A fault that stands for a session that broke before the command ran."""

    def fault(_command: str) -> None:
        raise error

    return fault


def imc_host(name: str = "mail55", *, build: int | None = 2653, computer: str = "") -> ImcHost:
    """What gathering would find on a usual host."""
    return ImcHost(
        name=name,
        computer=computer,
        service=Service(ServiceState.RUNNING, 2),
        setup=True,
        build=build,
        root_dir=ROOT,
        tracking_dir=TRACKING,
        switch=None,
        dns_domain="hq.example",
        search_list=("hq.example",),
    )


def probe(domain: str, number: int = 1) -> Probe:
    """A test message as a run makes it."""
    tag = f"{RUN_TAG}-{number:04d}"
    return Probe(
        domain,
        f"postmaster@{domain}",
        "postmaster@hq.example",
        "Delivery test",
        NOW,
        tag,
        f"<{tag}@hq.example>",
    )


def tracking_record(
    number: int,
    *recipients: tuple[str, str],
    message_id: str = "c=US;a= ;p=HQ;l=MAIL55-261123114507Z-7",
    remote_id: str = "",
    report_id: str = "",
) -> bytes:
    """A record of the tracking log, as Q173280 has it."""
    head = [message_id, str(number), "2026.11.23 11:45:7", "/CN=IMC", "/CN=MDB", remote_id]
    head += ["postmaster@hq.example", "0", "476", "0", "1", report_id, str(len(recipients))]
    lines = ["\t".join(head), *(f"{name}\t{status}" for name, status in recipients)]
    return ("\n".join(lines) + "\r\n").encode()
