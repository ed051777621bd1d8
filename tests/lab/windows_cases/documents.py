# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides where the lab and Wine differ: who says how Windows does it.

First Microsoft's own pages. Where these are silent, what Wine's own tests expect of Windows, since
WineHQ runs them there, too; then what others found by experiment.
"""

from __future__ import annotations

_LEARN = "https://learn.microsoft.com/windows-server/administration/windows-commands/"
_WINE = "https://gitlab.winehq.org/wine/wine/-/tree/master/programs/"

CHCP = f"{_LEARN}chcp"
COPY = f"{_LEARN}copy"
ECHO = f"{_LEARN}echo"
FINDSTR = f"{_LEARN}findstr"
FOR = f"{_LEARN}for"
MOVE = f"{_LEARN}move"
REG_QUERY = f"{_LEARN}reg-query"
SET = f"{_LEARN}set_1"
TYPE = f"{_LEARN}type"
#: "Using command redirection operators", pipes among them.
REDIRECTS = (
    "https://learn.microsoft.com/previous-versions/windows/it-pro/windows-xp/bb490982(v=technet.10)"
)
#: KB830473.
LINE_LIMIT = (
    "https://learn.microsoft.com/troubleshoot/windows-client/shell-experience/"
    "command-line-string-limitation"
)
VALUE_TYPES = "https://learn.microsoft.com/windows/win32/sysinfo/registry-value-types"

#: Return codes and ERRORLEVEL of each command of cmd.exe, run on Windows.
WINE_TESTS = f"{_WINE}cmd/tests/test_builtins.bat.exp"
#: "on success conditional &&", "on failure conditional ||", run on Windows.
CONDITIONAL = f"{_WINE}cmd/tests/test_builtins.cmd.exp"
#: "Windows exports registry values in order of creation; Wine uses alphabetical order."
WINE_REG_TESTS = f"{_WINE}reg/tests/export.c"

#: "How does the Windows Command Interpreter (CMD.EXE) parse scripts?": percent signs come first.
PARSER = "https://stackoverflow.com/a/4095133"
#: "Which cmd.exe internal commands clear the ERRORLEVEL to 0 upon success?"
CLEARS = "https://stackoverflow.com/questions/34968009"
#: "What encoding/code page is cmd.exe using?": TYPE converts a UTF-16 file that has its mark.
TYPE_WIDE = "https://stackoverflow.com/questions/1259084"
#: What else may stand behind ECHO in place of a dot.
ECHO_DOT = "https://github.com/MicrosoftDocs/windowsserverdocs/issues/7849"
ECHO_BRACKET = "https://riptutorial.com/batch-file/topic/3981/echo"

#: Nobody says it. The lab does what is commonly seen, and the collection does not depend on it.
UNDOCUMENTED = "not documented"
