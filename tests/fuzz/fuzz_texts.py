# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of text: what Windows prints, what Exchange writes, what servers answer.

Each is fuzzed twice: with bent samples, and with a megabyte of repeated pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    servers as transport_versions,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import files as imc_files
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import (
    protocol_log as smtplog,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import queue as imc_counters
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import routes, tracking
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.state import Journal
from ansible_collections.postmaster.exchange.plugins.module_utils._mail import (
    addresses,
    smtp_errors,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.names import parse_domain
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import (
    failures,
    parse,
    windows_resolver,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import (
    Batch,
    Completed,
    Section,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report import plan_file
from fuzz_registry import calmly, target
from fuzz_values import long_bytes, mutated

_EXAMPLES, _LONG_EXAMPLES = 120, 12


def text_target(
    name: str,
    area: str,
    seeds: Sequence[bytes],
    tokens: Sequence[bytes] = (),
    *,
    allowed: tuple[type[Exception], ...] = (),
) -> Callable[[Callable[[bytes], Any]], Callable[[bytes], Any]]:
    """Register a reader of bytes; what it returns is used up if it is an iterator."""

    def register(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        def check(data: bytes) -> None:
            calmly(read, data, allowed=allowed)

        short = mutated(seeds, tokens)
        target(name, area, short, examples=_EXAMPLES, guided=True)(check)
        long = long_bytes(seeds, tokens)
        target(f"{name}, a megabyte", area, long, examples=_LONG_EXAMPLES)(check)
        return read

    return register


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


REG = (
    b"\r\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\MSExchangeIMC\\Parameters\r\n"
    b"    RootDir    REG_SZ    C:\\exchsrvr\\imcdata\r\n"
    b"    DisableResolverSearchList    REG_DWORD    0x1\r\n"
    b"    Domains    REG_MULTI_SZ    a\\0b\r\n\r\n"
    b"\\\\MAIL4OLD\\HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Exchange\\Setup\r\n"
    b"\tNewestBuild\tREG_DWORD\t0xa5d\r\n"
)


@text_target("reg query", "commands", [REG], [b"    ", b"\t", b"REG_SZ", b"REG_", b"HKEY_", b"\\"])
def _reg_query(data: bytes) -> None:
    dump = parse.parse_reg_query(data)
    for key, values in dump.items():
        parse.canonical_key(key)
        for value in values.values():
            assert value.number is None or value.number >= 0
    values = parse.values_of(dump, r"HKLM\SOFTWARE\Microsoft\Exchange\Setup")
    parse.find_value(values, "newestbuild")


SC = (
    b"\r\nSERVICE_NAME: MSExchangeIMC\r\n        TYPE               : 10  WIN32_OWN_PROCESS\r\n"
    b"        STATE              : 4  RUNNING\r\n                                (STOPPABLE)\r\n"
    b"        WIN32_EXIT_CODE    : 0  (0x0)\r\n"
)


@text_target("sc query", "commands", [SC], [b" : ", b"        ", b"STATE"])
def _sc_query(data: bytes) -> None:
    state = parse.parse_sc_state(data)
    assert state is None or 1 <= state <= 7


@text_target(
    "dir, for %F and find /c", "commands", [b"1234 A.LOG\r\n", b"---------- C:\\A: 12\r\n"]
)
def _dir(data: bytes) -> None:
    parse.parse_dir_bare(data)
    sizes = imc_files.parse_sizes(data)
    assert all(size >= 0 for size in sizes.values())
    imc_files.parse_count(data)
    tracking.log_names(sizes)


NONCE = "0123456789abcdef"


def _batch_sample() -> tuple[Batch, bytes]:
    batch = Batch(NONCE)
    batch.add("one", "sc query x")
    batch.add("two", "type x")
    mark = f"#{NONCE}#".encode()
    told = b"".join(
        mark + name + b"\r\nsome output\r\n" + mark + b"rc 0\r\n" for name in (b"one", b"two")
    )
    return batch, told


_BATCH, _ANSWER = _batch_sample()


@text_target("batch of commands", "commands", [_ANSWER], [f"#{NONCE}#rc ".encode(), b"one", b"two"])
def _batch(data: bytes) -> None:
    _BATCH.parse(Completed(0, data, b""))


@text_target("excerpt of an output", "commands", [b"Zugriff verweigert", "\u00e4".encode() * 300])
def _excerpt(data: bytes) -> None:
    shown = parse.excerpt(data)
    assert shown.isprintable()
    assert len(shown) <= 170


TYPEPERF = (
    b'"(PDH-CSV 4.0)","\\\\A\\MSExchangeIMC\\Queued Outbound","\\\\A\\MSExchangeIMC\\NDRs Total'
    b' Inbound"\r\n"11/23/2026 11:45:07.000","3.000000","0.000000"\r\nExiting\r\n'
)


@text_target("typeperf", "commands", [TYPEPERF], [b'"', b'""', b","])
def _typeperf(data: bytes) -> None:
    imc_counters.read_counters(Section("counters", 0, data), [])


@text_target("resolver's registry", "commands", [REG.replace(b"RootDir", b"SearchList")])
def _resolver(data: bytes) -> None:
    section = Section("network", 0, data)
    found = windows_resolver.resolver_from({"network": section, "policy": section})
    assert found.search_list is not None


# -- what Exchange writes

ROUTES = (
    b"[Header]\r\nVersion=1\r\n\r\n[Routes]\r\nDeliveryRouting=+\r\n+nestle.com;192.0.2.25;0\r\n"
    b"+aol.com;192.0.2.26;0\r\nDefaultRouting=\r\n"
)
_ROUTES_SEEDS = [ROUTES, b"\xff\xfe" + ROUTES.decode().encode("utf-16-le")]


@text_target("routes file", "files", _ROUTES_SEEDS, [b"DeliveryRouting=", b"[Routes]", b"+", b";"])
def _routes(data: bytes) -> None:
    file = routes.RoutesFile.parse(data)
    assert file.render() == data, "an unchanged file is not the same bytes"
    assert file.same_as(file)
    for row in file.rows:
        assert row.same_as(row)
        assert row.domain is not None
        assert row.well_formed in (True, False)
    added = file.with_rows([*file.rows, routes.new_row("x.example", "192.0.2.1")])
    again = routes.RoutesFile.parse(added.render())
    assert [row.raw for row in again.rows] == [row.raw for row in added.rows]
    assert again.after == added.after
    assert again.with_rows(()).with_rows(()).rows == ()


MARKER = (
    b"postmaster.exchange imc_delivery at work\r\nbackup=2026-11-23T114500Z\r\nservice=running\r\n"
)


@text_target("note of a transaction at work", "files", [MARKER], [b"backup=", b"service="])
def _journal(data: bytes) -> None:
    journal = Journal.parse(data)
    assert "/" not in journal.stamp
    assert "\\" not in journal.stamp
    assert ".." not in journal.stamp


TRACKING = (
    b"# Message Tracking Log File\n"
    b"c=US;a= ;p=HQ;l=MAIL55-7\t1011\t2026.11.23 11:45:7\t/CN=IMC\t/CN=MDB\t<x@hq.example>\t"
    b"postmaster@hq.example\t0\t476\t0\t1\t\t1\nSMTP:postmaster@nestle.com\t\n"
)


@text_target("tracking log", "files", [TRACKING], [b"\t", b"1011", b"\t" * 12])
def _tracking(data: bytes) -> None:
    for event in tracking.parse_text(data):
        assert len(event.recipients) <= tracking.MAX_RECIPIENTS
        assert all(len(name) <= tracking.MAX_FIELD for name in event.ids)


@text_target("findstr /n over a tracking log", "files", [b"12:" + TRACKING], [b":", b"1:"])
def _numbered(data: bytes) -> None:
    lines, noise = tracking.split_numbered(data)
    assert all(isinstance(line, str) for line in noise)
    list(tracking.parse_lines(sorted(lines.items())))


SMTP_LOG = (
    b"11/23/2026 11:45:07 : <<< IO: |220 nestle.com ESMTP|\r\n"
    b"11/23/2026 11:45:07 : >>> IO: |RCPT TO:<a@nestle.com>|\r\n"
    b"11/23/2026 11:45:08 : <<< IO: |550 5.1.1 No such user|\r\n"
    b"421 NSO hq.com Unable to contact destination SMTP demon nestle.com\r\n"
    b"4/5/99 10:22:44 AM : A connection to 192.0.2.1 was established.\r\n"
    b'4/5/99 10:22:44 AM : 499 No routing hosts are reachable for tool.com. Message subject: ""S"".'
    b" Rescheduling delivery for later.\r\n"
)


@text_target("SMTP protocol log", "files", [SMTP_LOG], [b"<<<", b">>>", b"IO: |", b" : ", b"4"])
def _smtp_log(data: bytes) -> None:
    for failure in smtplog.parse_log(data).failures:
        error = failure.error
        assert error.code is None or 400 <= error.code <= 599
        assert (error.line + error.text).isprintable()
        assert "Message subject" not in error.line + error.text


HEAD = (
    b'X-Receiver: a@nestle.com\r\nFrom: x@hq.example\r\nTo: "a, b" <c@d.example>, (note) e@f.com'
    b"\r\n"
    b"Date: Mon, 23 Nov 2026 11:45:07 +0000 (UTC)\r\nSubject: x\r\n\r\nbody\r\n"
)


@text_target("header of a waiting message", "files", [HEAD], [b"To: ", b"Date: ", b"<", b"(", b'"'])
def _head(data: bytes) -> None:
    head = addresses.parse_head(data)
    assert len(head.domains) <= addresses.MAX_DOMAINS
    assert all(addresses.mail_domain(domain) == domain for domain in head.domains)
    assert head.date is None or head.date.tzinfo is not None


LAST_ERROR = (
    b"[{LRT=11/23/2026 11:45:07 AM};{LED=451 4.4.0 Primary target IP address responded with:"
    b' "421 4.3.2 Service not available". The last endpoint attempted was 192.0.2.25:25};'
    b"{FQDN=demon.nestle.com};{IP=192.0.2.25}]"
)


SINCE_2016 = (
    b"[{LED=451 4.4.395 Target host responded with error. -> 550-5.7.26 no 550 5.7.26 - smtp};"
    b"{MSG=};{FQDN=demon.nestle.com};{IP=192.0.2.25};{LRT=11/23/2026 11:45:07 AM}]"
)


@text_target(
    "last error of a queue",
    "cmdlets",
    [LAST_ERROR, SINCE_2016],
    [b"{LED=", b"{IP=", b"};", b'"', b"451 4.4.0 ", b" -> ", b"550-5.7.26 "],
)
def _last_error(data: bytes) -> None:
    error = smtp_errors.parse_last_error(_text(data))
    if error is not None:
        assert error.line.isprintable()
        assert smtp_errors.SmtpError.from_dict(error.to_dict()) == error


@text_target("display version", "cmdlets", [b"Version 15.1 (Build 2507.6)", b"15.1.2507.6"])
def _version(data: bytes) -> None:
    build = transport_versions.parse_display_version(_text(data))
    assert build is None or str(build)


# -- what a user types


@text_target(
    "name of a domain", "options", [b"nestle.com.", "b\u00fccher.example".encode()], [b"xn--"]
)
def _domain(data: bytes) -> None:
    name = parse_domain(_text(data))
    assert parse_domain(name) == name
    assert name.isascii()


@text_target("mailbox", "options", [b"a.b+c@nestle.com"], [b"@", b".", b'"'])
def _mailbox(data: bytes) -> None:
    mailbox = addresses.checked_mailbox(_text(data), "sender")
    assert imc_files.is_searchable(mailbox) or len(mailbox) > 120


_WORDS = (
    b"WinRMTransportError Code 500 HTTPSConnectionPool(host='x', port=5986): Max retries exceeded"
    b" (Caused by SSLError(CertificateError(\"hostname 'x' doesn't match 'y'\")))"
)


@text_target("text of a library's exception", "WinRM, PSRP", [_WORDS], [b"Kerberos", b"Errno 111"])
def _exception(data: bytes) -> None:
    secret = "S3cret-Passw0rd"
    described = failures.describe(OSError(_text(data)))
    for cause in (
        failures.explain(described, failures.WINRM),
        failures.explain(described, failures.EXCHANGE),
    ):
        assert cause.sentence.isprintable()
    told = _text(data) + secret
    for cause in (
        failures.explain_fault(1, "x", told, (secret,), failures.WINRM),
        failures.explain_fault(1, "", told, (secret,), failures.EXCHANGE),
    ):
        assert secret not in cause.sentence
        assert cause.sentence.isprintable()


_PLANNED = {"state": "", "changes": list[str]()}
PLAN = plan_file.as_text(
    {
        "format": "postmaster.exchange plan",
        "version": 1,
        "collection": "c",
        "made": "2026-12-01T12:00:00Z",
        "run": "r",
        "note": "",
        "hosts": {
            "a": {
                "family": "imc",
                "organisation": None,
                "same_as": None,
                "state": "",
                "changes": [],
            }
        },
        "not_planned": {"b": "down"},
    }
).encode()


@text_target("an approved plan", "plans", [PLAN], [b'"a": ', b"null", b"[[", b'"hosts"', b"NaN"])
def _plan(data: bytes) -> None:
    plan = plan_file.parse(_text(data), "The plan")
    assert plan_file.as_text(plan) == _text(data)
    plan_file.approved(plan, ["a", "b"])
