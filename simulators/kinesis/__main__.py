"""`python -m simulators.kinesis`."""

from simulators.kinesis.command import main

main(prog_name="python -m simulators.kinesis")
