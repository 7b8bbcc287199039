"""Policies of streams and consumers: who else may use them. Source: IAM user guide, "JSON policy elements".

A caller is known here by the number of its account alone. What that is not enough to judge is judged so that nobody
gets in by it: a statement with a Condition or NotPrincipal, or for a user or role of an account, allows nothing, and
denies whatever it may mean to deny.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from simulators.kinesis.errors import ServiceError, invalid_argument

POLICY_CHARACTERS_MAX = 20_480
"""Kinesis documents no limit of its own; this is what other services allow for a policy of a resource."""

STATEMENTS_MAX = 100

_VERSIONS = ("2012-10-17", "2008-10-17")
_STATEMENT_KEYS = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip
_ACCOUNT = re.compile(r"(?:arn:aws[^:]*:iam::)?(\d{12})(?::root)?", re.ASCII)
_WITHIN_ACCOUNT = re.compile(r"arn:aws[^:]*:(?:iam|sts)::(\d{12}):.+", re.ASCII)
_PRINCIPAL_KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}
_ANYBODY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """Texts with `*` and `?`; `inverted` means all but these."""

    texts: tuple[str, ...]
    inverted: bool

    def cover(self, text: str) -> bool:
        """Whether the text is meant."""
        return any(_matches(one, text) for one in self.texts) != self.inverted


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Accounts (`*` is everybody), what they may do or not, and to what.

    `accounts` are meant as a whole, of `partly` only somebody is; with `is_unclear` it is not known for whom it holds.
    """

    allows: bool
    accounts: frozenset[str]
    partly: frozenset[str]
    is_unclear: bool
    actions: Patterns
    resources: Patterns

    def applies(self, account_id: str, action: str, resource: str) -> bool:
        """Whether it decides about this call."""
        if not (self.actions.cover(action.lower()) and self.resources.cover(resource)):
            return False
        if self.allows:
            return not self.is_unclear and not self.accounts.isdisjoint((account_id, _ANYBODY))
        return self.is_unclear or not (self.accounts | self.partly).isdisjoint((account_id, _ANYBODY))


@dataclass(frozen=True, slots=True)
class Policy:
    """What is not allowed is not allowed, and what is denied is denied whatever else is said."""

    statements: tuple[Statement, ...]

    def allows(self, account_id: str, action: str, resource: str) -> bool:
        """Whether an account may call `kinesis:Action` on a resource."""
        deciding = [one for one in self.statements if one.applies(account_id, action, resource)]
        return bool(deciding) and all(one.allows for one in deciding)

    def denies(self, account_id: str, action: str, resource: str) -> bool:
        """Whether the policy says that the account must not."""
        return any(not one.allows and one.applies(account_id, action, resource) for one in self.statements)


@lru_cache(maxsize=256)
def parse_policy(text: str) -> Policy:
    """A policy from its JSON; InvalidArgumentException names the first thing that is wrong with it."""
    if len(text) > POLICY_CHARACTERS_MAX:
        raise _invalid(f"it has more than {POLICY_CHARACTERS_MAX} characters")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _invalid("it is not JSON") from None
    if not isinstance(document, dict):
        raise _invalid("it is not an object")
    _refuse_unknown(document, {"Version", "Id", "Statement"}, "the policy")
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise _invalid(f"its Version is none of {', '.join(_VERSIONS)}")
    statements = document.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not 1 <= len(statements) <= STATEMENTS_MAX:
        raise _invalid(f"it needs 1 to {STATEMENTS_MAX} statements")
    return Policy(tuple(_statement(one, index) for index, one in enumerate(statements, 1)))


def _statement(raw: object, index: int) -> Statement:
    where = f"statement {index}"
    if not isinstance(raw, dict):
        raise _invalid(f"{where} is not an object")
    _refuse_unknown(raw, _STATEMENT_KEYS, where)
    if raw.get("Effect") not in ("Allow", "Deny"):
        raise _invalid(f"the Effect of {where} is neither Allow nor Deny")
    accounts, partly = _principals(_one_of(raw, "Principal", where), where)
    return Statement(
        allows=raw["Effect"] == "Allow",
        accounts=accounts,
        partly=partly,
        is_unclear="NotPrincipal" in raw or "Condition" in raw,
        actions=_patterns(raw, "Action", where, lower=True),
        resources=_patterns(raw, "Resource", where),
    )


def _principals(raw: object, where: str) -> tuple[frozenset[str], frozenset[str]]:
    """Accounts that are meant as a whole, and those of which somebody is; services are nobody who calls here."""
    if raw == _ANYBODY:
        return frozenset({_ANYBODY}), frozenset()
    if not isinstance(raw, dict) or not raw or not raw.keys() <= _PRINCIPAL_KINDS:
        raise _invalid(
            f'the Principal of {where} is neither "*" nor an object of {", ".join(sorted(_PRINCIPAL_KINDS))}'
        )
    for kind in raw:
        _texts(raw[kind], f"the {kind} principal of {where}")
    whole: set[str] = set()
    partly: set[str] = set()
    for name in _texts(raw.get("AWS", []), where, minimum=0):
        if match := _ACCOUNT.fullmatch(name):
            whole.add(match[1])
        elif match := _WITHIN_ACCOUNT.fullmatch(name):
            partly.add(match[1])
        elif name == _ANYBODY:
            whole.add(_ANYBODY)
        else:
            raise _invalid(f"the principal {name} of {where} is no account, user or role")
    return frozenset(whole), frozenset(partly)


def _patterns(raw: dict[str, Any], name: str, where: str, *, lower: bool = False) -> Patterns:
    texts = _texts(_one_of(raw, name, where), f"the {name} of {where}")
    return Patterns(texts=tuple(one.lower() for one in texts) if lower else texts, inverted=f"Not{name}" in raw)


def _one_of(raw: dict[str, Any], name: str, where: str) -> object:
    found = [raw[key] for key in (name, f"Not{name}") if key in raw]
    if len(found) != 1:
        raise _invalid(f"{where} needs either {name} or Not{name}")
    return found[0]


def _texts(raw: object, what: str, *, minimum: int = 1) -> tuple[str, ...]:
    texts = [raw] if isinstance(raw, str) else raw
    if not isinstance(texts, list) or len(texts) < minimum or not all(isinstance(one, str) and one for one in texts):
        raise _invalid(f"{what} is not a text or a list of texts")
    return tuple(texts)


def _refuse_unknown(raw: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(raw.keys() - known)
    if unknown:
        raise _invalid(f"{where} has an unknown element {unknown[0]}")


def _invalid(reason: str) -> ServiceError:
    return invalid_argument(f"The resource policy is not valid: {reason}.")


def _matches(pattern: str, text: str) -> bool:
    """Whether a text is as the pattern says: `*` is any text, `?` any character. At most one step back per character.

    A regular expression would take for ever on a pattern of many stars, and patterns come from callers.
    """
    at = place = mark = 0
    star = -1
    while at < len(text):
        if place < len(pattern) and pattern[place] == "*":
            star, mark = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", text[at]):
            place, at = place + 1, at + 1
        elif star >= 0:
            mark += 1
            place, at = star + 1, mark
        else:
            return False
    return not pattern[place:].strip("*")
