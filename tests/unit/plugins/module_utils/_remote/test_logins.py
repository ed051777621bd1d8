# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS and logins, the same for command shells and for cmdlets: whom we trust, and how we log in.

Kerberos needs a KDC, so it is tested beside the lab's own tests (marker ``peers``).
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
import pytest
import requests
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    HostUnreachable,
    MissingLibrary,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import (
    options,
    psrp,
    winrs,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import Cmdlet
from exchange_lab.org.lab import OrganisationLab
from exchange_lab.org.versions import Family
from exchange_lab.windows.certificates import Certificate, TestAuthority
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.proxy import Proxy
from exchange_lab.windows.relay import Relay
from exchange_lab.windows.winrm_listener import HttpListener
from exchange_lab.windows.winrm_server import Settings, WinRMServer

USER, PASSWORD = "operator", "S3cret-Passw0rd"


@dataclass(frozen=True, slots=True)
class Service:
    kind: str
    listener: HttpListener

    def use(self, login: str = "ntlm", **changes: Any) -> str:
        """Log in, ask for the host's name, and go."""
        given = {
            "host": "localhost",
            "port": self.listener.port,
            "scheme": self.listener.scheme,
            "user": USER,
            "password": PASSWORD,
            "connect_timeout": 5,
            **changes,
        }
        if self.kind == "winrm":
            shell = winrs.connect(options.from_params({"transport": login, **given}))
            with contextlib.closing(shell):
                return shell.run("echo %COMPUTERNAME%").stdout.decode().strip()
        with contextlib.closing(
            psrp.connect(options.endpoint_from_params({"auth": login, **given}))
        ) as pool:
            return str(pool.invoke(Cmdlet("Get-ExchangeServer"))[0]["Name"])


Serve = Callable[..., Service]


@pytest.fixture(params=["winrm", "psrp"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """Starts a service of a host EX1: ``serve(certificate=, settings=)``."""
    users = {USER: PASSWORD}
    with contextlib.ExitStack() as stack:

        def winrm(**how: Any) -> Service:
            host = LabHost("EX1", tmp_path / "disk", users=users, time_scale=0.05)
            stack.callback(host.close)
            return Service("winrm", stack.enter_context(WinRMServer()).add(host, **how))

        def powershell(**how: Any) -> Service:
            how.setdefault("settings", Settings())
            lab = OrganisationLab.build({"EX1": Family.E2019}, users=users, **how)
            return Service("psrp", stack.enter_context(lab).listeners["EX1"])

        yield winrm if request.param == "winrm" else powershell


@pytest.fixture
def certificate(authority: TestAuthority) -> Certificate:
    return authority.issue("localhost")


# -- whom we trust


def test_an_authority_by_option(
    serve: Serve, authority: TestAuthority, certificate: Certificate
) -> None:
    assert serve(certificate=certificate).use(ca_cert=str(authority.ca_file)) == "EX1"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_option_counts_and_not_the_environment(
    serve: Serve, authority: TestAuthority, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    ours, other = str(authority.ca_file), str(certifi.where())
    service = serve(certificate=authority.issue("localhost"))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, other)
    assert service.use(ca_cert=ours) == "EX1"
    assert service.use(cert_validation="ignore") == "EX1"
    monkeypatch.setenv(variable, ours)
    with pytest.raises(HostUnreachable, match="certificate is not trusted"):
        service.use(ca_cert=other)
    assert service.use() == "EX1"  # what the documentation says of the default


def test_no_warning_about_what_an_option_asks_for(
    serve: Serve, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = serve(certificate=certificate)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert service.use(cert_validation="ignore") == "EX1"


@pytest.mark.parametrize(
    ("names", "issue", "sentence"),
    [
        (["mail.elsewhere.example"], {}, "the TLS certificate does not match the host name"),
        (["127.0.0.1"], {}, "the TLS certificate does not match the host name"),
        (["localhost"], {"expired": True}, "the TLS certificate has expired"),
    ],
)
def test_a_certificate_that_does_not_fit(
    serve: Serve, authority: TestAuthority, names: list[str], issue: dict[str, Any], sentence: str
) -> None:
    service = serve(certificate=authority.issue(*names, **issue))
    with pytest.raises(HostUnreachable, match=sentence):
        service.use(ca_cert=str(authority.ca_file))
    assert service.listener.traffic.requests == 0
    assert service.use(cert_validation="ignore") == "EX1"


def test_an_authority_that_nobody_knows(serve: Serve, certificate: Certificate) -> None:
    service = serve(certificate=certificate)
    with pytest.raises(HostUnreachable, match=r"certificate is not trusted.*ca_cert"):
        service.use()
    assert service.listener.traffic.requests == 0


@pytest.mark.parametrize("content", [None, "", "no certificate\n"])
def test_a_bundle_that_cannot_be_used(
    serve: Serve, certificate: Certificate, tmp_path: Path, content: str | None
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    service = serve(certificate=certificate)
    with pytest.raises(HostUnreachable, match="ca_cert is missing or holds no certificate"):
        service.use(ca_cert=str(bundle))
    assert service.listener.traffic.requests == 0


# -- client certificates


def test_a_client_certificate(
    serve: Serve, authority: TestAuthority, certificate: Certificate, tmp_path: Path
) -> None:
    settings = Settings(certificates={"ops": USER}, client_ca=authority.ca_file, negotiate=False)
    service = serve(certificate=certificate, settings=settings)
    trusted = {"ca_cert": str(authority.ca_file), "user": None, "password": None}

    def login(issued: Certificate, **more: Any) -> str:
        files = {"client_cert": str(issued.cert_file), "client_key": str(issued.key_file)}
        return service.use("certificate", **trusted, **{**files, **more})

    ours = authority.issue("ops")
    assert login(ours) == "EX1"
    with pytest.raises(HostUnreachable, match="login was refused"):
        login(authority.issue("somebody"))
    with pytest.raises(HostUnreachable, match="the client certificate or its key cannot be used"):
        login(ours, client_key=str(authority.issue("other").key_file))
    with pytest.raises(HostUnreachable, match="the client certificate or its key cannot be used"):
        login(ours, client_cert=str(tmp_path / "none.pem"))


# -- CredSSP


@pytest.mark.parametrize("encryption", ["auto", "always"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_credssp(
    serve: Serve, authority: TestAuthority, certificate: Certificate, tls: bool, encryption: str
) -> None:
    how = {"certificate": certificate} if tls else {}
    service = serve(settings=Settings(credssp=True, negotiate=False), **how)
    with Relay(service.listener.port) as wire:
        used = service.use(
            "credssp",
            port=wire.port,
            ca_cert=str(authority.ca_file),
            message_encryption=encryption,
        )
    assert used == "EX1"
    for heard in (wire.sent, wire.answered):
        assert b"Envelope" not in heard
        assert (b"application/HTTP-CredSSP-session-encrypted" in heard) is not tls


def test_credssp_brings_the_password_and_ntlm_does_not(serve: Serve) -> None:
    """What a management host needs for the way on."""
    service = serve(settings=Settings(credssp=True))
    seen: dict[str, bool] = {}
    handle = service.listener.handle

    def noting(request: Any, user: str, *, delegated: bool) -> bytes:
        seen[login] = delegated
        return handle(request, user, delegated=delegated)

    service.listener.handle = noting  # type: ignore[method-assign]
    for login in ("credssp", "ntlm"):
        service.use(login)
    assert seen == {"credssp": True, "ntlm": False}


def test_long_messages_by_credssp(tmp_path: Path) -> None:
    """More than 16 KB go in several parts, both ways."""
    host = LabHost("EX1", tmp_path / "disk", users={USER: PASSWORD}, time_scale=0.05)
    with WinRMServer() as server, contextlib.closing(host):
        listener = server.add(host, settings=Settings(credssp=True))
        given = {
            "host": "localhost",
            "port": listener.port,
            "scheme": "http",
            "user": USER,
            "password": PASSWORD,
            "transport": "credssp",
        }
        with contextlib.closing(winrs.connect(options.from_params(given))) as shell:
            answer = shell.run("for /L %i in (1,1,6000) do @echo line %i").stdout
    assert answer.splitlines()[-1] == b"line 6000"


def test_a_wrong_password_by_credssp(serve: Serve) -> None:
    service = serve(settings=Settings(credssp=True))
    with pytest.raises(HostUnreachable, match=r"login was refused: wrong user or password") as told:
        service.use("credssp", password="not-it")
    assert "not-it" not in str(told.value)
    assert "Kerberos" not in str(told.value)


def test_a_host_without_credssp(serve: Serve) -> None:
    with pytest.raises(HostUnreachable, match=r"CredSSP is not enabled.*Enable-WSManCredSSP"):
        serve().use("credssp")


def test_negotiate_is_ntlm_where_there_is_no_ticket(serve: Serve) -> None:
    service = serve()
    assert service.use("negotiate", user=USER) == "EX1"
    with pytest.raises(HostUnreachable, match="login was refused"):
        service.use("negotiate", password="not-it")


# -- through a proxy

PROXY_LOGIN = "someone:geheim"
CLOSED = ("127.0.0.1", 9)
ELSEWHERE = "http://127.0.0.1:9"


@pytest.fixture
def trusted(serve: Serve, authority: TestAuthority, certificate: Certificate) -> Serve:
    """Uses a service over TLS that is trusted."""
    service = serve(certificate=certificate)

    def use(**how: Any) -> Any:
        return service.use(ca_cert=str(authority.ca_file), **how)

    use.port = service.listener.port  # type: ignore[attr-defined]
    return use


@pytest.fixture
def proxy(trusted: Any) -> Iterator[Proxy]:
    """One that asks for a login, and allows the service and a closed port."""
    port = trusted.port
    allowed = {f"localhost:{port}": ("127.0.0.1", port), "localhost:9": CLOSED}
    with Proxy(allowed, login=PROXY_LOGIN) as running:
        yield running


def test_a_proxy_by_option(trusted: Any, proxy: Proxy) -> None:
    url = f"http://{PROXY_LOGIN}@127.0.0.1:{proxy.port}"
    assert trusted(proxy=url) == "EX1"
    assert set(proxy.tunnels) == {f"localhost:{trusted.port}"}
    for more, sentence in (
        ({"port": 9}, "the proxy could not reach the host"),
        ({"port": 10}, "the proxy does not allow a connection to this host and port"),
        ({"proxy": url.replace("geheim", "falsch")}, "the proxy requires a login, or rejects"),
        ({"proxy": ELSEWHERE}, "the proxy could not be used"),
    ):
        with pytest.raises(HostUnreachable, match=sentence) as told:
            trusted(**{"proxy": url, **more})
        assert "geheim" not in str(told.value)
        assert "falsch" not in str(told.value)


def test_a_proxy_by_environment_unless_an_option_says_otherwise(
    trusted: Any, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", f"http://{PROXY_LOGIN}@127.0.0.1:{proxy.port}")
    assert trusted() == "EX1"
    through = len(proxy.tunnels)
    assert through > 0
    assert trusted(ignore_proxy=True) == "EX1"
    monkeypatch.setenv("no_proxy", "localhost")
    assert trusted() == "EX1"
    assert len(proxy.tunnels) == through
    with pytest.raises(HostUnreachable, match="the proxy could not be used"):
        trusted(proxy=ELSEWHERE)  # no_proxy is about the environment's proxy
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("https_proxy", ELSEWHERE)
    with pytest.raises(HostUnreachable, match="the proxy could not be used"):
        trusted()


def test_a_socks_proxy_without_its_library(trusted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_args: object, **_more: object) -> None:
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr(requests.adapters, "SOCKSProxyManager", missing)
    with pytest.raises(MissingLibrary, match=r"PySocks is missing.*Install PySocks"):
        trusted(proxy="socks5h://127.0.0.1:9")


# -- channel binding (RFC 5929), as a host with CbtHardeningLevel Strict requires it


def test_ntlm_is_bound_to_the_end_that_we_see(
    serve: Serve, authority: TestAuthority, certificate: Certificate
) -> None:
    service = serve(certificate=certificate, settings=Settings(strict_binding=True))
    trusted = {"ca_cert": str(authority.ca_file)}
    assert service.use(**trusted) == "EX1"
    assert service.use(message_encryption="always", **trusted) == "EX1"
    with (
        Relay(service.listener.port, authority.issue("localhost")) as middle,
        pytest.raises(HostUnreachable, match="login was refused"),
    ):
        service.use(port=middle.port, **trusted)
    assert service.listener.open_shells == 0


def test_where_nobody_wants_a_binding_a_relay_gets_through(
    serve: Serve, authority: TestAuthority, certificate: Certificate
) -> None:
    """The counterpart of the test above."""
    service = serve(certificate=certificate)
    with Relay(service.listener.port, authority.issue("localhost")) as middle:
        assert service.use(port=middle.port, ca_cert=str(authority.ca_file)) == "EX1"
