"""What goes on, for programs and people."""
