# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options, and what hosts say, up to the command line and the cmdlet that are made of them.

Whatever text is given: it is refused, or the commands are those that are meant, and the text is
one argument of them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import spec
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import files as imc_files
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import layout
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import pickup as imc_pickup
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.layout import Layout
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.queue import counters_command
from ansible_collections.postmaster.exchange.plugins.module_utils._mail import message
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.addresses import (
    checked_mailbox,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.names import parse_domain
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import (
    commands,
    options,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.parse import RegistryValue
from delivery_fakes import imc_host
from fuzz_cmd_oracle import Ran, commands_of, only_ours
from fuzz_objects import _PIN_PARAMS
from fuzz_registry import calmly, target
from fuzz_values import mutated_text
from hypothesis import strategies as st

#: Ways out of an argument, and characters that some code page maps to such.
ESCAPES = (
    '"', "'", "&", "&calc", "|calc", "||calc", "&&calc", ">x", ">>x", "<x", "^", "^&calc", "%",
    "%COMSPEC%", "%PATH:~0,1%", "%%I", "!COMSPEC!", "(", ")", ")&calc&(", '" & calc & "', "\n",
    "\r\ncalc", "\r", "\x00", "\x1a", "\t", ";calc", ",", "=", " ", "  ", "`calc`", "$(calc)",
    "\\", '\\"', "\\\\", "\\\\?\\", "..\\..\\", "/", "/?", " /f", "*", "?", ":", "::$DATA", "~1",
    "@", "{arguments}", "{domain}", "{0}", "CON", "NUL", "aux.txt", "x.", "x ", "on", "off",
    "\uff02", "\uff06", "\uff1e", "\u2033", "\u02ba", "\u00a0", "\u3000", "\u202e", "\u212a",
    "\u0130", "\u017f", "\ud800", "\U0001f600", "{{ x }}", "é", "ß", "\u0665",
)  # fmt: skip
_SEEDS = (
    r"C:\exchsrvr\bin\imccopy.exe",
    r"D:\Program Files (x86)\our-backups",
    r"\\MAIL4\C$\our-backups",
    r"C:\TEMP",
    r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters",
    r"HKEY_LOCAL_MACHINE\SOFTWARE\A {b}",
    "MAIL4OLD",
    "mail4.hq.example",
    "192.0.2.4",
    r"wsremote \\MAIL4 {arguments}",
    "C:\\tools\\run.exe /x:1 {arguments} -q",
    "nestle.com",
    "postmaster@nestle.com",
    "x",
)
HOSTILE = st.one_of(
    mutated_text(_SEEDS, ESCAPES, most=3),
    st.tuples(
        st.sampled_from(_SEEDS), st.sampled_from(ESCAPES), st.sampled_from(("", "x", "&calc"))
    ).map("".join),
    st.tuples(st.sampled_from(ESCAPES), st.sampled_from(_SEEDS)).map("".join),
)
_EACH = [seed + escape + tail for seed in _SEEDS for escape in ESCAPES for tail in ("", "x")]

# -- the options of imc_delivery

_BENIGN = {
    "computer": "HOSTB",
    "imccopy": r"C:\benign\imccopy.exe",
    "target_directory": r"C:\BENIGN",
    "registry_key": r"HKLM\BENIGN\Parameters",
    "host_backup_dir": r"C:\benign\our-backups",
}


def _lines(chosen: Layout) -> list[str]:
    """Return one command of each kind that a transaction runs."""
    temp = chosen.temp_file()
    copies = chosen.imccopy_commands()
    marker = chosen.journal_path
    lines = [
        chosen.query(chosen.registry_key),
        chosen.delete_value("DisableResolverSearchList"),
        chosen.add_value(RegistryValue("DisableResolverSearchList", "REG_DWORD", "0x1")),
        chosen.service("stop"),
        chosen.export(chosen.backup_path("x", "export.reg")),
        *(chosen.save(copy, temp) for copy in copies),
        *(chosen.restore(copy, temp) for copy in copies),
        commands.type_file(marker),
        commands.delete(temp.seen),
        commands.make_folder(chosen.backup_path("x")),
        layout.copy(temp.seen, chosen.backup_path("x", "routes.txt")),
        layout.print_size(temp.seen),
        commands.echo_if_exists(temp.seen),
        counters_command(chosen.computer),
    ]
    return [re.sub(r"pmx-[0-9a-f]{16}", "pmx-0123456789abcdef", line) for line in lines]


def _as_meant(option: str, text: str) -> str:
    """Return how an accepted option is to stand on the line."""
    if option == "computer":
        return text.removeprefix("\\\\")
    if option == "registry_key":
        hive, _backslash, rest = text.rstrip("\\").partition("\\")
        short = {"HKEY_LOCAL_MACHINE": "HKLM", "HKEY_USERS": "HKU", "HKEY_CURRENT_USER": "HKCU"}
        short |= {"HKEY_CLASSES_ROOT": "HKCR"}
        return f"{short.get(hive.upper(), hive.upper())}\\{rest}"
    return text.rstrip("\\")


def _same_commands(option: str, text: str, chosen: Layout) -> None:
    """Compare with the commands of a harmless option: only this one argument may differ."""
    others = {"computer": "HOSTB"} if option == "target_directory" else {}
    benign = Layout(**{**others, option: _BENIGN[option]})
    meant = _as_meant(option, text)
    drive = f"{meant[:1]}${meant[2:]}" if option == "target_directory" else ""
    for line, harmless in zip(_lines(chosen), _lines(benign), strict=True):
        got, wanted = only_ours(line, chosen=text.rstrip("\\")), commands_of(harmless)
        if option == "target_directory":
            wanted = _replaced(wanted, "C$" + _BENIGN[option][2:], drive)
        assert got == _replaced(wanted, _BENIGN[option], meant), (line, harmless)


def _replaced(ran: list[Ran], old: str, new: str) -> list[Ran]:
    return [
        Ran(
            one.name.replace(old, new),
            tuple(word.replace(old, new) for word in one.arguments),
            tuple((handle, mode, to.replace(old, new)) for handle, mode, to in one.redirects),
        )
        for one in ran
    ]


@target(
    "options of imc_delivery",
    "options",
    st.tuples(st.sampled_from(sorted(_BENIGN)), HOSTILE),
    examples=400,
    guided=True,
    each=[(option, text) for option in _BENIGN for text in _EACH],
)
def _layout(made: tuple[str, str]) -> None:
    option, text = made
    if not text:
        return  # the option is not given
    others = {"computer": "HOSTB"} if option == "target_directory" else {}
    chosen = Layout(**{**others, option: text})
    refused = calmly(chosen.check)
    if refused is None:
        _same_commands(option, text, chosen)


@target(
    "target_imccopy", "options", HOSTILE, examples=200, guided=True, each=[t for t in _EACH if t]
)
def _target_imccopy(text: str) -> None:
    if not text:
        return
    chosen = Layout(computer="HOSTB", target_imccopy=text)
    if calmly(chosen.check) is not None:
        return
    (copy,) = chosen.imccopy_commands()
    temp = chosen.temp_file()
    (ran,) = commands_of(chosen.save(copy, temp))
    assert not ran.redirects
    arguments = f"-save routes {temp.argument}"
    placed = "{arguments}" in text
    meant = text.replace("{arguments}", arguments) if placed else f"{text} {arguments}"
    assert re.fullmatch(r"C:\\TEMP\\pmx-[0-9a-f]{16}\.txt", temp.argument)
    assert "".join([ran.name, *ran.arguments]) == "".join(meant.split())


# -- the other modules


@target("computers, sizes, searches", "options", HOSTILE, examples=200, guided=True, each=_EACH)
def _others(text: str) -> None:
    for build in (
        lambda: commands.sc("query", text),
        lambda: commands.sc("query", "x", computer=text),
        lambda: commands.reg_query(r"HKLM\X", computer=text),
        lambda: commands.reg_query(text),
        lambda: commands.reg_delete_value(r"HKLM\X", text),
        lambda: commands.type_file(text),
        lambda: counters_command(text),
        lambda: imc_files.search(r"C:\x.log", [text]),
        lambda: imc_files.list_sizes(text),
        lambda: imc_files.list_by_age(text, "L*.LOG"),
        lambda: imc_files.count_lines(text),
        lambda: imc_files.print_tail(text, 7),
        lambda: imc_files.search_folder(text, ["x"]),
    ):
        line = calmly(build)
        if isinstance(line, ExchangeError):
            continue
        benign = sorted(one.name for one in only_ours(line))
        assert len(benign) <= 2, line
        for one in commands_of(line):
            assert not one.redirects, line
        # Of the text nothing is lost or changed, but what its own form drops.
        core = text.rstrip("\\").removeprefix("\\\\").upper()
        shown = line.upper().replace("HKLM", "HKEY_LOCAL_MACHINE")
        assert core.replace("HKLM", "HKEY_LOCAL_MACHINE") in shown or not core, line


@target(
    "what hosts tell of their folders and files",
    "commands",
    HOSTILE,
    examples=200,
    guided=True,
    each=_EACH,
)
def _host_paths(text: str) -> None:
    place = layout.beside(text)
    if place:
        only_ours(commands.type_file(place))
    for computer in ("", "HOSTB"):
        host = imc_host(computer=computer)
        path = host.reach_files((host.root_dir, "Log"), [text]).get(text)
        if text and path is not None:
            (ran,) = only_ours(commands.type_file(path))
            assert ran.arguments == (path,)
            assert path.endswith("\\Log\\" + text) or text.endswith("\\")


_MESSAGE = st.tuples(HOSTILE, HOSTILE, HOSTILE)


@target(
    "test message that cmd.exe writes",
    "options",
    _MESSAGE,
    examples=200,
    guided=True,
    each=[("postmaster@hq.example", "a@nestle.com", text) for text in ESCAPES]
    + [(text, "a@nestle.com", "x") for text in _EACH],
)
def _pickup(made: tuple[str, str, str]) -> None:
    sender, recipient, subject = made
    found = calmly(_probe, sender, recipient, subject)
    if isinstance(found, ExchangeError):
        return
    statements = calmly(lambda: list(imc_pickup._statements(found, r"C:\x\test-1-1.tmp")))
    if isinstance(statements, ExchangeError):
        return
    written: list[str] = []
    for number, line in enumerate(statements):
        (ran,) = only_ours(line)
        assert ran.name == "echo"
        assert ran.redirects == ((1, ">>" if number else ">", '"C:\\x\\test-1-1.tmp"'),)
        written.append(ran.arguments[0][1:])
    assert written == imc_pickup.file_lines(found)


def _probe(sender: str, recipient: str, subject: str) -> message.Probe:
    mailbox = checked_mailbox(recipient, "domains")
    whom = message.Target(parse_domain(mailbox.rpartition("@")[2]), mailbox)
    (probe,) = message.compose(
        [whom],
        sender=checked_mailbox(sender, "sender"),
        subject=subject,
        now=datetime(2026, 11, 23, tzinfo=UTC),
        run_tag="delivery-test-0123456789abcdef01234567",
    )
    return probe


# -- how to reach a host

_CONNECTION = {
    "host": "mail5-a",
    "user": "operator",
    "path": "wsman",
    "proxy": None,
    "ca_cert": None,
}


@target(
    "connection and endpoint",
    "options",
    st.dictionaries(st.sampled_from(sorted(_CONNECTION)), HOSTILE, min_size=1),
    examples=200,
    guided=True,
    each=[{name: text} for name in ("host", "path", "user") for text in _EACH],
)
def _reach(changes: dict[str, str]) -> None:
    given: dict[str, Any] = {"password": "S3cret-Passw0rd", **_CONNECTION, **changes}
    chosen = calmly(options.from_params, {**given, "scheme": "https", "transport": "ntlm"})
    if not isinstance(chosen, ExchangeError):
        url = chosen.url
        assert re.fullmatch(r"https://(\[[0-9a-fA-F:.%\w]+\]|[\w.-]+):5986/[!-~]*", url), url
        assert "@" not in url.partition("/wsman")[0].partition("//")[2].partition("/")[0]
        assert given["password"] not in repr(chosen)
    reached = calmly(options.endpoint_from_params, {**given, "auth": "ntlm"})
    if not isinstance(reached, ExchangeError):
        assert re.fullmatch(r"[\w.:%-]+", reached.host), reached.host
        assert not set(reached.path) & set(" ?#\\\r\n\t")


# -- the options of transport_delivery, up to the cmdlets

_PIN_OPTIONS = ("name_template", "domain_controller", "tls_domain", "source_servers", "domain")


@target(
    "options of transport_delivery",
    "options",
    st.tuples(st.sampled_from(_PIN_OPTIONS), HOSTILE),
    examples=200,
    guided=True,
    each=[(name, text) for name in _PIN_OPTIONS for text in _EACH],
)
def _pin_options(made: tuple[str, str], basedir: Any = None) -> None:
    name, text = made
    params = dict(_PIN_PARAMS)
    match name:
        case "domain":
            params["routes"] = [{"domain": text, "addresses": ["192.0.2.25"]}]
        case "source_servers":
            params[name] = [text]
        case "tls_domain":
            params |= {
                name: text,
                "require_tls": True,
                "tls_auth_level": "domain_validation",
            }
        case _:
            params[name] = text
    chosen = calmly(spec.parse_options, params)
    if isinstance(chosen, ExchangeError):
        return
    (pin,) = chosen.desired.pins
    told = [pin.domain, chosen.domain_controller, pin.tls_domain or "", *pin.source_servers]
    assert all(re.fullmatch(r"[A-Za-z0-9._*-]*", one) for one in told), told
    title = chosen.desired.name_template.replace("{domain}", pin.domain)
    assert re.fullmatch(r"[A-Za-z0-9 ._()~@#-]+", title), title
    assert "{" not in title
