# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's WinRM listener, spoken to by the real pywinrm."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import winrm.exceptions
from exchange_lab.windows.certificates import Certificate, TestAuthority
from exchange_lab.windows.client import client, one_command
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.remote_shell import Limits
from exchange_lab.windows.winrm_server import Listener, Settings, WinRMServer
from pypsrp.shell import Process, SignalCode, WinRS
from pypsrp.wsman import WSMan
from winrm.protocol import Protocol

USER, PASSWORD = "Administrator", "Passw0rd!"
OPEN = Settings(basic=True, allow_unencrypted=True)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[LabHost]:
    host = LabHost("MAIL5A", tmp_path / "disk", users={USER: PASSWORD, r"CORP\ops": "x y"})
    yield host
    host.close()


@pytest.fixture
def server(host: LabHost) -> Iterator[WinRMServer]:
    before = set(threading.enumerate())
    with WinRMServer() as server:
        yield server
    assert set(threading.enumerate()) <= before, "no thread may be left"


@pytest.fixture
def ntlm(server: WinRMServer, host: LabHost) -> Listener:
    return server.add(host)


@pytest.fixture
def basic(server: WinRMServer, host: LabHost) -> Listener:
    return server.add(host, settings=OPEN)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def certificate(authority: TestAuthority) -> Certificate:
    return authority.issue("127.0.0.1", "localhost")


def fault_code(error: pytest.ExceptionInfo[winrm.exceptions.WSManFaultError]) -> int | None:
    return error.value.wsman_fault_code


# -- logging in ------------------------------------------------------------------------------


def test_ntlm_encrypts_and_costs_four_plus_three_plus_one(
    server: WinRMServer, ntlm: Listener
) -> None:
    done = one_command(client(ntlm), "echo über&type nosuch&hostname")
    assert done == (
        "über\r\nMAIL5A\r\n".encode(),
        b"The system cannot find the file specified.\r\n",
        0,
    )
    assert ntlm.traffic.actions == [
        *["Auth", "Auth", "Auth", "Create"],
        *["Command", "Receive", "Signal"],
        "Delete",
    ]
    assert server.requests_by_host == {"MAIL5A": 8}
    assert (ntlm.traffic.connections, ntlm.open_shells) == (1, 0)


def test_basic_costs_one_plus_three_plus_one(basic: Listener) -> None:
    assert one_command(client(basic, "basic"), "exit 7") == (b"", b"", 7)
    assert basic.traffic.actions == ["Create", "Command", "Receive", "Signal", "Delete"]


def test_a_domain_user_is_known_by_its_domain(ntlm: Listener) -> None:
    protocol = client(ntlm, username=r"CORP\ops", password="x y")
    assert one_command(protocol, "echo %USERNAME%")[0] == b"ops\r\n"


def test_pypsrp_logs_in_by_negotiate(ntlm: Listener) -> None:
    wsman = WSMan(
        "127.0.0.1", port=ntlm.port, username=USER, password=PASSWORD, ssl=False, auth="negotiate"
    )
    with wsman, WinRS(wsman) as shell:
        process = Process(shell, "hostname")
        process.invoke()
        process.signal(SignalCode.TERMINATE)
    assert (process.stdout, process.rc) == (b"MAIL5A\r\n", 0)
    assert ntlm.open_shells == 0


@pytest.mark.parametrize(
    "token", ["", "x", "AAAA", "TlRMTVNTUAABAAAA", "YIIAAA==", "TlRMTVNTUAADAAAA"]
)
def test_a_token_that_is_none_is_refused(ntlm: Listener, token: str) -> None:
    headers = {"Authorization": f"Negotiate {token}"}
    assert requests.post(ntlm.url, headers=headers, timeout=5).status_code == 401
    assert one_command(client(ntlm), "hostname")[2] == 0


@pytest.mark.parametrize("transport", ["ntlm", "basic"])
@pytest.mark.parametrize("login", [{"password": "wrong"}, {"username": "nobody"}])
def test_a_wrong_login_is_refused(basic: Listener, transport: str, login: dict[str, str]) -> None:
    with pytest.raises(winrm.exceptions.InvalidCredentialsError):
        client(basic, transport, **login).open_shell()
    assert "Create" not in basic.traffic.actions


def test_basic_over_http_is_refused_unless_plaintext_is_allowed(
    server: WinRMServer, host: LabHost
) -> None:
    listener = server.add(host, settings=Settings(basic=True))
    with pytest.raises(winrm.exceptions.InvalidCredentialsError):
        client(listener, "basic").open_shell()


def test_plaintext_over_http_is_refused_after_ntlm(ntlm: Listener) -> None:
    with pytest.raises(winrm.exceptions.WinRMTransportError) as caught:
        client(ntlm, message_encryption="never").open_shell()
    assert caught.value.code == 500
    assert ntlm.shells.opened == 0


def test_ntlm_alone_offers_no_basic(ntlm: Listener) -> None:
    answer = requests.post(ntlm.url, timeout=5)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Negotiate")
    with pytest.raises(winrm.exceptions.InvalidCredentialsError):
        client(ntlm, "basic").open_shell()


def test_a_changed_password_refuses_the_next_login(ntlm: Listener, host: LabHost) -> None:
    one_command(client(ntlm), "ver")
    host.users[USER] = "changed"
    ntlm.passwords_changed()
    with pytest.raises(winrm.exceptions.InvalidCredentialsError):
        client(ntlm, password=PASSWORD).open_shell()
    assert one_command(client(ntlm), "ver")[2] == 0


def test_a_message_sealed_for_another_connection_is_answered_400(ntlm: Listener) -> None:
    protocol = client(ntlm)
    shell = protocol.open_shell()
    assert protocol.transport.session is not None
    protocol.transport.session.close()  # the connection is lost, the old key is still used
    with pytest.raises(winrm.exceptions.WinRMTransportError) as caught:
        protocol.run_command(shell, "ver")
    assert caught.value.code == 400


# -- TLS -------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["ntlm", "basic"])
def test_https_with_a_trusted_certificate(
    server: WinRMServer,
    host: LabHost,
    authority: TestAuthority,
    certificate: Certificate,
    transport: str,
) -> None:
    listener = server.add(host, certificate=certificate, settings=Settings(basic=True))
    protocol = client(listener, transport, ca_trust_path=str(authority.ca_file))
    assert one_command(protocol, "hostname")[0] == b"MAIL5A\r\n"


@pytest.mark.parametrize("kind", ["untrusted", "wrong name", "expired"])
def test_a_certificate_that_is_not_right_stops_the_client(
    server: WinRMServer, host: LabHost, authority: TestAuthority, tmp_path: Path, kind: str
) -> None:
    issued = {
        "untrusted": TestAuthority(tmp_path).issue("127.0.0.1"),
        "wrong name": authority.issue("mail5a.hq.example"),
        "expired": authority.issue("127.0.0.1", expired=True),
    }
    listener = server.add(host, certificate=issued[kind], settings=Settings(basic=True))
    with pytest.raises(requests.exceptions.SSLError):
        client(listener, "basic", ca_trust_path=str(authority.ca_file)).open_shell()
    assert listener.traffic.requests == 0
    protocol = client(listener, "basic", server_cert_validation="ignore")
    assert one_command(protocol, "hostname")[0] == b"MAIL5A\r\n"


def test_a_client_certificate_stands_for_a_user(
    server: WinRMServer, host: LabHost, authority: TestAuthority, certificate: Certificate
) -> None:
    settings = Settings(certificates={"ops": USER}, client_ca=authority.ca_file)
    listener = server.add(host, certificate=certificate, settings=settings)

    def login(issued: Certificate) -> Protocol:
        return Protocol(
            listener.url,
            transport="certificate",
            cert_pem=str(issued.cert_file),
            cert_key_pem=str(issued.key_file),
            ca_trust_path=str(authority.ca_file),
        )

    assert one_command(login(authority.issue("ops")), "echo %USERNAME%")[0] == b"Administrator\r\n"
    with pytest.raises(winrm.exceptions.InvalidCredentialsError):
        login(authority.issue("stranger")).open_shell()


# -- output, input, signals ------------------------------------------------------------------


def test_long_output_comes_in_envelopes_of_the_size_agreed(basic: Listener, host: LabHost) -> None:
    data = bytes(range(32, 127)) * 6000
    host.fs.write_bytes("C:\\big.txt", data)
    out, _skipped, code = one_command(client(basic, "basic"), "type C:\\big.txt")
    assert (out, code) == (data, 0)
    receives = basic.traffic.actions.count("Receive")
    assert receives == -(-len(data) // ((153600 - 8192) * 3 // 4))
    assert basic.traffic.bytes_out < receives * 153600 + 10_000


def test_a_long_command_ends_an_operation_in_a_timeout_fault(basic: Listener) -> None:
    protocol = client(basic, "basic", operation_timeout_sec=1, read_timeout_sec=5)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "ping -n 60 127.0.0.1>nul")
    before = time.monotonic()
    with pytest.raises(winrm.exceptions.WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, command)
    assert 0.9 < time.monotonic() - before < 30
    protocol.cleanup_command(shell, command)
    deadline = time.monotonic() + 5
    while basic.shells.running_count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert basic.shells.running_count == 0, "Signal really stops the command"
    protocol.close_shell(shell)


def test_output_of_a_running_command_comes_before_its_end(basic: Listener) -> None:
    protocol = client(basic, "basic")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "echo first&ping -n 60 127.0.0.1>nul")
    assert protocol.get_command_output_raw(shell, command) == (b"first\r\n", b"", -1, False)
    protocol.close_shell(shell)


def test_standard_input_is_sent_and_closed(basic: Listener) -> None:
    protocol = client(basic, "basic")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, 'findstr /n "^"')
    protocol.send_command_input(shell, command, b"one\r\n")
    protocol.send_command_input(shell, command, b"two\r\n", end=True)
    assert protocol.get_command_output(shell, command)[0] == b"1:one\r\n2:two\r\n"
    protocol.close_shell(shell)


def test_a_program_can_run_without_cmd(basic: Listener) -> None:
    protocol = client(basic, "basic")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "reg", ["query", "HKLM&x"], skip_cmd_shell=True)
    assert protocol.get_command_output(shell, command)[2] == 1
    with pytest.raises(winrm.exceptions.WSManFaultError) as caught:
        protocol.run_command(shell, "nosuch", skip_cmd_shell=True)
    assert fault_code(caught) == 0x80070002
    protocol.close_shell(shell)


def test_commands_of_a_shell_share_nothing_but_its_settings(basic: Listener) -> None:
    protocol = client(basic, "basic")
    shell = protocol.open_shell(working_directory="C:\\Windows", env_vars={"LABX": "1"})
    lines = ["set LABY=2&cd C:\\", "echo %LABX%%LABY%&cd"]
    outputs = []
    for line in lines:
        command = protocol.run_command(shell, line)
        outputs.append(protocol.get_command_output(shell, command)[0])
    assert outputs[1] == b"1%LABY%\r\nC:\\Windows\r\n"
    protocol.close_shell(shell)


# -- faults of the protocol ------------------------------------------------------------------


def test_a_shell_that_is_gone_is_a_fault(basic: Listener) -> None:
    protocol = client(basic, "basic")
    shell = protocol.open_shell()
    basic.shells.expire()
    with pytest.raises(winrm.exceptions.WSManFaultError) as caught:
        protocol.run_command(shell, "ver")
    assert fault_code(caught) == 2150858843


def test_another_users_shell_is_not_found(basic: Listener) -> None:
    shell = client(basic, "basic").open_shell()
    other = client(basic, "basic", username=r"CORP\ops", password="x y")
    with pytest.raises(winrm.exceptions.WSManFaultError) as caught:
        other.run_command(shell, "ver")
    assert fault_code(caught) == 2150858843


def test_too_many_shells_are_refused_until_one_is_closed(
    server: WinRMServer, host: LabHost
) -> None:
    listener = server.add(host, settings=OPEN, limits=Limits(max_shells_per_user=2))
    protocol = client(listener, "basic")
    shells = [protocol.open_shell() for _round in range(2)]
    with pytest.raises(winrm.exceptions.WSManFaultError) as caught:
        protocol.open_shell()
    assert fault_code(caught) == 2150859173
    assert server.open_shells == 2
    protocol.close_shell(shells[0])
    protocol.close_shell(protocol.open_shell())


def test_operations_are_counted_until_the_shell_is_closed(
    server: WinRMServer, host: LabHost
) -> None:
    listener = server.add(host, settings=OPEN, limits=Limits(max_operations_per_user=2))
    protocol = client(listener, "basic")
    shell = protocol.open_shell()
    for _round in range(2):
        protocol.cleanup_command(shell, protocol.run_command(shell, "ver"))
    with pytest.raises(winrm.exceptions.WSManFaultError) as caught:
        protocol.run_command(shell, "ver")
    assert fault_code(caught) == 2150859174
    protocol.close_shell(shell)
    assert one_command(client(listener, "basic"), "exit 3")[2] == 3


def test_a_user_without_the_right_is_denied(basic: Listener) -> None:
    basic.shells.denied_users.add(USER)
    with pytest.raises(winrm.exceptions.WSManFaultError) as caught:
        client(basic, "basic").open_shell()
    assert fault_code(caught) == 5


def test_an_unknown_command_is_an_invalid_parameter(basic: Listener) -> None:
    protocol = client(basic, "basic")
    shell = protocol.open_shell()
    with pytest.raises(winrm.exceptions.WSManFaultError) as caught:
        protocol.get_command_output_raw(shell, "0F8B0E5B-0000-0000-0000-000000000000")
    assert fault_code(caught) == 87


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("/wsman", b"<not soap>", 400), ("/other", b"x", 404), ("/wsman", b"x" * 600_000, 413)],
)
def test_what_is_no_request_is_refused(
    basic: Listener, path: str, body: bytes, status: int
) -> None:
    url = basic.url.removesuffix("/wsman") + path
    assert requests.post(url, body, auth=(USER, PASSWORD), timeout=5).status_code == status


# -- delegation ------------------------------------------------------------------------------


@pytest.fixture
def manager(server: WinRMServer, host: LabHost, tmp_path: Path) -> LabHost:
    manager = LabHost("MGMT1", tmp_path / "mgmt", users={USER: PASSWORD})
    manager.connect(host)
    host.registry.add_key(r"HKLM\SOFTWARE")
    return manager


@pytest.mark.parametrize(
    ("transport", "delegates", "code"), [("basic", False, 0), ("ntlm", False, 1), ("ntlm", True, 0)]
)
def test_only_a_delegated_logon_reaches_another_computer(
    server: WinRMServer, manager: LabHost, transport: str, delegates: bool, code: int
) -> None:
    settings = Settings(basic=True, allow_unencrypted=True, delegates=delegates)
    listener = server.add(manager, settings=settings)
    done = one_command(client(listener, transport), r"reg query \\MAIL5A\HKLM\SOFTWARE")
    assert (done[2], b"Access is denied" in done[1]) == (code, code == 1)
