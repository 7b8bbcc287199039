"""The floodmark harness: traffic in, latency and correctness out, a verdict at the end."""

__version__ = "0.1.0"
