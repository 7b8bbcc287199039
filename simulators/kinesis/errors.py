"""What can go wrong, as the service's clients see it and as the person who starts the simulator sees it.

ServiceError            what a call is answered with
StartError              why the simulator cannot do what it was started for
  ├─ SettingsError      what it was asked for makes no sense
  ├─ ListenError        it cannot be reached where it is to be
  └─ JournalError       it cannot keep what it is to keep
"""


class ServiceError(Exception):
    """An answer other than success: `type` is the service's name for the error, `message` its explanation."""

    def __init__(self, type_: str, message: str | None = None, *, status: int = 400) -> None:
        super().__init__(f"{type_}: {message}")
        self.type = type_
        self.message = message
        self.status = status


class StartError(Exception):
    """The simulator cannot do what it was started for; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class SettingsError(StartError):
    """The simulator was asked for something that it cannot be."""


class ListenError(StartError):
    """The simulator cannot listen where it was told to."""


class JournalError(StartError):
    """What was to be kept on disk cannot be, or cannot be taken up again."""


def invalid_argument(message: str) -> ServiceError:
    """The request is well formed but contradicts itself or the state of the stream."""
    return ServiceError("InvalidArgumentException", message)


def not_found(message: str) -> ServiceError:
    """The stream, shard or consumer does not exist."""
    return ServiceError("ResourceNotFoundException", message)


def in_use(message: str) -> ServiceError:
    """The stream or consumer exists already or is changing."""
    return ServiceError("ResourceInUseException", message)


def limit_exceeded(message: str) -> ServiceError:
    """A quota of the control plane is used up."""
    return ServiceError("LimitExceededException", message)


def throughput_exceeded(message: str) -> ServiceError:
    """A quota of the data plane is used up."""
    return ServiceError("ProvisionedThroughputExceededException", message)
