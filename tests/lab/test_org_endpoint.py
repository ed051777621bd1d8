# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PowerShell endpoint, spoken to by pypsrp."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from exchange_lab.org.faults import Fault, Kind
from exchange_lab.org.lab import OPEN, OrganisationLab, Session
from exchange_lab.org.versions import Family
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.winrm_server import WinRMServer
from exchange_lab.windows.wsman import INVALID_RESOURCE, TOO_MANY_SHELLS
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

ADMIN = "admin@hq.example"
CLASSES = "Microsoft.Exchange.Management.SystemConfigurationTasks"


@pytest.fixture
def lab() -> Iterator[OrganisationLab]:
    servers = {"EX10": Family.E2010, "EX16": Family.E2016}
    with OrganisationLab.build(servers, users={ADMIN: "pw", "viewer": "pw"}) as lab:
        lab.organisation.view_only.add("viewer")
        yield lab


@pytest.fixture
def session(lab: OrganisationLab) -> Iterator[Session]:
    with lab.session("EX16", ADMIN) as session:
        yield session


def _script(session: Session, text: str) -> PowerShell:
    shell = PowerShell(session.pool)
    shell.add_script(text).invoke()
    return shell


@pytest.mark.parametrize(
    "text", ["Get-SendConnector | Remove-SendConnector", "$true", "1+1", "Get-ExchangeServer"]
)
def test_about_language_modes_scripts_not_allowed(session: Session, text: str) -> None:
    shell = _script(session, text)
    (record,) = shell.streams.error
    assert shell.had_errors
    assert str(record) == (
        "The syntax is not supported by this runspace. This might be because it is in no-language "
        "mode."
    )
    assert (record.fq_error, record.reason) == ("ScriptsNotAllowed", "ParseException")


@pytest.mark.parametrize(
    "text", ["Get-SendConnector; ", "$x", "& calc", "Get-ExchangeServer -Id x"]
)
def test_about_language_modes_a_command_is_a_name_and_nothing_else(
    session: Session, text: str
) -> None:
    assert session.run(text).error_ids == ["ScriptsNotAllowed"]


def test_cmdlets_joined_by_a_pipe_are_refused(session: Session) -> None:
    shell = PowerShell(session.pool)
    shell.add_cmdlet("Get-SendConnector").add_cmdlet("Remove-SendConnector").invoke()
    assert [record.fq_error for record in shell.streams.error] == ["ScriptsNotAllowed"]


def test_statements_in_one_pipeline_cost_two_requests_together(
    lab: OrganisationLab, session: Session
) -> None:
    before = lab.requests("EX16")
    shell = PowerShell(session.pool)
    shell.add_cmdlet("Get-SendConnector").add_statement().add_cmdlet("Get-ExchangeServer")
    assert len(shell.invoke()) == 2
    assert lab.requests("EX16") - before == 2


def test_an_unknown_cmdlet_fails_the_pipeline(session: Session) -> None:
    answer = session.run("Get-Mailboxes")
    assert answer.failed
    assert answer.error_ids == ["CommandNotFoundException"]
    assert answer.messages[0].startswith("The term 'Get-Mailboxes' is not recognized")


@pytest.mark.parametrize(
    ("parameters", "error_id"),
    [
        ({"Nmae": "x"}, "NamedParameterNotFound"),
        ({"D": "x"}, "AmbiguousParameter"),
        ({"Name": "x"}, "MissingMandatoryParameter"),
        (
            {"Name": "x", "AddressSpaces": "x.com", "Enabled": "true"},
            "ParameterArgumentTransformationError",
        ),
        (
            {"Name": "x", "AddressSpaces": "x.com", "Port": 70000},
            "ParameterArgumentTransformationError",
        ),
        (
            {"Name": "x", "AddressSpaces": "x.com", "ProtocolLoggingLevel": "Much"},
            "ParameterArgumentTransformationError",
        ),
        (
            {"Name": "x", "AddressSpaces": "*x.com"},
            "ParameterArgumentTransformationError",
        ),
        (
            {"Name": "x", "AddressSpaces": "x.com", "SmartHosts": "192.0.2.1,192.0.2.2"},
            "ParameterArgumentTransformationError",
        ),
        (
            {"Name": "x", "AddressSpaces": "x.com", "ConnectionInactivityTimeOut": "2.00:00:00"},
            "ParameterArgumentTransformationError",
        ),
    ],
)
def test_what_cannot_be_bound_fails_before_anything_is_done(
    lab: OrganisationLab, session: Session, parameters: dict[str, object], error_id: str
) -> None:
    answer = session.run("New-SendConnector", **parameters)
    assert answer.failed
    assert answer.error_ids == [f"{error_id},{CLASSES}.NewSendConnector"]
    assert lab.organisation.counters.cmdlets("New-SendConnector") == 0


def test_parameters_by_prefix_alias_position_and_any_case(session: Session) -> None:
    made = session.run("new-sendconnector", name="pin", address="nestle.com", cf=False)
    assert [item["Name"] for item in made.objects] == ["pin"]
    shell = PowerShell(session.pool)
    (found,) = shell.add_cmdlet("Get-SendConnector").add_argument("PIN").invoke()
    assert str(found) == "pin"


def test_cloudservicesmailenabled_is_unknown_to_exchange_2010(lab: OrganisationLab) -> None:
    with lab.session("EX10", ADMIN) as old:
        answer = old.run(
            "New-SendConnector", Name="x", AddressSpaces="x.com", CloudServicesMailEnabled=False
        )
    assert answer.error_ids == [f"NamedParameterNotFound,{CLASSES}.NewSendConnector"]


def test_get_transportservice_came_with_exchange_2013(lab: OrganisationLab) -> None:
    with lab.session("EX10", ADMIN) as old, lab.session("EX16", ADMIN) as new:
        assert old.run("Get-TransportService").error_ids == ["CommandNotFoundException"]
        assert len(old.run("Get-TransportServer").objects) == 2
        old_name = new.run("Get-TransportServer")
        assert len(old_name.objects) == 2
        assert "will be removed in a future version" in old_name.warnings[0]
        (one,) = new.run("Get-TransportService", Identity="EX16").objects
    assert one["TransientFailureRetryInterval"] == "00:05:00"


def test_find_exchange_cmdlet_permissions_hides_what_the_roles_lack(lab: OrganisationLab) -> None:
    with lab.session("EX16", "viewer") as session:
        refused = session.run("New-SendConnector", Name="x", AddressSpaces="x.com")
        seen = session.run("Get-SendConnector")
    assert refused.error_ids == ["CommandNotFoundException"]
    assert not seen.failed


def test_get_exchangeserver_shows_versions_roles_and_the_organisation(session: Session) -> None:
    by_name = {item["Name"]: item for item in session.run("Get-ExchangeServer").objects}
    assert by_name["EX10"]["AdminDisplayVersion"] == "Version 14.3 (Build 123.4)"
    assert by_name["EX16"]["AdminDisplayVersion"] == "Version 15.1 (Build 2507.6)"
    assert by_name["EX16"]["ServerRole"] == "Mailbox"
    assert "CN=First Organization,CN=Microsoft Exchange" in by_name["EX16"]["DistinguishedName"]


@pytest.mark.parametrize("cmdlet", ["Get-ExchangeServer", "Get-SendConnector"])
def test_an_object_that_is_not_there_is_a_non_terminating_error(
    session: Session, cmdlet: str
) -> None:
    answer = session.run(cmdlet, Identity="nope", DomainController="dc1.hq.example")
    assert not answer.failed
    assert answer.objects == []
    (message,) = answer.messages
    assert message == (
        "The operation couldn't be performed because object 'nope' couldn't be found on "
        "'dc1.hq.example'."
    )
    assert "[Server=EX16,RequestId=" in answer.error_ids[0]
    assert "[FailureCategory=Cmdlet-ManagementObjectNotFoundException]" in answer.error_ids[0]


def test_erroraction_stop_makes_an_error_terminating(session: Session) -> None:
    answer = session.run("Get-SendConnector", Identity="nope", ErrorAction="Stop")
    assert answer.failed
    assert "ManagementObjectNotFoundException" in answer.error_ids[0]


def test_opening_costs_two_requests_a_cmdlet_three_and_closing_one(lab: OrganisationLab) -> None:
    with lab.session("EX16", ADMIN) as session:
        assert lab.requests("EX16") == 2
        session.run("Get-SendConnector")
        assert lab.requests("EX16") == 5  # its end among them
    assert lab.requests("EX16") == 6
    assert lab.requests("EX10") == 0
    assert lab.endpoints["EX16"].open_count == 0


def test_a_wrong_password_is_refused(lab: OrganisationLab) -> None:
    with (
        pytest.raises(AuthenticationError),
        lab.session("EX16", ADMIN, password="wrong"),
    ):
        pass


def test_another_configuration_name_is_not_there(lab: OrganisationLab) -> None:
    wsman = WSMan(
        "127.0.0.1",
        port=lab.port("EX16"),
        ssl=False,
        path="PowerShell",
        auth="basic",
        encryption="never",
        username=ADMIN,
        password="pw",
    )
    with wsman, pytest.raises(WSManFaultError) as caught, RunspacePool(wsman):
        pass
    assert caught.value.code == INVALID_RESOURCE


def test_too_many_runspaces_of_one_user_are_refused(lab: OrganisationLab) -> None:
    lab.endpoints["EX16"].max_runspaces = 1
    with lab.session("EX16", ADMIN), lab.session("EX16", "viewer"):
        with pytest.raises(WSManFaultError) as caught, lab.session("EX16", ADMIN):
            pass
        assert caught.value.code == TOO_MANY_SHELLS
    with lab.session("EX16", ADMIN) as session:
        assert not session.run("Get-SendConnector").failed


def test_a_transient_error_can_be_ordered_and_passes(
    lab: OrganisationLab, session: Session
) -> None:
    lab.organisation.faults.order(Fault(Kind.ERROR, "Get-SendConnector"))
    first, second = session.run("Get-SendConnector"), session.run("Get-SendConnector")
    assert "FailureCategory=Cmdlet-ADTransientException" in first.error_ids[0]
    assert second.error_ids == []


def test_a_delay_can_be_ordered(lab: OrganisationLab, session: Session) -> None:
    lab.organisation.faults.order(Fault(Kind.DELAY, "Get-SendConnector", seconds=0.3))
    started = time.monotonic()
    assert not session.run("Get-SendConnector").failed
    assert time.monotonic() - started >= 0.3


def test_an_empty_answer_can_be_ordered(lab: OrganisationLab, session: Session) -> None:
    lab.organisation.faults.order(Fault(Kind.EMPTY, "Get-ExchangeServer"))
    assert session.run("Get-ExchangeServer").objects == []
    assert len(session.run("Get-ExchangeServer").objects) == 2


@pytest.mark.parametrize(("kind", "made"), [(Kind.RESET_BEFORE, 0), (Kind.RESET_AFTER, 1)])
def test_a_connection_can_break_before_or_after_the_cmdlet_ran(
    lab: OrganisationLab, kind: Kind, made: int
) -> None:
    lab.organisation.faults.order(Fault(kind, "New-SendConnector", server="EX16"))
    with lab.session("EX16", ADMIN) as session:
        with pytest.raises(requests.exceptions.ConnectionError):
            session.run("New-SendConnector", Name="pin", AddressSpaces="nestle.com")
        directory = lab.organisation.directory
        assert len(directory.read(directory.choose())) == made
        session.pool.connection.transport.session = None
        assert len(session.run("Get-SendConnector").objects) == made


def test_a_fault_waits_for_its_turn(lab: OrganisationLab, session: Session) -> None:
    lab.organisation.faults.order(Fault(Kind.ERROR, "Get-SendConnector", skip=1, times=2))
    errors = [len(session.run("Get-SendConnector").error_ids) for _round in range(4)]
    assert errors == [0, 1, 1, 0]


def test_a_session_that_meets_winrm_instead_of_exchange_has_the_fault_that_others_met(
    tmp_path: Path,
) -> None:
    """pypsrp issues 41 and 47, pywinrm issue 273: port 5985 instead of Exchange's directory."""
    host = LabHost("EX16", tmp_path, users={ADMIN: "pw"})
    with WinRMServer() as server:
        listener = server.add(host, settings=OPEN)
        wsman = WSMan(
            "127.0.0.1",
            port=listener.port,
            ssl=False,
            path="wsman",
            username=ADMIN,
            password="pw",
            auth="basic",
            encryption="never",
        )
        pool = RunspacePool(wsman, configuration_name="Microsoft.Exchange")
        with pytest.raises(WSManFaultError, match="was not found in the WS-Management") as caught:
            pool.open()
        assert caught.value.code == 2150858811
        wsman.close()
    host.close()
