# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""REG EXPORT."""

from __future__ import annotations

from .case import DONE, MISSING, REG_FILE, bad_key, case, syntax, wine
from .code_pages import BYTES
from .documents import WINE_REG_TESTS
from .reg_query import ALL, ONE, TREE

CASES = [
    case(
        "export",
        "reg export {key} o.reg",
        out=DONE,
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
        "export says so",
        "reg export {key} o.reg&call echo rc %^errorlevel%",
        out="The operation completed successfully.\r\nrc 0\r\n",
        after={"o.reg": REG_FILE + '"A"="x"\r\n\r\n'},
        values=ONE,
    ),
    case(
        "export by the long name",
        "reg export {longkey} o.reg",
        out=DONE,
        after={"o.reg": REG_FILE + '"A"="x"\r\n\r\n'},
        values=ONE,
    ),
    case(
        "export with its whole path",
        'reg export "{key}" "{here}\\o p.reg"',
        out=DONE,
        after={"o p.reg": REG_FILE + '"A"="x"\r\n\r\n'},
        values=ONE,
    ),
    case(
        "export of an empty key",
        "reg export {key} o.reg",
        out=DONE,
        after={"o.reg": REG_FILE + "\r\n"},
        values=(("", "", "", ""),),
    ),
    case(
        "export of a tree",
        "reg export {key} o.reg",
        out=DONE,
        after={
            "o.reg": REG_FILE
            + (
                '"A"="x"\r\n\r\n[{longkey}\\Sub]\r\n"B"="y"\r\n\r\n[{longkey}\\Sub\\Deep]\r\n'
                '"C"=dword:00000001\r\n\r\n[{longkey}\\Zub]\r\n"D"="z"\r\n\r\n'
            )
        },
        values=TREE,
    ),
    case(
        "export of a key below",
        "reg export {key}\\Sub o.reg",
        out=DONE,
        after={
            "o.reg": (
                'Windows Registry Editor Version 5.00\r\n\r\n[{longkey}\\Sub]\r\n"B"="y"\r\n\r\n'
                '[{longkey}\\Sub\\Deep]\r\n"C"=dword:00000001\r\n\r\n'
            )
        },
        values=TREE,
    ),
    case(
        "export of special characters",
        "reg export {key} o.reg",
        out=DONE,
        after={"o.reg": REG_FILE + '"a\\"b"="say \\"a\\""\r\n"c\\\\d"="C:\\\\x\\\\"\r\n\r\n'},
        values=(("", 'a"b', "REG_SZ", 'say "a"'), ("", "c\\d", "REG_SZ", "C:\\x\\")),
    ),
    case(
        "export of empty data",
        "reg export {key} o.reg",
        out=DONE,
        after={"o.reg": REG_FILE + '"A"=""\r\n"B"=hex:\r\n"C"=hex(7):00,00\r\n\r\n'},
        values=(
            ("", "A", "REG_SZ", ""),
            ("", "B", "REG_BINARY", b""),
            ("", "C", "REG_MULTI_SZ", ()),
        ),
    ),
    case(
        "export of long bytes",
        "reg export {key} o.reg",
        out=DONE,
        after={
            "o.reg": REG_FILE
            + (
                '"A"=hex:00,01,02,03,04,05,06,07,08,09,0a,0b,0c,0d,0e,0f,10,11,12,13,14,15,16,'
                "\\\r\n"
                "  17,18,19,1a,1b,1c,1d,1e,1f,20,21,22,23,24,25,26,27,28,29,2a,2b,2c,2d,2e,2f,"
                "\\\r\n"
                "  30,31,32,33,34,35,36,37,38,39,3a,3b,3c,3d,3e,3f,40,41,42,43,44,45,46,47,48,"
                "\\\r\n"
                "  49,4a,4b,4c,4d,4e,4f,50,51,52,53,54,55,56,57,58,59,5a,5b,5c,5d,5e,5f,60,61,"
                "\\\r\n"
                "  62,63,64,65,66,67,68,69,6a,6b,6c,6d,6e,6f,70,71,72,73,74,75,76,77,78,79,7a,"
                "\\\r\n"
                "  7b,7c,7d,7e,7f,80,81,82,83,84,85,86,87,88,89,8a,8b,8c,8d,8e,8f,90,91,92,93,"
                "\\\r\n"
                "  94,95,96,97,98,99,9a,9b,9c,9d,9e,9f,a0,a1,a2,a3,a4,a5,a6,a7,a8,a9,aa,ab,ac,"
                "\\\r\n"
                "  ad,ae,af,b0,b1,b2,b3,b4,b5,b6,b7,b8,b9,ba,bb,bc,bd,be,bf,c0,c1,c2,c3,c4,c5,"
                "\\\r\n"
                "  c6,c7\r\n\r\n"
            )
        },
        values=(("", "A", "REG_BINARY", BYTES[:200]),),
    ),
    case(
        "export of long bytes under a long name",
        "reg export {key} o.reg",
        out=DONE,
        after={
            "o.reg": f'{REG_FILE}"{"N" * 60}"='
            "hex:00,01,02,03,\\\r\n"
            "  04,05,06,07,08,09,0a,0b,0c,0d,0e,0f,10,11,12,13,14,15,16,17,18,19,1a,1b,1c,\\\r\n"
            "  1d,1e,1f,20,21,22,23,24,25,26,27,28,29,2a,2b,2c,2d,2e,2f,30,31,32,33,34,35,\\\r\n"
            "  36,37,38,39,3a,3b\r\n\r\n"
        },
        values=(("", "N" * 60, "REG_BINARY", BYTES[:60]),),
    ),
    case(
        "export of long text to be expanded",
        "reg export {key} o.reg",
        out=DONE,
        after={
            "o.reg": REG_FILE
            + (
                '"A"=hex(2):25,00,53,00,79,00,73,00,74,00,65,00,6d,00,52,00,6f,00,6f,00,74,00,'
                "\\\r\n"
                "  25,00,5c,00,73,00,79,00,73,00,74,00,65,00,6d,00,33,00,32,00,5c,00,64,00,72,"
                "\\\r\n"
                "  00,69,00,76,00,65,00,72,00,73,00,5c,00,65,00,74,00,63,00,00,00\r\n\r\n"
            )
        },
        values=(("", "A", "REG_EXPAND_SZ", "%SystemRoot%\\system32\\drivers\\etc"),),
    ),
    case(
        "export of a default value",
        "reg export {key} o.reg",
        out=DONE,
        after={"o.reg": REG_FILE + '@="x"\r\n"A"="x"\r\n\r\n'},
        values=(("", "", "REG_SZ", "x"), ("", "A", "REG_SZ", "x")),
    ),
    case(
        "export of letters beyond ASCII",
        "reg export {key} o.reg",
        out=DONE,
        after={"o.reg": REG_FILE + '"Ä"="€ß"\r\n\r\n'},
        values=(("", "Ä", "REG_SZ", "€ß"),),
    ),
    case(
        "export of a long number",
        "reg export {key} o.reg",
        out=DONE,
        after={"o.reg": REG_FILE + '"A"=hex(b):00,00,00,00,00,01,00,00\r\n\r\n'},
        values=(("", "A", "REG_QWORD", 1099511627776),),
    ),
    case(
        "export of bytes without a type",
        "reg export {key} o.reg",
        out=DONE,
        after={"o.reg": REG_FILE + '"A"=hex(0):01\r\n\r\n'},
        values=(("", "A", "REG_NONE", b"\x01"),),
    ),
    case(
        "export in the order of making",
        "reg export {key} o.reg",
        out=DONE,
        after={"o.reg": REG_FILE + '"B"="1"\r\n"A"="2"\r\n\r\n'},
        values=(("", "B", "REG_SZ", "1"), ("", "A", "REG_SZ", "2")),
        differs=wine("files", "sorts values by name", WINE_REG_TESTS),
    ),
    case(
        "export over what is there",
        "reg export {key} f1.txt /y",
        out=DONE,
        after={"f1.txt": REG_FILE + '"A"="x"\r\n\r\n'},
        values=ONE,
    ),
    case(
        "export with /y before the file",
        "reg export {key} /y o.reg",
        err=syntax("EXPORT"),
        code=1,
        level=1,
        values=ONE,
    ),
    case(
        "export into a missing folder",
        "reg export {key} nosuchdir\\o.reg>nul",
        err="ERROR: The system cannot find the path specified.\r\n",
        code=1,
        level=1,
        values=ONE,
    ),
    case("export of a missing key", "reg export {key} o.reg", err=MISSING, code=1, level=1),
    case(
        "export without a file",
        "reg export {key}",
        err=syntax("EXPORT"),
        code=1,
        level=1,
        values=ONE,
    ),
    case(
        "export of another computer",
        "reg export \\\\NOSUCH\\HKLM\\SYSTEM o.reg",
        err=bad_key("EXPORT"),
        code=1,
        level=1,
    ),
]
