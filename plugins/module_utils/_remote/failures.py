# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a connection failed, in one clear sentence: pure rules over the texts of exceptions.

The text of an exception itself is never shown, since it can hold a URL with a password. What is
shown of a host's own words (a fault's reason) is cut, made printable and cleared of the secrets.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from .causes import CLIENT_CERTIFICATE, Cause, Words, credssp_rules, first_cause, rule, wire_rules
from .kerberos import kerberos_rules
from .parse import excerpt

_FAULT_CODES = {
    # ERROR_ACCESS_DENIED
    5: (
        "the login succeeded, but this user may not use WinRM",
        "Add the user to the host's administrators or Remote Management Users.",
    ),
    # ERROR_WSMAN_UNEXPECTED_SELECTORS: an unknown shell
    2150858843: ("the host has forgotten our shell (idle time, or a restart of WinRM)", ""),
}
_CHAIN_LIMIT = 12
_TEXT_LIMIT = 4_096  # characters of one exception

_WINRM = Words(
    what="connection",
    host="ansible_host",
    ca_cert="ca_cert (ansible_winrm_ca_trust_path)",
    connect_timeout="connect_timeout",
    ports="5985 is the port for http, 5986 for https.",
    service="Check the port, and that the WinRM service runs (winrm quickconfig).",
    library="pywinrm",
    ticket=(
        "Get one with kinit (klist shows it); where the connection is ansible.builtin.winrm, a"
        " password in the inventory gets it."
    ),
)

# The first that matches counts, so what is special stands before what is general.
_RULES = (
    rule(
        r"(?:winrm or requests|xmltodict) is not installed",
        "the Python library pywinrm is missing where the task runs",
        "Install pywinrm >= 0.5.",
        missing_library=True,
    ),
    *credssp_rules(_WINRM),
    *kerberos_rules(_WINRM),
    rule(
        r"is not installed|does not support transport",
        "a Python library for this way of authentication is missing where the task runs",
        "Install pywinrm[credssp], or choose transport ntlm.",
        missing_library=True,
    ),
    CLIENT_CERTIFICATE,  # pywinrm calls it bad credentials when there is no such file
    rule(
        r"InvalidCredentialsError|credentials were rejected|did not respond with NTLM challenge",
        "the login was refused: wrong user or password, or this transport is not enabled there",
        "Check user, password and transport; winrm get winrm/config/service/auth shows the rest.",
    ),
    *wire_rules(_WINRM),
    rule(
        r"ReadTimeout|[Rr]ead timed out|TimeoutError|OperationTimeout|timed out",
        "the host took the connection but did not answer in time",
        "See whether the host hangs, or raise connect_timeout (ansible_winrm_connection_timeout).",
    ),
    rule(
        r"Kerberos|[Kk]rb5|KRB5|GSS|gssapi|SpnegoError|NoCredentialError|BadMechanismError",
        "Kerberos authentication failed",
        "Check klist, the realm, and that the host is called by its full name.",
    ),
    rule(
        r"AnswerRefused",
        "the answer is none that WinRM gives (a redirect, a DTD, beyond any sensible size or time)",
        "Check that host, port and path are those of a WinRM listener.",
    ),
    rule(
        r"RemoteDisconnected|Connection aborted|ConnectionReset|Connection reset|BrokenPipe"
        r"|Broken pipe|IncompleteRead|ChunkedEncodingError|ProtocolError",
        "the host closed the connection",
        "Look at the host's event log for WinRM; then run again.",
    ),
)
_HTTP_STATUS = re.compile(r"Code (\d{3})\b")
_HTTP_CAUSES = {
    "400": (
        "the message was rejected as malformed, as after a change of the connection, or when a"
        " Kerberos ticket has expired meanwhile"
    ),
    "403": "access is forbidden",
    "404": "there is no WinRM at this path",
    "503": "the service is not available now",
}
_FAULT_IN_TEXT = re.compile(r"'wsmanfault_code': '?(\d{1,10})")
_QUOTA = Cause(
    "a limit of WinRM on the host is reached (shells, operations or users at a time)",
    "Wait for other work to end, or raise the limit: winrm get winrm/config/winrs.",
)
_GARBAGE = Cause(
    "what came back is no WinRM answer",
    "Check that host, port and path are those of a WinRM listener.",
)


def describe(error: BaseException) -> str:
    """Return names and texts of an exception and all it wraps, for ``explain`` only.

    Some hold a host's whole answer; what tells them apart stands at its beginning.
    """
    links = islice(_chain(error), 64)
    return " | ".join(f"{type(link).__name__}: {str(link)[:_TEXT_LIMIT]}" for link in links)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Exceptions hide in causes, contexts, arguments, and urllib3's ``reason``."""
    waiting: list[tuple[BaseException, int]] = [(error, 0)]
    seen: set[int] = set()
    while waiting:
        link, depth = waiting.pop(0)
        if id(link) in seen or depth > _CHAIN_LIMIT:
            continue
        seen.add(id(link))
        yield link
        inner = (*link.args, getattr(link, "reason", None), link.__cause__, link.__context__)
        waiting += [(each, depth + 1) for each in inner if isinstance(each, BaseException)]


def explain(text: str) -> Cause:
    """Return the cause that the text of an exception speaks of."""
    fault = _FAULT_IN_TEXT.search(text)
    if "QuotaLimit" in text:
        return _QUOTA
    if fault:
        code = int(fault[1])
        words = _FAULT_CODES.get(code, (f"the WinRM service answered with fault {code}", ""))
        return Cause(*words)
    known = first_cause(_RULES, text)
    if known:
        return known
    status = _HTTP_STATUS.search(text)
    if status:
        what = _HTTP_CAUSES.get(status[1], "that is no answer of WinRM")
        return Cause(f"the answer was HTTP status {status[1]}: {what}", _GARBAGE.hint)
    return _GARBAGE


def explain_fault(code: int | None, subcode: str, reason: str, secrets: Iterable[str]) -> Cause:
    """Return the cause that a WSMan fault gives: its number, its sub-code, the host's own words."""
    if subcode.endswith("QuotaLimit"):
        return _QUOTA
    if code in _FAULT_CODES:
        return Cause(*_FAULT_CODES[code])
    number = "" if code is None else f" {code}"
    return Cause(f"the WinRM service answered with fault{number}: {clean(reason, secrets)}")


def clean(text: str, secrets: Iterable[str], limit: int = 160) -> str:
    """Return a short printable piece of a host's words, without the secrets.

    They are looked for twice, since making text printable could put one together.
    """
    hidden = tuple(secrets)
    return _without(excerpt(_without(text, hidden).encode("utf-8", "replace"), limit), hidden)


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "********")
    return text
