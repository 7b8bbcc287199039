"""Streams, their shards and records, and all that happens to them in time. Pure: the moment is a parameter."""
