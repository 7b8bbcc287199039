"""A table in a PostgreSQL database, written by Flink's JDBC connector."""

import argparse
import os
import re

from flink_sql import listed

PASSWORD_VARIABLE = "FLOODMARK_DATABASE_PASSWORD"  # noqa: S105 a name
"""The environment variable that holds the password, where the job is submitted: on a command line others can read it,
and Flink keeps it out of what it shows and logs."""

_URL = re.compile(r"jdbc:postgresql://[^\s/@?]+/[^\s/?]+(\?\S*)?")
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")

_FLUSH_INTERVAL = "200 ms"
"""The connector gathers rows for 1 s unless 100 come first, which a dashboard on the table would show late."""


def add_database_options(parser: argparse.ArgumentParser, *, table: str) -> None:
    """Add the options that say which table of which database to write to."""
    add = parser.add_argument_group("database").add_argument
    add(
        "--database-url",
        type=_url,
        help=f"PostgreSQL database to write to as well; a password belongs into {PASSWORD_VARIABLE}",
    )
    add("--database-table", default=table, type=_table, help="its table")
    add("--database-user", help="its user; None is what the server takes the job for")


def database_table(name: str, columns: str, *, url: str, table: str, user: str | None) -> str:
    """The statement that makes a table of one in a database. A row replaces another by the primary key in `columns`."""
    connector = {
        "connector": "jdbc",
        "url": url,
        "table-name": table,
        "sink.buffer-flush.interval": _FLUSH_INTERVAL,
    }
    if user:
        connector["username"] = user
    if password := os.environ.get(PASSWORD_VARIABLE):
        connector["password"] = password
    return f"CREATE TABLE {name} ({columns}) WITH ({listed(connector)})"


def _url(text: str) -> str:
    if "password" in text.lower():  # which must not be repeated in what is said about it
        raise argparse.ArgumentTypeError(f"the address holds a password, which belongs into {PASSWORD_VARIABLE}")
    if not _URL.fullmatch(text):
        raise argparse.ArgumentTypeError("not an address such as jdbc:postgresql://127.0.0.1:5432/shop")
    return text


def _table(text: str) -> str:
    if not _TABLE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a table, with or without its schema")
    return text
