"""The command line: one command a file. Only this room prints, and only it turns errors into exit codes."""
