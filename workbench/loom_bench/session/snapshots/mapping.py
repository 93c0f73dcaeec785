"""What becomes of state whose step a revision lacks, as it is typed: ``OLD=NEW``, ``OLD=``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def parse_mapping(rules: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return new step id by old step id, and the steps whose state is dropped.

    Args:
        rules: ``OLD=NEW`` gives the state of OLD to NEW, ``OLD=`` drops it.

    Raises:
        ValueError: When a rule is neither; its text is the rule.
    """
    pairs = [rule.partition("=") for rule in rules]
    for rule, (old, equals, _) in zip(rules, pairs, strict=True):
        if not old or not equals:
            raise ValueError(rule)
    return (
        {old: new for old, _, new in pairs if new},
        tuple(old for old, _, new in pairs if not new),
    )


def mapping_text(mapping: Mapping[str, str], empty: Sequence[str]) -> str:
    """Return a mapping as it is typed."""
    return " ".join((*(f"{old}={new}" for old, new in mapping.items()), *(f"{e}=" for e in empty)))
