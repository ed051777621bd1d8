# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""REG IMPORT."""

from __future__ import annotations

from .case import DONE, REG_FILE, case, syntax
from .reg_query import ALL, ONE, TREE

CASES = [
    case(
        "import",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": REG_FILE + '"A"="x"\r\n"B"=dword:0000000a\r\n"C"=hex:0a,ff\r\n'},
        stored=(
            ("", "A", "REG_SZ", "x"),
            ("", "B", "REG_DWORD", 10),
            ("", "C", "REG_BINARY", b"\n\xff"),
        ),
    ),
    case(
        "import with its whole path",
        'reg import "{here}\\i.reg"',
        err=DONE,
        files={"i.reg": REG_FILE + '"A"="x"\r\n'},
        stored=ONE,
    ),
    case(
        "import of a list and of text to be expanded",
        "reg import i.reg",
        err=DONE,
        files={
            "i.reg": REG_FILE
            + '"A"=hex(7):61,00,00,00,62,00,00,00,00,00\r\n"B"=hex(2):25,00,78,00,25,00,00,00\r\n'
        },
        stored=(("", "A", "REG_MULTI_SZ", ("a", "b")), ("", "B", "REG_EXPAND_SZ", "%x%")),
    ),
    case(
        "import of continued bytes",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": REG_FILE + '"A"=hex:00,01,\\\r\n  02,03\r\n'},
        stored=(("", "A", "REG_BINARY", b"\x00\x01\x02\x03"),),
    ),
    case(
        "import of special characters",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": REG_FILE + '"a\\"b"="say \\"a\\""\r\n"c"="C:\\\\x\\\\"\r\n'},
        stored=(("", 'a"b', "REG_SZ", 'say "a"'), ("", "c", "REG_SZ", "C:\\x\\")),
    ),
    case(
        "import of a default value",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": REG_FILE + '@="x"\r\n'},
        stored=(("", "", "REG_SZ", "x"),),
    ),
    case(
        "import of a long number",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": REG_FILE + '"A"=hex(b):01,00,00,00,00,00,00,00\r\n'},
        stored=(("", "A", "REG_QWORD", 1),),
    ),
    case(
        "import over what is there",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": REG_FILE + '"a"="new"\r\n'},
        values=ONE,
        stored=(("", "A", "REG_SZ", "new"),),
    ),
    case(
        "import leaves others alone",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": REG_FILE + '"New"="x"\r\n'},
        values=TREE,
        stored=(
            ("", "A", "REG_SZ", "x"),
            ("", "New", "REG_SZ", "x"),
            ("Sub", "B", "REG_SZ", "y"),
            ("Sub\\Deep", "C", "REG_DWORD", 1),
            ("Zub", "D", "REG_SZ", "z"),
        ),
    ),
    case(
        "import deletes a value",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": REG_FILE + '"A"=-\r\n'},
        values=(*ALL, ("", "A", "REG_SZ", "x")),
        stored=ALL,
    ),
    case(
        "import deletes a missing value",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": REG_FILE + '"B"=-\r\n'},
        values=ONE,
    ),
    case(
        "import deletes a key",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": "Windows Registry Editor Version 5.00\r\n\r\n[-{longkey}\\Sub]\r\n"},
        values=TREE,
        stored=(("", "A", "REG_SZ", "x"), ("Zub", "D", "REG_SZ", "z")),
    ),
    case(
        "import makes keys",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": "Windows Registry Editor Version 5.00\r\n\r\n[{longkey}\\New\\Deep]\r\n"},
        stored=(("", "", "", ""), ("New", "", "", ""), ("New\\Deep", "", "", "")),
    ),
    case(
        "import with comments",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": REG_FILE + '; a comment\r\n\r\n"A"="x"\r\n'},
        stored=ONE,
    ),
    case(
        "import without a final line end",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": REG_FILE + '"A"="x"'},
        stored=ONE,
    ),
    case(
        "import of the old form",
        "reg import i.reg",
        err=DONE,
        files={
            "i.reg": "REGEDIT4\r\n\r\n[{longkey}]\r\n"
            '"A"="x"\r\n"B"=dword:00000001\r\n"C"=hex:01\r\n'
        },
        stored=(
            ("", "A", "REG_SZ", "x"),
            ("", "B", "REG_DWORD", 1),
            ("", "C", "REG_BINARY", b"\x01"),
        ),
    ),
    case(
        "import of the old form with a list",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": 'REGEDIT4\r\n\r\n[{longkey}]\r\n"A"=hex(7):61,00,62,00,00\r\n'},
        stored=(("", "A", "REG_MULTI_SZ", ("a", "b")),),
    ),
    case(
        "import of lines that end in line feeds",
        "reg import i.reg",
        err=DONE,
        files={"i.reg": 'REGEDIT4\n\n[{longkey}]\n"A"="x"\n'},
        stored=ONE,
    ),
    case(
        "import of a missing file",
        "reg import nosuch.reg",
        err="ERROR: Error opening the file. There may be a disk or file system error.\r\n",
        code=1,
        level=1,
    ),
    case(
        "import of what is no such file",
        "reg import f1.txt",
        err="ERROR: Error accessing the registry.\r\n",
        code=1,
        level=1,
    ),
    case("import of nothing", "reg import", err=syntax("IMPORT"), code=1, level=1),
    case(
        "export, change and import",
        "reg export {key} o.reg",
        "reg add {key} /v Text /d changed /f",
        "reg delete {key} /v Number /f",
        "reg import o.reg",
        out=(
            "The operation completed successfully.\r\nThe operation completed successfully.\r\n"
            "The operation completed successfully.\r\n"
        ),
        err=DONE,
        after={
            "o.reg": REG_FILE
            + (
                '"Bin"=hex:0a,ff\r\n'
                '"Expand"=hex(2):25,00,53,00,79,00,73,00,74,00,65,00,6d,00,52,00,6f,00,6f,00,'
                "74,\\\r\n"
                '  00,25,00,5c,00,78,00,00,00\r\n"Many"=hex(7):61,00,00,00,62,00,00,00,00,00\r\n'
                '"Number"=dword:00000010\r\n"Text"="a  b"\r\n\r\n'
            )
        },
        values=ALL,
    ),
    case(
        "export and import of a deleted key",
        "reg export {key} o.reg",
        "reg delete {key} /f",
        "reg import o.reg",
        out="The operation completed successfully.\r\nThe operation completed successfully.\r\n",
        err=DONE,
        after={
            "o.reg": REG_FILE
            + (
                '"A"="x"\r\n\r\n[{longkey}\\Sub]\r\n"B"="y"\r\n\r\n[{longkey}\\Sub\\Deep]\r\n'
                '"C"=dword:00000001\r\n\r\n[{longkey}\\Zub]\r\n"D"="z"\r\n\r\n'
            )
        },
        values=TREE,
    ),
]
