# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One clear sentence for every way a connection fails, from texts as the libraries write them."""

from __future__ import annotations

import socket
import ssl

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.failures import (
    WINRM,
    clean,
    describe,
    explain,
    explain_fault,
)
from hypothesis import given
from hypothesis import strategies as st

URL = "HTTPSConnectionPool(host='mail5-a', port=5986): Max retries exceeded with url: /wsman "


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ntlm: the specified credentials were rejected by the server", "login was refused"),
        (
            URL
            + "(Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]"
            " certificate verify failed: unable to get local issuer certificate')))",
            "not trusted",
        ),
        (
            URL
            + "(Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]"
            " certificate verify failed: Hostname mismatch, certificate is not valid for 'x'')))",
            "does not match",
        ),
        (
            URL
            + "(Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]"
            " certificate verify failed: certificate has expired (_ssl.c:1006)')))",
            "expired",
        ),
        (
            URL + "(Caused by SSLError(SSLError(1, '[SSL: WRONG_VERSION_NUMBER]')))",
            "not accept TLS",
        ),
        ("SSLError: tlsv1 alert protocol version", "handshake"),
        (
            "OSError: Could not find a suitable TLS CA certificate bundle, invalid path: /x",
            "ca_cert is missing",
        ),
        (
            "OSError: Could not find the TLS certificate file, invalid path: /x",
            "client certificate",
        ),
        (URL + "(Caused by NameResolutionError(\"Failed to resolve 'nope'\"))", "not resolve"),
        (
            URL + "(Caused by NewConnectionError('[Errno 111] Connection refused'))",
            "was refused: nothing listens",
        ),
        (URL + "(Caused by NewConnectionError('[Errno 113] No route to host'))", "no route"),
        (
            URL + "(Caused by ConnectTimeoutError(..., 'timed out. (connect timeout=5)'))",
            "in time when",
        ),
        (
            "ReadTimeout: HTTPConnectionPool(host='x', port=1): Read timed out.",
            "accepted the connection",
        ),
        ("the connection attempt timed out", "in time"),
        (URL + "(Caused by ProxyError('Unable to connect to proxy', OSError()))", "not be used"),
        (
            URL + "ProxyError('...', OSError('Tunnel connection failed: 401 Unauthorized')",
            "the proxy requires a login",
        ),
        (
            URL + "ProxyError('...', OSError('Tunnel connection failed: 403 Forbidden')",
            "the proxy does not allow",
        ),
        (
            URL + "ProxyError('...', OSError('Tunnel connection failed: 502 Bad Gateway')",
            "the proxy could not reach the host",
        ),
        (URL + "SOCKSHTTPSConnection(...): [Errno 111] Connection refused", "proxy could not be"),
        (
            URL + "SOCKSHTTPConnection(...): Connection closed unexpectedly",
            "the proxy could not reach the host",
        ),
        (URL + "SOCKSHTTPConnection(...) | SOCKS5Error: 0x05: Connection refused", "not reach"),
        (URL + "SOCKSHTTPConnection(...) | SOCKS5Error: 0x02: Connection not all", "not allow"),
        ("InvalidSchema: Missing dependencies for SOCKS support.", "PySocks is missing"),
        (
            "('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))",
            "closed",
        ),
        ("KerberosExchangeError: authGSSClientStep() failed: No Kerberos credentials", "Kerberos"),
        ("Kerberos auth failure for principal a@B: kinit: Cannot contact any KDC", "Kerberos"),
        ("requested auth method is kerberos, but pykerberos is not installed", "libraries for"),
        ("winrm or requests is not installed: No module named 'winrm'", "pywinrm is missing"),
        ("Bad HTTP response returned from server. Code 404", "404: WinRM is not"),
        ("Bad HTTP response returned from server. Code 500", "status 500"),
        ("Access is denied. (extended fault data: {'wsmanfault_code': 5})", "may not use WinRM"),
        ("Oops (extended fault data: {'wsmanfault_code': '1234'})", "fault 1234"),
        ("Many (extended fault data: {'fault_subcode': 'w:QuotaLimit'})", "WinRM limit"),
        (
            "ParseError: not well-formed (invalid token): line 1, column 0",
            "not a valid WinRM response",
        ),
        ("AssertionError: ", "not a valid WinRM response"),
        ("", "not a valid WinRM response"),
    ],
)
def test_each_text_has_its_sentence(text: str, sentence: str) -> None:
    assert sentence in explain(text, WINRM).sentence


def test_only_missing_libraries_count_as_such() -> None:
    assert explain("winrm or requests is not installed", WINRM).missing_library
    assert not explain("Connection refused", WINRM).missing_library


@given(st.text(max_size=200))
def test_no_text_of_an_exception_is_repeated(text: str) -> None:
    """The sentence comes from our own list and never from the text."""
    secret = "hunter2-hunter2"
    cause = explain(f"http://user:{secret}@proxy/ {text} {secret}", WINRM)
    assert secret not in cause.sentence + cause.hint


def test_a_chain_is_followed_through_causes_reasons_and_arguments() -> None:
    class WrappedError(Exception):
        reason = ssl.SSLCertVerificationError("certificate verify failed: self-signed")

    error = OSError("outer", WrappedError("middle"))
    error.__cause__ = socket.gaierror(-2, "Name or service not known")
    text = describe(error)
    assert "OSError" in text
    assert "WrappedError: middle" in text
    assert "SSLCertVerificationError" in text
    assert "gaierror" in text


def test_a_chain_in_a_circle_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__context__, two.__context__ = two, one
    assert describe(one) == "ValueError: one | ValueError: two"


@pytest.mark.parametrize(
    ("code", "subcode", "sentence"),
    [
        (5, "w:AccessDenied", "may not use WinRM"),
        (2150858843, "w:InvalidSelectors", "WinRM shell no longer exists"),
        (2150859173, "w:QuotaLimit", "WinRM limit"),
        (None, "w:QuotaLimit", "WinRM limit"),
        (87, "", "fault 87: The parameter is incorrect."),
        (None, "", "fault: The parameter"),
    ],
)
def test_faults(code: int | None, subcode: str, sentence: str) -> None:
    assert (
        sentence in explain_fault(code, subcode, "The parameter is incorrect.", (), WINRM).sentence
    )


def test_a_host_cannot_make_us_show_the_password_or_move_the_cursor() -> None:
    shown = explain_fault(
        1, "", "\x1b[2J your password is s3cret" + "x" * 9999, ("s3cret",), WINRM
    ).sentence
    assert "s3cret" not in shown
    assert "\x1b" not in shown
    assert len(shown) < 300


@given(text=st.text(max_size=60), secret=st.text(alphabet="ab ", min_size=1).filter(str.strip))
def test_cleaning_leaves_no_secret(text: str, secret: str) -> None:
    spread = secret.replace(" ", "\x01")
    assert secret not in clean(f"{text}{secret}{text}{spread}", (secret,))
