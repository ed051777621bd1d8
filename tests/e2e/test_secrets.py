# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret is printed or written, at any verbosity, whatever fails.

Real playbooks run at -vvvvv on hosts that fail in every way there is, with a secret of its own for
each of them. Then all that was printed, logged, cached, backed up and left behind is searched.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario import OrganisationSpec
from exchange_lab.scenario_default import DIRECT
from exchange_lab.windows.certificates import TestAuthority
from exchange_lab.windows.faults import Kind
from exchange_lab.windows.winrm_listener import Settings
from secret_search import ENCODERS, Search

PLUGINS = Path(__file__).parent / "ansible_plugins"
_SPECIAL = "&<\"'%$+/=#@ `\\!"


def _secret(name: str) -> str:
    """A secret with all the characters that some encoding changes; ``name`` tells whose."""
    return f"{name}{_SPECIAL}{secrets.token_hex(6)}"


def _word(name: str) -> str:
    """A secret that needs no encoding in a URL."""
    return f"{name}-{secrets.token_hex(10)}"


# -- the search can find what it looks for


@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize("make", [_secret, _word])
def test_the_search_finds_every_encoding(
    tmp_path: Path, encoding: str, make: Callable[[str], str]
) -> None:
    secret = make("x")
    planted = b"\x00before " + ENCODERS[encoding](secret) + b" after\n"
    search = Search({"mine": secret})
    assert "mine" in {leak.secret for leak in search.text("here", planted)}
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_bytes(planted)
    assert {leak.place for leak in search.folder(tmp_path)} == {"deep/er/file"}
    others = Search({"other": _secret("y")})
    assert not list(others.folder(tmp_path))


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "operator"])
def test_the_search_finds_the_logins_of_http_and_smtp(user: str) -> None:
    import base64  # noqa: PLC0415 - to build them as others do, not as the search does

    secret = _secret("x")
    for login in (f"{user}:{secret}", f"\0{user}\0{secret}", f"{user}:{secret}@host"):
        encoded = base64.b64encode(login.encode())
        assert list(Search({"mine": secret}).text("here", b"Authorization: Basic " + encoded))


def test_the_search_finds_what_a_callback_wrapped() -> None:
    secret = _word("x")
    assert list(Search({"mine": secret}).text("here", f"{secret[:9]}\n{secret[9:]}".encode()))


# -- the runs

SCENARIO = replace(
    DIRECT,
    password=_secret("real"),
    hosts=DIRECT.hosts[:2],
    organisation=OrganisationSpec(
        (DIRECT.organisation.servers[0],) if DIRECT.organisation else (),
        domains=("contoso.example",),
    ),
    domains=("nestle.com", "dead.example"),
)
_PROXY, _END_PROXY = "a proxy's", "an endpoint's proxy's"
_OPTION_PROXY = "a proxy's in the option connection"
_PSRP_PROXY, _SOCKS_PROXY = "a proxy's by psrp", "a SOCKS proxy's"
_BECOME = "one to become somebody else"
SECRETS = {
    "the password that is right": SCENARIO.password,
    "a wrong password": _secret("wrong"),
    "one for a closed port": _secret("closed"),
    "one for an untrusted certificate": _secret("tls"),
    "one for a plain port": _secret("plain"),
    _PROXY: _word("proxy"),
    _PSRP_PROXY: _word("psrpproxy"),
    _SOCKS_PROXY: _word("socks"),
    _BECOME: _secret("become"),
    "one from the vault": _secret("vault"),
    "the vault's own": _word("vaultkey"),
    "an endpoint's": _secret("endpoint"),
    _END_PROXY: _word("endproxy"),
    "a mail server's": _word("smtp"),
    "one in the option connection": _secret("option"),
    _OPTION_PROXY: _word("optproxy"),
}


def _of(name: str) -> str:
    return SECRETS[name]


@contextlib.contextmanager
def _repeating_mail_server() -> Iterator[int]:
    """A mail server that refuses every login and says what it got."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = listener.accept()
                    with connection, connection.makefile("rb") as lines:
                        connection.sendall(b"220 hi\r\n")
                        for line in lines:
                            said = line.strip()
                            known = b"250-hi\r\n250 AUTH PLAIN\r\n"
                            greeted = said.upper().startswith(b"EHLO")
                            answer = known if greeted else b"535 5.7.8 no: " + said + b"\r\n"
                            connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


class Site:
    """The lab, an inventory of hosts that fail, and a controller that shows and keeps all."""

    def __init__(self, folder: Path, lab: Lab, controller: Controller) -> None:
        self.folder, self.lab, self.controller = folder, lab, controller
        self.vault_file = folder / "known" / "vault"
        self.vault_file.parent.mkdir()
        self.vault_file.write_text(_of("the vault's own"))
        self.printed: list[bytes] = []
        for name in ("kept", "tmp"):
            (folder / name).mkdir()
        controller.more = {
            "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "keep,defect,tree,junit",
            "ANSIBLE_CALLBACK_TREE_DIR": str(folder / "kept" / "tree"),
            "JUNIT_OUTPUT_DIR": str(folder / "kept" / "junit"),
            "ANSIBLE_CONNECTION_PLUGINS": str(PLUGINS / "connection"),
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "kept" / "facts"),
            "ANSIBLE_LOG_PATH": str(folder / "kept" / "ansible.log"),
            "ANSIBLE_DISPLAY_TRACEBACK": "always",
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp" / "local"),
            "ANSIBLE_REMOTE_TEMP": str(folder / "tmp" / "remote"),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.vault_file),
            "ANSIBLE_FORKS": "12",
            "DEFECT": "crashing",
            "KEEP_FILE": str(folder / "kept" / "results"),
            "TMPDIR": str(folder / "tmp"),
        }

    def run(self, name: str, *options: str) -> str:
        """Run a playbook at full verbosity; return what it printed."""
        done = self.controller.playbook(name, "-vvvvv", "--diff", *options)
        self.printed.append(done.output.encode())
        return done.output

    def vaulted(self, text: str) -> str:
        """Return a text as an inventory holds it encrypted."""
        key = VaultSecret(self.vault_file.read_bytes())
        return VaultLib([("default", key)]).encrypt(text, key).decode()

    def leaks(self) -> list[str]:
        """Search everything but the inventory and the vault's key, which hold secrets by right."""
        search = Search(SECRETS)
        found = [leak for text in self.printed for leak in search.text("printed", text)]
        for folder in (self.folder / "kept", self.folder / "tmp", self.lab.folder / "hosts"):
            found += search.folder(folder)
        for path in self.controller.folder.iterdir():
            if path.name not in {"inventory", "play.yml"} and path.is_dir():
                found += search.folder(path)
        for host in (*self.lab.machines.values(), *self.lab.servers.values()):
            lines = "\n".join(host.host.commands).encode()
            found += search.text(f"commands on {host.host.name}", lines)
        first = {(one.secret, one.place): one for one in reversed(found)}
        return [
            f"{one.secret} ({one.encoding}) in {one.place}: {one.around}" for one in first.values()
        ]


@pytest.fixture
def site(tmp_path: Path, controller: Controller) -> Iterator[Site]:
    with Lab(SCENARIO, tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        made = Site(tmp_path, lab, controller)
        hosts = _failing_hosts(lab, tmp_path)
        (controller.inventory.parent / "more.yml").write_text(_inventory(hosts, made))
        yield made


def _failing_hosts(lab: Lab, folder: Path) -> dict[str, dict[str, Any]]:
    """Return the variables of hosts that fail, one in each way."""
    machine = lab["mail55"]
    port = machine.winrm.port
    (folder / "ca").mkdir()
    certificate = TestAuthority(folder / "ca").issue("127.0.0.1")
    https = lab.winrm.add(machine.host, certificate=certificate).port
    broken = lab.winrm.add(machine.host)
    broken.faults.at("*", Kind.HTTP_500, times=10**9)
    garbled = lab.winrm.add(machine.host)
    garbled.faults.at("Receive", Kind.GARBAGE, times=10**9)
    plain = lab.winrm.add(machine.host, settings=Settings(basic=True, allow_unencrypted=True)).port
    proxy = f"http://proxyuser:{SECRETS[_PROXY]}@127.0.0.1:9"
    server = next(iter(lab.servers.values())).facts().endpoint_port
    end_proxy = f"http://proxyuser:{SECRETS[_END_PROXY]}@127.0.0.1:9"
    right = SCENARIO.password
    return {
        "refused": {"ansible_port": port, "ansible_password": _of("a wrong password")},
        "unreachable": {"ansible_port": 9, "ansible_password": _of("one for a closed port")},
        "untrusted": {
            "ansible_port": https,
            "ansible_winrm_scheme": "https",
            "ansible_password": _of("one for an untrusted certificate"),
        },
        "no-tls": {
            "ansible_port": plain,
            "ansible_winrm_scheme": "https",
            "ansible_winrm_transport": "basic",
            "ansible_password": _of("one for a plain port"),
        },
        "basic": {
            "ansible_port": plain,
            "ansible_winrm_transport": "basic",
            "ansible_winrm_message_encryption": "never",
            "ansible_password": right,
        },
        "http500": {"ansible_port": broken.port, "ansible_password": right},
        "garbled": {"ansible_port": garbled.port, "ansible_password": right},
        "crashing": {"ansible_port": port, "ansible_password": right},
        "behind": {
            "ansible_port": port,
            "ansible_password": right,
            "mx_delivery_target_computer": "NOSUCH",
        },
        "proxied": {
            "ansible_port": port,
            "ansible_password": right,
            "ansible_winrm_proxy": proxy,
        },
        "psrp-proxied": {
            "ansible_connection": "psrp",
            "ansible_psrp_auth": "ntlm",
            "ansible_psrp_protocol": "http",
            "ansible_port": port,
            "ansible_password": right,
            "ansible_psrp_proxy": proxy.replace(SECRETS[_PROXY], SECRETS[_PSRP_PROXY]),
        },
        "socks": {
            "ansible_port": port,
            "ansible_password": right,
            "ansible_winrm_proxy": f"socks5h://proxyuser:{SECRETS[_SOCKS_PROXY]}@127.0.0.1:9",
        },
        "becoming": {
            "ansible_port": port,
            "ansible_password": right,
            "ansible_become": True,
            "ansible_become_method": "runas",
            "ansible_become_user": "SYSTEM",
            "ansible_become_password": SECRETS[_BECOME],
        },
        "vaulted": {"ansible_port": port, "ansible_password": _of("one from the vault")},
        "ex-refused": {
            "ansible_port": port,
            "ansible_password": right,
            "mx_delivery_family": "transport",
            "mx_delivery_endpoint": {"port": server, "password": _of("an endpoint's")},
        },
        "ex-proxied": {
            "ansible_port": port,
            "ansible_password": right,
            "mx_delivery_family": "transport",
            "mx_delivery_endpoint": {"port": server, "proxy": end_proxy},
        },
    }


def _inventory(hosts: dict[str, dict[str, Any]], site: Site) -> str:
    """Return YAML; the password of one host is encrypted."""
    lines = ["exchange:", "  hosts:"]
    for name, variables in hosts.items():
        lines.append(f"    {name}:")
        for key, value in variables.items():
            if name == "vaulted" and key == "ansible_password":
                lines.append(f"      {key}: !vault |")
                lines += [f"        {line}" for line in site.vaulted(value).splitlines()]
            else:
                lines.append(f"      {key}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def _modules(lab: Lab, mail: int) -> str:
    """A play of all modules, in the worker process and as real modules elsewhere.

    The secrets are variables: what stands in a playbook itself, Ansible shows (see docs/safety.md).
    """
    facts = next(iter(lab.machines.values())).facts()
    server = next(iter(lab.servers.values())).facts()
    login = {"host": "127.0.0.1", "user": lab.scenario.user, "scheme": "http"}
    right = {**login, "port": facts.winrm_port, "password": "{{ known.right }}"}
    wrong = {**right, "password": "{{ known.option }}"}
    proxied = {**wrong, "proxy": "http://someone:{{ known.proxy }}@127.0.0.1:9"}
    endpoint = {"host": "127.0.0.1", "port": server.endpoint_port, "user": login["user"]}
    smtp = {
        "host": "127.0.0.1",
        "port": mail,
        "user": "someone",
        "password": "{{ known.smtp }}",
        "cleartext_login": True,
    }
    pins = {"routes": [{"domain": "nestle.com", "addresses": ["192.0.2.25"]}]}
    tasks: list[tuple[str, dict[str, Any]]] = []
    for connection in (right, wrong, proxied):
        tasks += [
            ("exchange_info", {"connection": connection}),
            ("queue_info", {"connection": connection}),
            ("imc_delivery", {"connection": connection, **pins}),
            (
                "transport_delivery",
                {
                    "endpoint": {
                        **endpoint,
                        "auth": "ntlm",
                        **{k: v for k, v in connection.items() if k in {"password", "proxy"}},
                    },
                    **pins,
                },
            ),
        ]
    tested = {"domains": ["nestle.com"], "sender": "postmaster@hq.example", "method": "smtp"}
    tasks.append(("delivery_test", {"connection": right, **tested, "smtp": smtp}))
    plays = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {"ansible_connection": how, "ansible_python_interpreter": sys.executable},
            "tasks": [
                {
                    f"postmaster.exchange.{module}": options,
                    "ignore_errors": True,
                    "ignore_unreachable": True,
                }
                for module, options in tasks
            ],
        }
        for how in ("local", "elsewhere")
    ]
    return json.dumps(plays)


@pytest.mark.full
@pytest.mark.e2e
def test_no_secret_is_printed_or_written(site: Site) -> None:
    outputs = {
        name: site.run(name, "-e", "mx_delivery_test_deadline=3")
        for name in ("check", "audit", "enforce", "diagnose", "rollback")
    }
    with _repeating_mail_server() as mail:
        play = site.controller.folder / "play.yml"
        play.write_text(_modules(site.lab, mail))
        known = site.vault_file.with_name("known.json")
        known.write_text(
            json.dumps(
                {
                    "known": {
                        "right": SCENARIO.password,
                        "option": _of("one in the option connection"),
                        "proxy": SECRETS[_OPTION_PROXY],
                        "smtp": _of("a mail server's"),
                    }
                }
            )
        )
        outputs["modules"] = site.run("play.yml", "-e", f"@{known}")
    # What is asserted to be hidden was at work: each way to fail is told.
    told = "\n".join(outputs.values())
    for said in (
        "the login was refused",
        "nothing listens on this port",
        "the TLS certificate is not trusted",
        "the port does not accept TLS",
        "HTTP status 500",
        "a defect",
        "the proxy could not be used",
        "The task is to become SYSTEM",
        "535 5.7.8 no:",
        "The command may or may not have run",
    ):
        assert said in " ".join(told.split()), said
    assert list((site.controller.folder / "backups").rglob("backup.json")), "nothing was backed up"
    assert (site.folder / "kept" / "ansible.log").stat().st_size > 100_000
    leaks = site.leaks()
    assert not leaks, "\n".join(leaks)
