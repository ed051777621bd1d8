# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which name servers do not answer at all: each is asked for the root, and any reply will do.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from functools import partial

from .model import ROOT, AnswerKind, NameServer, QueryError, Question, RecordType
from .replies import decode_reply, encode_query, require_dnspython
from .sockets import ask_udp

_QUESTION = Question(ROOT, RecordType.NS)
_SILENCE = frozenset({AnswerKind.TIMEOUT, AnswerKind.UNREACHABLE})
_TRIES = 2
_SECONDS = 2.0


def silent(servers: Sequence[NameServer], seconds: float = _SECONDS) -> dict[NameServer, str]:
    """Return the servers that do not answer, each with the reason; raises MissingLibrary."""
    require_dnspython()

    async def ask_all() -> list[str]:
        return await asyncio.gather(*(_silence(server, seconds) for server in servers))

    reasons = asyncio.run(ask_all())
    return {server: why for server, why in zip(servers, reasons, strict=True) if why}


async def _silence(server: NameServer, seconds: float) -> str:
    """Return why a server does not reply after some tries; empty if it does."""
    why = ""
    for _try in range(_TRIES):
        ident = secrets.randbelow(1 << 16)
        decode = partial(decode_reply, question=_QUESTION, ident=ident)
        try:
            await ask_udp(server, encode_query(_QUESTION, ident), decode, seconds)
        except QueryError as error:
            why = error.message if error.kind in _SILENCE else ""
        else:
            why = ""
        if not why:
            break
    return why
