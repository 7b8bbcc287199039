"""All accounts in all regions: each is made when first used, with the streams of the start, and they share memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from simulators.kinesis.accounts.account import Account, AccountSettings
from simulators.kinesis.accounts.caller import Caller
from simulators.kinesis.errors import limit_exceeded
from simulators.kinesis.streams.memory import Memory

ACCOUNTS_MAX = 16
"""Pairs of an account and a region; whoever makes up a new access key for each call must not exhaust the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """A stream that is there from the start."""

    name: str
    shards: int


class Accounts:
    """Accounts by number and region, in the order in which they were first used. Times are epoch milliseconds."""

    def __init__(self, settings: AccountSettings, streams: Sequence[StreamSpec] = ()) -> None:
        self.memory = Memory(settings.memory_bytes_max)
        self.on_new: Callable[[Account], None] | None = None
        """Is told of every account that is made here, once its first streams are in it."""
        self._settings = settings
        self._streams = tuple(streams)
        self._accounts: dict[Caller, Account] = {}

    @property
    def default(self) -> Caller:
        """Whose calls are those that say nothing of an account and region."""
        return Caller(self._settings.account_id, self._settings.region)

    def of(self, caller: Caller, now_ms: int) -> Account:
        """The caller's account; LimitExceededException if there are too many to make another one."""
        return self._accounts.get(caller) or self._make(caller, now_ms)

    def existing(self, caller: Caller) -> Account | None:
        """The caller's account if it was ever used."""
        return self._accounts.get(caller)

    def all(self) -> list[Account]:
        """Those that were used."""
        return list(self._accounts.values())

    def put_back(self, account_id: str, region: str) -> Account:
        """An account of an earlier process, still empty."""
        caller = Caller(account_id, region)
        account = self._accounts[caller] = self._new(caller)
        return account

    def make_missing_streams(self, now_ms: int) -> None:
        """Make the streams of the start that an account of an earlier process lacks; those that are there stay."""
        for account in self.all():
            names = {stream.name for stream in account.streams(now_ms)}
            for spec in self._streams:
                if spec.name not in names:
                    account.create(spec.name, spec.shards, now_ms - account.settings.transition_ms)

    def keep_house(self, now_ms: int) -> None:
        """Let happen what is due, and forget what is older than its stream keeps it."""
        for _ in self.housekeeping_steps(now_ms):
            pass

    def housekeeping_steps(self, now_ms: int) -> Iterator[None]:
        """The same with pauses, in which calls may be answered: with many shards it takes as long as many calls."""
        for account in self.all():
            for stream in account.streams(now_ms):
                stream.hot_keys.age(now_ms)
                yield from stream.retention_steps(now_ms)
        yield from self.memory.count_steps()

    def _make(self, caller: Caller, now_ms: int) -> Account:
        if len(self._accounts) >= ACCOUNTS_MAX:
            raise limit_exceeded(
                f"This simulator serves {ACCOUNTS_MAX} pairs of an account and a region, and all are in use: "
                "use fewer access keys of 12 digits, or restart it."
            )
        account = self._new(caller)
        for spec in self._streams:
            # What is asked for at the start is there at once, also for those who come later.
            account.create(spec.name, spec.shards, now_ms - account.settings.transition_ms)
        self._accounts[caller] = account
        if self.on_new:
            self.on_new(account)
        return account

    def _new(self, caller: Caller) -> Account:
        return Account(replace(self._settings, account_id=caller.account_id, region=caller.region), self.memory)
