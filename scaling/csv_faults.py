"""Why a CSV file cannot be read as a table, by its line, where a library says less."""

import csv
import io


def csv_fault(content: bytes) -> str:
    """Return what is wrong with a CSV file and what to do; empty where nothing is."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return f"line {line}: is not UTF-8; save the table as UTF-8"
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    begun = 1
    try:
        header = next(rows, [])
        if len(header) == 1 and ";" in header[0]:
            return "line 1: columns are separated by semicolons; separate them by commas"
        twice = next((name for name in header if header.count(name) > 1), None)
        if twice is not None:
            return f"line 1: two columns are called {twice!r}; rename one"
        begun = rows.line_num + 1
        for row in rows:
            if row and len(row) != len(header):
                return (
                    f"line {begun}: {len(row)} fields, where the header names {len(header)};"
                    " mend the line"
                )
            begun = rows.line_num + 1
    except csv.Error as error:
        return f"line {begun}: {error}; mend the line"
    return ""
