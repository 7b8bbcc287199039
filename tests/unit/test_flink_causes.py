"""One line that says what went wrong, out of pages that do not."""

import pytest

from floodmark.systems.flink.causes import root_cause, submission_failure, usage_error

NO_CONNECTOR = """\
Traceback (most recent call last):
  File "/jobs/abnormal_orders.py", line 47, in main
    submit(statements, tables)
py4j.protocol.Py4JJavaError: An error occurred while calling o82.addInsertSql.
: org.apache.flink.table.api.ValidationException: Unable to create a source for reading table 'orders'.

Table options are:

'connector'='kinesis'
\tat org.apache.flink.table.factories.FactoryUtil.createDynamicTableSource(FactoryUtil.java:228)
Caused by: org.apache.flink.table.api.ValidationException: Cannot discover a connector using 'kinesis'
\t... 35 more
Caused by: org.apache.flink.table.api.ValidationException: Could not find any factory for identifier 'kinesis'.
\t... 37 more

2026-11-20 13:59:49,620 ERROR org.apache.flink.client.cli.CliFrontend [] - Fatal error.
org.apache.flink.client.program.ProgramAbortException: java.lang.RuntimeException: Python process exits with code: 1
\tat org.apache.flink.client.python.PythonDriver.main(PythonDriver.java:136)
Caused by: java.lang.RuntimeException: Python process exits with code: 1
\t... 12 more
"""

REFUSED = """\
usage: abnormal_orders.py [-h] [--endpoint ENDPOINT]
abnormal_orders.py: error: argument --parallelism: 'x' is not a whole number from 1 to 32768
2026-11-20 13:59:49,620 ERROR org.apache.flink.client.cli.CliFrontend [] - Fatal error.
org.apache.flink.client.program.ProgramAbortException: java.lang.RuntimeException: Python process exits with code: 2
"""

NO_CLUSTER = """\
org.apache.flink.client.program.ProgramInvocationException: The main method caused an error
\tat org.apache.flink.client.program.PackagedProgram.callMainMethod(PackagedProgram.java:373)
Caused by: java.util.concurrent.ExecutionException: org.apache.flink.util.FlinkException: Failed to submit job
\tat java.base/java.util.concurrent.CompletableFuture.reportGet(Unknown Source)
Caused by: java.net.ConnectException: Connection refused
"""

IN_PYTHON = """\
Traceback (most recent call last):
  File "/jobs/own.py", line 1, in <module>
    import pandaz
ModuleNotFoundError: No module named 'pandaz'
org.apache.flink.client.program.ProgramAbortException: java.lang.RuntimeException: Python process exits with code: 1
"""


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (NO_CONNECTOR, "ValidationException: Could not find any factory for identifier 'kinesis'."),
        (NO_CLUSTER, "ConnectException: Connection refused"),
        (IN_PYTHON, "ModuleNotFoundError: No module named 'pandaz'"),
        ("", "it said nothing"),
        ("Killed\n\n", "Killed"),
    ],
)
def test_a_failed_submission_is_one_line(said: str, cause: str) -> None:
    assert submission_failure(said) == cause


def test_refused_options_are_quoted() -> None:
    assert usage_error(REFUSED) == "argument --parallelism: 'x' is not a whole number from 1 to 32768"
    assert usage_error(NO_CONNECTOR) is None


def test_a_nested_class_and_a_missing_message_are_named() -> None:
    assert root_cause("org.apache.Outer$InnerException\n\tat a.b.C.d(C.java:1)") == "InnerException"


def test_no_exception_is_no_cause() -> None:
    assert root_cause("INFO all is well\n") is None


def test_a_long_message_is_cut() -> None:
    assert len(root_cause("java.lang.IllegalStateException: " + "x" * 10_000) or "") == 500
