# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cmd.exe's own commands print, in English and German."""

from __future__ import annotations

_ENGLISH = {
    "unknown_command": "'{0}' is not recognized as an internal or external command,\r\n"
    "operable program or batch file.\r\n",
    "too_long": "The command line is too long.\r\n",
    "unexpected": "{0} was unexpected at this time.\r\n",
    "syntax": "The syntax of the command is incorrect.\r\n",
    "echo_on": "ECHO is on.\r\n",
    "echo_off": "ECHO is off.\r\n",
    "copied": "{0:>9} file(s) copied.\r\n",
    "moved": "{0:>9} file(s) moved.\r\n",
    "dirs_moved": "{0:>9} dir(s) moved.\r\n",
    "file_not_found": "File Not Found\r\n",
    "could_not_find": "Could Not Find {0}\r\n",
    "md_exists": "A subdirectory or file {0} already exists.\r\n",
    "undefined": "Environment variable {0} not defined\r\n",
    "code_page": "Active code page: {0}\r\n",
    "bad_code_page": "Invalid code page\r\n",
    "onto_itself": "The file cannot be copied onto itself.\r\n",
    "duplicate": "A duplicate file name exists, or the file\r\ncannot be found.\r\n",
    "sure": "{0}, Are you sure (Y/N)? ",
    "volume": " Volume in drive {0} has no label.\r\n Volume Serial Number is 1C2D-3E4F\r\n",
    "directory_of": "\r\n Directory of {0}\r\n\r\n",
    "dir_files": "{0:>16} File(s) {1:>14} bytes\r\n",
    "dir_dirs": "{0:>16} Dir(s) {1:>15} bytes free\r\n",
}

_GERMAN = {
    "unknown_command": 'Der Befehl "{0}" ist entweder falsch geschrieben oder\r\n'
    "konnte nicht gefunden werden.\r\n",
    "too_long": "Die Befehlszeile ist zu lang.\r\n",
    "unexpected": "{0} kann syntaktisch an dieser Stelle nicht verarbeitet werden.\r\n",
    "syntax": "Syntaxfehler.\r\n",
    "echo_on": "ECHO ist eingeschaltet (ON).\r\n",
    "echo_off": "ECHO ist ausgeschaltet (OFF).\r\n",
    "copied": "{0:>9} Datei(en) kopiert.\r\n",
    "moved": "{0:>9} Datei(en) verschoben.\r\n",
    "dirs_moved": "{0:>9} Verzeichnis(se) verschoben.\r\n",
    "file_not_found": "Datei nicht gefunden\r\n",
    "could_not_find": "{0} konnte nicht gefunden werden\r\n",
    "md_exists": 'Ein Unterverzeichnis oder eine Datei mit dem Namen "{0}" existiert bereits.\r\n',
    "undefined": 'Die Umgebungsvariable "{0}" ist nicht definiert.\r\n',
    "code_page": "Aktive Codepage: {0}.\r\n",
    "bad_code_page": "Ungültige Codepage\r\n",
    "onto_itself": "Die Datei kann nicht auf sich selbst kopiert werden.\r\n",
    "duplicate": "Eine Datei mit diesem Namen existiert bereits oder die Datei\r\n"
    "wurde nicht gefunden.\r\n",
    "sure": "{0}, Möchten Sie den Vorgang fortsetzen (J/N)? ",
    "volume": " Volume in Laufwerk {0}: hat keine Bezeichnung.\r\n"
    " Volumeseriennummer: 1C2D-3E4F\r\n",
    "directory_of": "\r\n Verzeichnis von {0}\r\n\r\n",
    "dir_files": "{0:>16} Datei(en), {1:>14} Bytes\r\n",
    "dir_dirs": "{0:>16} Verzeichnis(se), {1:>14} Bytes frei\r\n",
}

_LANGUAGES = {"en": _ENGLISH, "de": _GERMAN}


def phrase(key: str, language: str, *values: object) -> str:
    """Return a text of cmd.exe with its line ends."""
    return _LANGUAGES[language][key].format(*values)
