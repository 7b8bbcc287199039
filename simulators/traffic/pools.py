"""Pools of texts that Faker draws once, so that no record has to ask it."""

import difflib
import re
import warnings
from collections.abc import Callable, Sequence

from faker import Faker
from faker.config import AVAILABLE_LOCALES

from simulators.traffic.grammar import REFUSED_CHARACTERS, TEXT_CHARACTERS_MAX

LOCALE_DEFAULT = "en_US"

_TRIES_A_TEXT = 20
_REFUSED = re.compile(f"[{REFUSED_CHARACTERS}]+")


def seeded_faker(locale: str, seed: int) -> Faker:
    """Faker in a locale such as `de_DE`; ValueError fit for users if it does not know it."""
    if locale not in AVAILABLE_LOCALES:
        near = difflib.get_close_matches(locale, sorted(AVAILABLE_LOCALES), n=1, cutoff=0.4)
        meant = f", did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"Faker knows no locale {locale!r}{meant}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a locale that was renamed is as good as before
        faker = Faker(locale, use_weighting=False)
    faker.seed_instance(seed)
    return faker


def draw_texts(draw: Callable[[], str], count: int, *, characters_max: int = TEXT_CHARACTERS_MAX) -> tuple[str, ...]:
    """Up to `count` different texts that can stand in a field, in the order in which they were drawn; at least one."""
    found: dict[str, None] = {}
    for _ in range(count * _TRIES_A_TEXT):
        text = _REFUSED.sub(" ", str(draw())).strip()[:characters_max]
        if text:
            found[text] = None
        if len(found) == count:
            break
    if not found:
        raise ValueError("Faker drew no text that can stand in a field")
    return tuple(found)


def first_known(faker: Faker, methods: Sequence[str]) -> Callable[[], str]:
    """The first of these methods that the locale has."""
    for method in methods:
        if hasattr(faker, method):
            known: Callable[[], str] = getattr(faker, method)
            return known
    raise ValueError(f"the locale has none of {', '.join(methods)}")
