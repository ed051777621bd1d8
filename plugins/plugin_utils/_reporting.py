# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the document of a run and write it to files. The reporting tasks use this.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.utils.display import Display

from ..module_utils._base.access import why_not_kept
from ..module_utils._base.atomic_write import write
from ..module_utils._base.errors import ExchangeError
from ..module_utils._report.comma_separated import comma_separated
from ..module_utils._report.junit import junit
from ..module_utils._report.markdown import markdown
from ..module_utils._report.plan_file import as_text
from ..module_utils._report.prometheus import prometheus
from ..module_utils._report.states import worst
from ..module_utils._report.terminal import MOST_HOSTS, closing, result_lines, summary
from ..module_utils._report.text import Line, clean, columns, wrapped
from ._page import render

display = Display()

Document = Mapping[str, Any]

#: Ansible's own settings of colours by the tone of a line.
_COLOURS = {
    "clean": "COLOR_OK",
    "drift": "COLOR_CHANGED",
    "failed": "COLOR_ERROR",
    "warning": "COLOR_WARN",
}
#: Callbacks with output for programs, by the last part of their names.
_FOR_PROGRAMS = frozenset({"json", "jsonl"})

_SEE = "See the problems of this run under 'Action required' in its report."


def report(
    document: Document,
    params: Mapping[str, Any],
    *,
    before: Sequence[str] = (),
    plan: Document | None = None,
) -> dict[str, Any]:
    """Print a document, write the files that ``params`` name, and return the result of the task.

    ``params["hosts"]`` are the names of the inventory, in the order of the document's hosts. The
    result is a failed one if a file could not be written; the first host carries that failure, too,
    so that the run ends as a failed one even if all its hosts are fine. ``before`` are lines to
    print ahead of it, ``plan`` is the plan that goes to a file of its own.
    """
    lines = [*map(Line, (*before, "") if before else ()), *summary(document)]
    files, failures = _write(params, document, plan)
    lines += _written(files, document)
    lines += result_lines(document)
    show(lines)
    names = params["hosts"]
    texts, verdicts = _judged(document, names, failures)
    result: dict[str, Any] = {
        "changed": False,
        "lines": [line.text for line in lines],
        "closing": [[clean(line.text), line.tone] for line in closing(document)],
        "problems": texts,
        # Of a run over many hosts the report has them, each once for all hosts alike.
        "messages": texts if len(names) <= MOST_HOSTS else dict.fromkeys(texts, _SEE),
        "verdicts": verdicts,
        "verdict": document["answer"]["verdict"],
        "counts": document["answer"]["counts"],
        "files": files,
    }
    return result | ({"failed": True, "msg": " ".join(failures)} if failures else {})


def _judged(
    document: Document, names: Sequence[str], failures: Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the problems of the hosts that have any, and the verdict on each, by name.

    Files that could not be written are a problem of the first host.
    """
    hosts = dict(zip(names, document["hosts"], strict=True))
    problems = {name: [*host["problems"]] for name, host in hosts.items()}
    verdicts = {name: host["verdict"] for name, host in hosts.items()}
    if names and failures:
        problems[names[0]] += failures
        verdicts[names[0]] = "unjudged" if document["run"]["kind"] == "audit" else "failed"
    return {name: "; ".join(texts) for name, texts in problems.items() if texts}, verdicts


def _written(files: Mapping[str, str], document: Document) -> list[Line]:
    """Return the lines on what was written and where, and on what will not last."""
    saved = filter(None, (host.get("backup") for host in document["hosts"]))
    folders = sorted({str(Path(path).parent.parent) for path in saved})
    places = [*files.items(), *(("backups", folder) for folder in folders)]
    if not places:
        return []
    lines = [Line(""), Line("Written"), *map(Line, columns(places))]
    for path in files.values():
        if why := why_not_kept(Path(path)):
            lines += [Line(line, "warning") for line in wrapped(f"  {path} will be lost: {why}.")]
    return lines


def report_diagnosis(
    document: Document, lines: Sequence[str], params: Mapping[str, Any]
) -> dict[str, Any]:
    """Print a diagnosis, write the files that ``params`` name, and return the result of the task.

    ``document`` has the causes, ``lines`` explain them. A file that could not be written is a
    problem of the first host, as in ``report``.
    """
    files, failures = _write(params, document, None)
    shown = [*(Line(clean(line)) for line in lines), *_written(files, document)]
    show(shown)
    problems, verdicts = _judged(document, params["hosts"], failures)
    result: dict[str, Any] = {
        "changed": False,
        "lines": [line.text for line in shown],
        "problems": problems,
        "verdicts": verdicts,
        "verdict": worst(list(verdicts.values())),
        "files": files,
    }
    return result | ({"failed": True, "msg": " ".join(failures)} if failures else {})


def show(lines: Iterable[Line]) -> None:
    """Print lines, in Ansible's colours if it uses any, unless a program reads the output."""
    if constants.DEFAULT_STDOUT_CALLBACK.rpartition(".")[2] in _FOR_PROGRAMS:
        return
    for line in (Line(""), *lines, Line("")):
        colour = _COLOURS.get(line.tone)
        display.display(clean(line.text), color=colour and getattr(constants, colour))


def _json(document: Document) -> Iterable[str]:
    yield json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    yield "\n"


_FORMATS: dict[str, Callable[[Document], Iterable[str]]] = {
    "html": render,
    "json": _json,
    "junit": junit,
    "markdown": markdown,
    "csv": comma_separated,
    "prometheus": prometheus,
}


def _write(
    params: Mapping[str, Any], document: Document, plan: Document | None
) -> tuple[dict[str, str], list[str]]:
    """Write the files; return their paths by option, and the failures."""
    files: dict[str, str] = {}
    failures = []
    texts: dict[str, Callable[[], Iterable[str]]] = {
        name: partial(text_of, document) for name, text_of in _FORMATS.items()
    }
    if plan is not None:
        texts["plan"] = lambda: (as_text(plan),)
    for name, text in texts.items():
        if params[name]:
            what = "The plan" if name == "plan" else "The report"
            try:
                files[name] = str(write(Path(params[name]), text(), what))
            except ExchangeError as error:
                failures.append(str(error))
    return files, failures
