"""What a name says that it does: the effect behind `crm:customers:delete`, `tool.sendMail` or `get_deleted_items`."""

from __future__ import annotations

import re

from detectors.core.event import Effect

_WORDS: dict[Effect, str] = {
    "delete": "delete remove drop purge destroy truncate",
    "read": "get list read search query fetch describe",
    "write": "create update put write set insert patch",
    "execute": "run exec execute invoke start",
    "send": "send mail post publish export upload notify pay transfer",
    "grant": "grant assign attach_policy add_member",
    "remember": "remember store_memory upsert_memory",
}
#: a verb of one or two words to its effect
VERBS: dict[str, Effect] = {verb: effect for effect, verbs in _WORDS.items() for verb in verbs.split()}

_SEGMENTS = re.compile(r"[.:/]")
_TOKENS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def effect_of(name: str) -> Effect | None:
    """The effect of the first verb in the last part of the name that has one; None when no part has.

    The last part, because names go from the wide to the narrow (`mail.read` reads); the first verb in it, because
    what follows a verb is its object (`get_post` reads).
    """
    for segment in reversed(_SEGMENTS.split(name)):
        tokens = [token.lower() for token in _TOKENS.findall(segment)]
        for token, following in zip(tokens, [*tokens[1:], ""], strict=False):
            effect = VERBS.get(f"{token}_{following}") or VERBS.get(token)
            if effect is not None:
                return effect
    return None
