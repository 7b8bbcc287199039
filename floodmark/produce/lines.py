"""The lines in which a worker and its starter speak to each other."""

READY = b"ready\n"
STOP = b"stop\n"
GIVE_UP = b"give up\n"

LINE_BYTES_MAX = 4 * 1024 * 1024
"""A load holds the pools of its traffic: some kilobytes, unless somebody names very many."""

LOAD = "the only one"
"""What a worker calls its load when it speaks of it: it never has another."""
