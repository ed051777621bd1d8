# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of mx_pairs share: a run against name servers of the lab, and a web server."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Self

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.module import run
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.spec import ARGUMENT_SPEC
from exchange_lab.mail.dns_server import DnsServer
from exchange_lab.windows.certificates import TestAuthority

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
Params = Callable[..., dict[str, Any]]


@pytest.fixture
def params() -> Params:
    """Return a function that completes options as Ansible does."""

    def complete(**options: Any) -> dict[str, Any]:
        validated = ArgumentSpecValidator(ARGUMENT_SPEC).validate(options)
        assert not validated.error_messages
        return dict(validated.validated_parameters)

    return complete


@pytest.fixture
def resolve(params: Params) -> Callable[..., dict[str, Any]]:
    """Return a function that runs mx_pairs against some servers, with little patience."""

    def go(*servers: DnsServer, domains: list[str], **options: Any) -> dict[str, Any]:
        options.setdefault("timeout", 0.25)
        options.setdefault("lifetime", 3.0)
        options.setdefault("retries", 1)
        options.setdefault("allow_private", True)
        options.setdefault("nameservers", [f"{x.address}:{x.port}" for x in servers])
        return run(params(domains=domains, **options), Context(host="test", now=lambda: NOW))

    return go


@pytest.fixture
def one(resolve: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return a function that runs mx_pairs for one domain and returns what is said about it."""

    def go(*servers: DnsServer, domain: str = "nestle.com", **options: Any) -> dict[str, Any]:
        (found,) = resolve(*servers, domains=[domain], **options)["domains"]
        return dict(found)

    return go


class WebServer:
    """An HTTPS server on the loopback interface that sends the same octets to everybody.

    With ``silent`` it sends nothing behind them and keeps the connection; ``requests`` holds what
    came in, ``peak`` how many connections there were at once.
    """

    def __init__(self, context: ssl.SSLContext | None, answer: bytes, *, silent: bool) -> None:
        self.port = 0
        self.requests: list[bytes] = []
        self.peak = 0
        self._open = 0
        self._context = context
        self._answer = answer
        self._silent = silent
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        self.peak = max(self.peak, self._open)
        try:
            if self._context:  # what speaks no TLS speaks first
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            await asyncio.sleep(0.02)  # so that fetches at once are seen at once
            writer.write(self._answer)
            await writer.drain()
            if self._silent:
                await asyncio.sleep(60)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other side has had enough
        finally:
            self._open -= 1
            writer.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """Return the authority that the tests trust."""
    return TestAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def trusting(authority: TestAuthority) -> ssl.SSLContext:
    """Return what trusts that authority, and checks as the product does."""
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.hostname_checks_common_name = False
    return context


@pytest.fixture
def web_server(authority: TestAuthority) -> Iterator[Callable[..., WebServer]]:
    """Return a function that starts a web server with some answer, for some names."""
    with ExitStack() as stack:

        def start(
            answer: bytes,
            *names: str,
            expired: bool = False,
            tls: bool = True,
            silent: bool = False,
            issuer: TestAuthority = authority,
        ) -> WebServer:
            issued = issuer.issue(*(names or ("mta-sts.nestle.com",)), expired=expired)
            context = issued.server_context() if tls else None
            return stack.enter_context(WebServer(context, answer, silent=silent))

        yield start
