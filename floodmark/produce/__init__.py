"""Sends a load without Locust: the same engine, in processes of its own."""

from floodmark.produce.dry_run import Sample, sample, write_records
from floodmark.produce.load import Load, Outcome, prepare_load
from floodmark.produce.workers import Workers

__all__ = ["Load", "Outcome", "Sample", "Workers", "prepare_load", "sample", "write_records"]
