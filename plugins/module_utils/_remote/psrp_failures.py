# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a runspace at Exchange failed, in one clear sentence; the counterpart of ``failures``. Pure.

The texts are those that pypsrp, pyspnego, the Kerberos library, requests and OpenSSL put into their
exceptions. They are matched and never shown, since they can hold a URL with a password.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .causes import Cause, Words, credssp_rules, first_cause, rule, wire_rules
from .endpoint import CONFIGURATION
from .failures import clean
from .kerberos import kerberos_rules

_ENDPOINT = Words(
    what="endpoint",
    host="endpoint.host",
    ca_cert="endpoint.ca_cert",
    connect_timeout="endpoint.connect_timeout",
    ports="80 is the usual port for http, 443 for https.",
    service="Check endpoint.port and endpoint.scheme, and that IIS runs on the host.",
    library="pypsrp",
    ticket="Get one with kinit (klist shows it), or give user as name@REALM and password.",
)

# The first that matches counts, so what is special stands before what is general.
_RULES = (
    *credssp_rules(_ENDPOINT),
    rule(
        r"did not response? with one of the following authentication|"
        r"incompatible with the specified auth_provider",
        "this way of authentication is not enabled on the endpoint",
        "Choose another auth; Get-PowerShellVirtualDirectory shows what is enabled.",
    ),
    *kerberos_rules(_ENDPOINT),
    rule(
        r"AuthenticationError|InvalidCredentialError|LogonDenied",
        "the login was refused: wrong user or password, or this user may not log in there",
        "Check user, password and auth; the user has to be RemotePowerShellEnabled.",
    ),
    *wire_rules(_ENDPOINT),
    rule(
        r"later than the deadline|ReadTimeout|[Rr]ead timed out|TimeoutError|timed out"
        r"|slower than the read timeout",
        "the host took the connection but did not answer in time",
        "See whether the host hangs, or raise endpoint.connect_timeout.",
    ),
    rule(
        r"Krb5Error|[Kk]rb5|KRB5|Kerberos|GSS|gssapi",
        "Kerberos authentication failed",
        "Check klist, the realm, and that the host is called by its full name.",
    ),
    rule(
        r"SpnegoError|BadMechanismError|InvalidTokenError|BadBindingsError|MessageOutOfSequence"
        r"|OperationNotAvailable|BadMICError|FeatureMissing|NegotiateError",
        "the two sides could not agree on a login",
        "Choose another auth; a proxy or load balancer in between may break the login, too.",
    ),
    rule(
        r"AnswerRefused",
        "the answer is none of PowerShell remoting (a redirect, a DTD, or beyond sensible size)",
        "Check that host, port and path are those of Exchange's PowerShell directory.",
    ),
    rule(
        r"RemoteDisconnected|Connection aborted|ConnectionReset|Connection reset|BrokenPipe"
        r"|Broken pipe|IncompleteRead|ChunkedEncodingError|ProtocolError",
        "the host closed the connection",
        "Look at the host's event log for MSExchange and IIS; then run again.",
    ),
)
_HTTP_STATUS = re.compile(r"Code: (\d{3})\b")
_HTTP_CAUSES = {
    "400": (
        "the message was rejected as malformed, as after a change of the connection, or when a"
        " Kerberos ticket has expired meanwhile"
    ),
    "403": "access is forbidden (over http, the directory may require SSL: endpoint.scheme)",
    "404": "there is no PowerShell directory at this path",
    "500": "the web application failed",
    "503": "the service is not available now (its application pool is stopped)",
}
_GARBAGE = Cause(
    "what came back is no answer of PowerShell remoting",
    "Check that host, port and path are those of Exchange's PowerShell directory.",
)
_NO_EXCHANGE = Cause(
    "there is PowerShell remoting, but no Exchange behind it (no configuration Microsoft.Exchange)",
    "Check path and port: Exchange's endpoint is http://FQDN/PowerShell, not WinRM on 5985.",
)
_QUOTA = Cause(
    "a limit of the host is reached (runspaces or operations of one user at a time)",
    "Wait for other work to end, or raise the user's throttling policy.",
)
# Error numbers of WS-Management (WinError.h, ERROR_WSMAN_...).
_FAULTS = {
    5: Cause(
        "the login succeeded, but this user may not use Exchange's PowerShell",
        "Set-User NAME -RemotePowerShellEnabled $true, and give a management role.",
    ),
    0x80338000: _NO_EXCHANGE,  # RESOURCE_NOT_FOUND
    0x8033805B: Cause("the host has forgotten our runspace (idle time, or a restart of IIS)"),
    0x803381A5: _QUOTA,  # QUOTA_MAX_SHELLS
    0x803381A6: _QUOTA,  # QUOTA_MAX_OPERATIONS
    0x803381A7: _QUOTA,  # QUOTA_USER
    0x803381A8: _QUOTA,  # QUOTA_SYSTEM
}


def explain(text: str) -> Cause:
    """Return the cause that the text of an exception (``failures.describe``) speaks of."""
    known = first_cause(_RULES, text)
    if known:
        return known
    status = _HTTP_STATUS.search(text)
    if status:
        what = _HTTP_CAUSES.get(status[1], "that is no answer of PowerShell remoting")
        return Cause(f"the answer was HTTP status {status[1]}: {what}", _GARBAGE.hint)
    return _GARBAGE


def explain_fault(code: object, reason: str, secrets: Iterable[str]) -> Cause:
    """Return the cause that a WSMan fault gives: its number, and the host's own words."""
    if isinstance(code, int) and code in _FAULTS:
        return _FAULTS[code]
    if "MaxConcurrency" in reason:  # Exchange's own throttling, whatever the number
        return _QUOTA
    if f"{CONFIGURATION} session configuration" in reason:
        return _NO_EXCHANGE
    number = f" {code}" if isinstance(code, int) else ""
    return Cause(f"the service answered with fault{number}: {clean(reason, secrets)}")


_ERROR_HINTS = {
    r"^CommandNotFoundException": (
        "The management roles of this user do not contain the cmdlet, or this version of Exchange"
        " does not have it: Get-ManagementRoleAssignment shows the roles."
    ),
    r"^(?:NamedParameterNotFound|AmbiguousParameter)": (
        "The management roles of this user, or this version of Exchange, lack the parameter."
    ),
    r"ScriptsNotAllowed": (
        "This runspace takes no such command; look for a proxy or a changed session configuration."
    ),
    r"ADTransient|SuitabilityDirectory|SuitabilityException|ServerUnavailable|ADExternal": (
        "A domain controller does not answer: run again, or choose one with domain_controller."
    ),
}


def hint_for(error_id: str, reason: str) -> str:
    """Return what to do about an error record, or nothing."""
    where = f"{error_id} {reason}"
    return next((hint for pattern, hint in _ERROR_HINTS.items() if re.search(pattern, where)), "")
