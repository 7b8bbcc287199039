"""How a verdict looks on the terminal, and what the command that reached it ends with."""

VERDICT_STYLES = {"PASS": "bold green", "FAIL": "bold red", "UNKNOWN": "bold yellow"}
VERDICT_EXIT_CODES = {"PASS": 0, "FAIL": 1, "UNKNOWN": 3}
