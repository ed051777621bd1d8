# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions with Exchange's PowerShell, on the lab's organisation and its broken servers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    CommandTimeout,
    ExchangeError,
    HostUnreachable,
    MissingLibrary,
    SessionLost,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import psrp
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.options import (
    endpoint_from_params,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import (
    Cmdlet,
    CmdletError,
)
from exchange_lab.org import shell
from exchange_lab.org.endpoint import PowerShellEndpoint
from exchange_lab.org.faults import Fault, Kind
from exchange_lab.org.lab import OrganisationLab
from exchange_lab.org.runspace import Runspace
from exchange_lab.org.versions import Family
from exchange_lab.windows.certificates import TestAuthority
from exchange_lab.windows.faults import Kind as LineKind
from exchange_lab.windows.winrm_listener import Settings

ADMIN, SECRET = "admin@hq.example", "s3cret word"
GET = Cmdlet("Get-SendConnector")


@pytest.fixture(scope="module")
def running() -> Iterator[OrganisationLab]:
    servers = {"EX16": Family.E2016}
    with OrganisationLab.build(servers, users={ADMIN: SECRET}, settings=Settings()) as lab:
        lab.organisation.directory.preferred = "dc1.hq.example"
        yield lab


@pytest.fixture
def lab(running: OrganisationLab) -> Iterator[OrganisationLab]:
    yield running
    running.organisation.faults.clear()
    assert running.endpoints["EX16"].open_count == 0, "a runspace was left open"


def connect(lab: OrganisationLab, **more: Any) -> psrp.PsrpSession:
    given = {
        "host": "127.0.0.1",
        "port": lab.port("EX16"),
        "user": ADMIN,
        "password": SECRET,
        "auth": "ntlm",
    }
    return psrp.connect(endpoint_from_params({**given, **more}), host="ex16")


@pytest.fixture
def session(lab: OrganisationLab) -> Iterator[psrp.PsrpSession]:
    session = connect(lab)
    yield session
    session.close()


def test_values_go_there_and_come_back(session: psrp.PsrpSession) -> None:
    comment = 'a_x0041_ "$(calc)" \u00e9\U0001f600 `n; Remove-Item \n\t\x01'
    parameters = {
        "Name": "values",
        "AddressSpaces": ("SMTP:nestle.com;5",),
        "SmartHosts": ["[192.0.2.1]", "[2001:db8::1]"],
        "DNSRoutingEnabled": False,
        "Port": 2525,
        "Comment": comment,
        "TlsDomain": None,
    }
    (made,) = session.invoke(Cmdlet("New-SendConnector", parameters))
    (seen,) = session.invoke(Cmdlet("Get-SendConnector", {"Identity": "values"}))
    session.invoke(Cmdlet("Remove-SendConnector", {"Identity": made["Guid"], "Confirm": False}))
    assert seen == made
    assert seen["Comment"] == comment
    assert seen["SmartHosts"] == ["[192.0.2.1]", "[2001:db8::1]"]
    assert (seen["Port"], seen["DNSRoutingEnabled"], seen["TlsDomain"]) == (2525, False, None)


class Text(str):
    """Text as Ansible hands it over: marked with where it came from."""


class Number(int):
    """A number of that kind."""


def test_values_of_derived_classes_go_as_what_they_are(session: psrp.PsrpSession) -> None:
    parameters = {
        "Name": Text("derived"),
        "AddressSpaces": [Text("SMTP:nestle.com;5")],
        "Port": Number(2525),
        "DNSRoutingEnabled": True,
    }
    (made,) = session.invoke(Cmdlet("New-SendConnector", parameters))
    session.invoke(Cmdlet("Remove-SendConnector", {"Identity": made["Guid"], "Confirm": False}))
    assert (made["Name"], made["AddressSpaces"]) == ("derived", ["SMTP:nestle.com;5"])
    assert (made["Port"], made["DNSRoutingEnabled"]) == (2525, True)


def test_nothing_is_sent_before_the_first_cmdlet_and_little_after(lab: OrganisationLab) -> None:
    before = lab.requests("EX16")
    session = connect(lab)
    assert (session.requests, lab.requests("EX16")) == (0, before)
    session.invoke(GET)
    assert session.requests == 7
    session.invoke(GET)
    assert session.requests == 10, "the pipeline before is closed, too"
    session.close()
    session.close()
    assert lab.requests("EX16") - before == session.requests == 11


def test_only_cmdlets_are_sent_and_all_messages_are_sealed(
    lab: OrganisationLab, session: psrp.PsrpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    run = shell.Shell.run

    def record(self: shell.Shell, command: Any) -> Any:
        sent.append((command.command_text, command.is_script))
        return run(self, command)

    monkeypatch.setattr(shell.Shell, "run", record)
    session.invoke(GET)
    assert sent == [("Get-SendConnector", False)]
    assert "Plaintext" not in lab.listeners["EX16"].traffic.actions


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Get-SendConnector; calc", {}),
        ("Get-SendConnector | x", {}),
        ("$x", {}),
        ("Get-X\n", {}),
        ("Get-SendConnector", {"Identity x": 1}),
    ],
)
def test_what_is_no_cmdlet_cannot_even_be_named(name: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        Cmdlet(name, parameters)


def test_an_error_that_ends_nothing_is_an_error(session: psrp.PsrpSession) -> None:
    with pytest.raises(CmdletError, match="object 'nope' couldn't be found") as caught:
        session.invoke(Cmdlet("Get-SendConnector", {"Identity": "nope"}))
    assert "ManagementObjectNotFoundException" in caught.value.error_id
    assert not caught.value.transient
    assert session.invoke(GET) == []


def test_a_cmdlet_that_the_roles_lack_says_so(session: psrp.PsrpSession) -> None:
    with pytest.raises(CmdletError, match="management roles"):
        session.invoke(Cmdlet("Get-Nothing"))


def test_transient_errors_are_known(lab: OrganisationLab, session: psrp.PsrpSession) -> None:
    lab.organisation.faults.order(Fault(Kind.ERROR, GET.name))
    with pytest.raises(CmdletError) as caught:
        session.invoke(GET)
    assert caught.value.transient


def test_a_cmdlet_that_hangs_is_stopped_at_our_deadline(
    lab: OrganisationLab, session: psrp.PsrpSession
) -> None:
    lab.organisation.faults.order(Fault(Kind.DELAY, GET.name, seconds=20))
    started = time.monotonic()
    with pytest.raises(CommandTimeout, match="within 1 seconds"):
        session.invoke(GET, timeout=1)
    assert time.monotonic() - started < 18


@pytest.mark.parametrize("kind", [Kind.RESET_BEFORE, Kind.RESET_AFTER])
def test_a_connection_that_breaks_is_a_lost_session(
    lab: OrganisationLab, session: psrp.PsrpSession, kind: Kind
) -> None:
    lab.organisation.faults.order(Fault(kind, GET.name))
    with pytest.raises(SessionLost, match="may or may not have run"):
        session.invoke(GET)
    session.reopen()
    assert session.invoke(GET) == []


@pytest.mark.parametrize("kind", [LineKind.HTTP_500, LineKind.GARBAGE, LineKind.RESET])
@pytest.mark.parametrize("action", ["Create", "Command", "Receive"])
def test_garbage_at_any_point_is_one_sentence(
    running: OrganisationLab, kind: LineKind, action: str
) -> None:
    session = connect(running)
    running.listeners["EX16"].faults.at(action, kind)
    with pytest.raises((HostUnreachable, SessionLost)) as caught:
        session.invoke(GET)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None
    session.close()
    running.listeners["EX16"].faults.clear()
    assert running.endpoints["EX16"].open_count == 0, "a runspace was left open"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"password": "guess"}, "wrong user or password"),
        ({"user": "nobody"}, "wrong user or password"),
        ({"auth": "basic", "scheme": "http", "message_encryption": "never"}, "refused"),
        ({"port": 1}, "nothing listens on this port"),
        ({"host": "no.such.host.invalid"}, "the host name does not resolve"),
        ({"path": "wsman"}, "no PowerShell directory at this path"),
        ({"scheme": "https"}, "the port does not accept TLS"),
    ],
)
def test_why_no_session_comes_about(
    lab: OrganisationLab, options: dict[str, Any], words: str
) -> None:
    session = connect(lab, **options)
    with pytest.raises(HostUnreachable) as caught:
        session.invoke(GET)
    session.close()
    text = str(caught.value)
    assert words in text
    assert text.startswith("ex16: no session with Exchange's PowerShell as ")
    assert SECRET not in text


def test_too_many_runspaces(lab: OrganisationLab, session: psrp.PsrpSession) -> None:
    session.invoke(GET)
    lab.endpoints["EX16"].max_runspaces = 1
    second = connect(lab)
    try:
        with pytest.raises(HostUnreachable, match="a limit of the host is reached"):
            second.invoke(GET)
    finally:
        lab.endpoints["EX16"].max_runspaces = 10


def test_more_cmdlets_than_pipelines_that_may_be_open(
    lab: OrganisationLab, session: psrp.PsrpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline counts until it is terminated, also where it has ended (pypsrp issue 148)."""
    monkeypatch.setattr(lab.endpoints["EX16"], "max_pipelines", 2)
    opened = _opened(monkeypatch)
    for _round in range(7):
        assert session.invoke(GET) == []
    assert opened == [1], "one runspace was enough"


def test_a_limit_that_is_met_all_the_same_gets_one_new_runspace(
    lab: OrganisationLab, session: psrp.PsrpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = _opened(monkeypatch)
    monkeypatch.setattr(lab.endpoints["EX16"], "max_pipelines", 3)
    monkeypatch.setattr(Runspace, "forget", lambda _self, _pipeline: None)
    for _round in range(7):
        assert session.invoke(GET) == []
    assert opened == [1, 1, 1]
    monkeypatch.setattr(lab.endpoints["EX16"], "max_pipelines", 0)
    with pytest.raises(SessionLost, match=r"a limit of the host is reached.*Wait for other work"):
        session.invoke(GET)
    assert opened == [1, 1, 1, 1], "one, and no more"


def _opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the runspaces that are opened from here on."""
    opened: list[int] = []
    create = PowerShellEndpoint._create

    def counted(self: PowerShellEndpoint, *args: Any) -> bytes:
        opened.append(1)
        return create(self, *args)

    monkeypatch.setattr(PowerShellEndpoint, "_create", counted)
    return opened


def test_https_with_basic_and_a_certificate_that_is_or_is_not_trusted(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    with OrganisationLab.build(
        {"EX16": Family.E2016},
        users={ADMIN: SECRET},
        certificate=authority.issue("127.0.0.1"),
        settings=Settings(basic=True),
    ) as lab:
        secure = {"auth": "basic", "scheme": "https"}
        trusting = connect(lab, **secure, ca_cert=str(authority.ca_file))
        assert trusting.invoke(GET) == []
        trusting.close()
        with pytest.raises(HostUnreachable, match="certificate is not trusted"):
            connect(lab, **secure).invoke(GET)
        with pytest.raises(HostUnreachable, match="does not match the host name"):
            connect(lab, **{**secure, "host": "localhost"}, ca_cert=str(authority.ca_file)).invoke(
                GET
            )


def test_a_missing_library_is_named(lab: OrganisationLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psrp, "LIBRARY_ERROR", "ImportError: pypsrp")
    with pytest.raises(MissingLibrary, match=r"pypsrp >= 0\.8"):
        connect(lab).invoke(GET)


class Impostor:
    """A server that accepts connections and always returns the same bytes, or nothing."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _skipped = self._socket.accept()
            except OSError:
                return
            self._open.append(client)
            if self._answer:
                client.recv(65536)
                client.sendall(self._answer)
                client.close()

    def close(self) -> None:
        for each in (self._socket, *self._open):
            each.close()


def _http(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


PLAIN = {"auth": "basic", "scheme": "http", "message_encryption": "never"}
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "did not answer in time"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "closed the connection"),
        (_http("302 Found", b"", "Location: http://evil.example/"), "redirect"),
        (_http("200 OK", b"<html>IIS</html>"), "not a valid PowerShell remoting response"),
        (_http("200 OK", BOMB), "DTD"),
        (_http("500 Error", BOMB), "DTD"),
        (_http("503 Unavailable", b"busy"), "HTTP status 503"),
        (_http("401 No", b"", "WWW-Authenticate: Bearer"), "not enabled on the endpoint"),
    ],
)
def test_servers_that_are_no_exchange(answer: bytes, words: str) -> None:
    impostor = Impostor(answer)
    options = endpoint_from_params(
        {
            "host": "127.0.0.1",
            "port": impostor.port,
            "user": ADMIN,
            "password": SECRET,
            **({"auth": "ntlm"} if b"Bearer" in answer else PLAIN),
            "connect_timeout": 2,
        }
    )
    started = time.monotonic()
    session = psrp.connect(options, host="ex16")
    with pytest.raises(ExchangeError) as caught:
        session.invoke(GET)
    session.close()
    impostor.close()
    assert words in str(caught.value)
    assert "evil.example" not in str(caught.value)
    assert time.monotonic() - started < 40
