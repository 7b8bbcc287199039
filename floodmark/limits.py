"""Limits of a load that several rooms hold to, and the codes by which the service says that one of its own is met."""

BATCH_RECORDS_MAX = 500
"""What one PutRecords takes, by the service's quotas."""

LINGER_DEFAULT_MS = 5.0
LINGER_MAX_MS = 10_000.0
SENDERS_DEFAULT = 8
SENDERS_MAX = 256

THROTTLING_CODES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "ThrottlingException",
        "KMSThrottlingException",
        "RequestLimitExceeded",
        "Throttling",
    }
)
"""Of a whole call or of a record in it: the same call may succeed a little later."""
