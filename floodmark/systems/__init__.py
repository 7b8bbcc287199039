"""The outside systems: how each is started, and how one talks to it."""
