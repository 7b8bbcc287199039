"""From pages of Java stack traces to the one line that says what went wrong."""

import re

CAUSE_CHARACTERS_MAX = 500

_TRACE_LINE = re.compile(r"^(?:Caused by: |: )?(?P<type>[\w$]+(?:\.[\w$]+)+(?:Exception|Error))(?:: (?P<message>.*))?$")
_WRAPPERS = frozenset({"ProgramAbortException", "ProgramInvocationException", "JobExecutionException", "Py4JJavaError"})
"""Exceptions that say no more than that something else went wrong."""

_PYTHON_EXIT = "Python process exits with code"
_PYTHON_LINE = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception): .+$")
_USAGE_LINE = re.compile(r"^\S+\.py: error: (?P<message>.+)$", re.MULTILINE)


def root_cause(trace: str) -> str | None:
    """The innermost cause in a Java stack trace, as `Type: message`; None if there is no exception in it."""
    causes: list[str] = []
    for line in trace.splitlines():
        match = _TRACE_LINE.match(line.strip())
        if match and (cause := _described(match["type"], match["message"] or "")):
            if causes and not line.lstrip().startswith("Caused by: "):
                break  # another trace begins; the first is the nearest to what happened
            causes.append(cause)
    return causes[-1] if causes else None


def usage_error(said: str) -> str | None:
    """What a Python program's argument parser complained about, if it did."""
    match = _USAGE_LINE.search(said)
    return match["message"] if match else None


def submission_failure(said: str) -> str:
    """The best single line in what `flink run` said before it gave up."""
    if cause := root_cause(said):
        return cause
    lines = [line.strip() for line in said.splitlines() if line.strip() and _PYTHON_EXIT not in line]
    python = [line for line in lines if _PYTHON_LINE.match(line)]
    return (python or lines or ["it said nothing"])[-1][:CAUSE_CHARACTERS_MAX]


def _described(kind: str, message: str) -> str | None:
    name = kind.rpartition(".")[2].rpartition("$")[2]
    if name in _WRAPPERS or message.startswith(_PYTHON_EXIT):
        return None
    # A wrapping exception repeats its cause as its message: "org.….TableException: Failed …".
    message = re.sub(r"^(?:[\w$]+\.)+[\w$]*(?:Exception|Error): ", "", message)
    return f"{name}: {message}"[:CAUSE_CHARACTERS_MAX].removesuffix(": ")
