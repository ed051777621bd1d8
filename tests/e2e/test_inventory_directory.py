# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory from Active Directory that docs/inventory.md shows, against a real directory.

The page itself is followed in test_inventory_page.py. Here are the other ways in, and refusals.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import directory_server
import pytest
from exchange_lab.controller import Controller, Run
from exchange_lab.windows.active_directory import ADDRESS, REALM, DomainController
from exchange_lab.windows.certificates import TestAuthority
from pages import DOCS, blocks_by_heading

pytestmark = [pytest.mark.e2e, pytest.mark.peers]

_BLOCKS = blocks_by_heading(DOCS / "inventory-directory.md")["By the plugin microsoft.ad.ldap"]
[INVENTORY] = (block.text for block in _BLOCKS if "plugin: microsoft.ad.ldap" in block.text)
NESTED = ("memberOf=", "memberOf:1.2.840.113556.1.4.1941:=")
BY_PASSWORD = re.compile(r"^(?:auth_protocol|username|password): .*\n", re.MULTILINE)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def domain(
    authority: TestAuthority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DomainController]:
    folder = tmp_path_factory.mktemp("domain") / "directory"
    with directory_server.running(folder, authority) as found:
        yield found


class Administrator:
    """Asks the directory for the hosts."""

    def __init__(self, folder: Path, authority: TestAuthority) -> None:
        self.controller = Controller(folder, DOCS.parent / ".build")
        self.controller.more = directory_server.environment()
        server = INVENTORY.replace("dc1.hq.example", ADDRESS)
        self.inventory = server.replace("/etc/pki/hq-ca.pem", str(authority.ca_file))

    def ask(self) -> Run:
        """Return what ansible-inventory shows."""
        (self.controller.folder / "exchange.microsoft.ad.ldap.yml").write_text(self.inventory)
        command = ["ansible-inventory", "-i", "exchange.microsoft.ad.ldap.yml", "--list"]
        return self.controller.run(command)

    def hosts(self) -> list[str]:
        """Return the hosts that the directory has."""
        run = self.ask()
        assert run.status == 0, run.output
        return sorted(json.loads(run.output)["exchange"]["hosts"])


@pytest.fixture
def administrator(
    domain: DomainController, authority: TestAuthority, tmp_path: Path
) -> Administrator:
    return Administrator(tmp_path / "project", authority)


def test_a_server_in_a_nested_group_is_found_by_the_rule_for_chains(
    administrator: Administrator,
) -> None:
    assert administrator.hosts() == ["EX19-A", "MAIL5-A"]
    administrator.inventory = administrator.inventory.replace(*NESTED)
    assert administrator.hosts() == ["EX19-A", "EX19-B", "MAIL5-A"]


def test_a_ticket_serves_in_place_of_a_password(
    administrator: Administrator, domain: DomainController
) -> None:
    administrator.inventory = BY_PASSWORD.sub("", administrator.inventory)
    domain.logout()
    administrator.controller.more = {**administrator.controller.more, **domain.environment}
    refused = administrator.ask().output
    assert "SpnegoError" in refused
    assert "EX19-A" not in refused
    domain.login(f"{directory_server.ACCOUNT}@{REALM}", directory_server.PASSWORD)
    assert administrator.hosts() == ["EX19-A", "MAIL5-A"]


def test_a_wrong_password_is_named_and_not_shown(administrator: Administrator) -> None:
    more = {**administrator.controller.more, "LDAP_PASSWORD": "Wr0ng-Passw0rd"}
    administrator.controller.more = more
    output = administrator.ask().output
    assert "INVALID_CREDENTIALS" in output
    assert "data 52e" in output  # ERROR_LOGON_FAILURE, as Active Directory writes it
    assert "Wr0ng-Passw0rd" not in output


def test_a_certificate_of_a_stranger_is_refused(
    administrator: Administrator, authority: TestAuthority, tmp_path: Path
) -> None:
    (tmp_path / "ca").mkdir()
    stranger = TestAuthority(tmp_path / "ca")
    administrator.inventory = administrator.inventory.replace(
        str(authority.ca_file), str(stranger.ca_file)
    )
    assert "CERTIFICATE_VERIFY_FAILED" in administrator.ask().output
