"""Who may call: bearer tokens in a file, of which only the hashes are kept."""

from __future__ import annotations

import secrets
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from detectors.core.globs import Glob

Role = Literal["viewer", "agent", "ingest", "pipeline", "operator", "admin"]
#: so that a token is known for one wherever it leaks
PREFIX = "driftd_"


class BadTokens(ValueError):
    """The file of tokens cannot be used; the text says why and never holds a token."""


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the file: `name` is the person or program, and one name is one person for confirming.

    `agents` (patterns) are those an `ingest` token may send events of and an `agent` token may ask the state of;
    none: any, which an `agent` token may not have. `releases` is the agents' role that a `pipeline` token announces for.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    role: Role
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    agents: tuple[str, ...] = ()
    releases: str | None = None

    def covers(self, agent: str) -> bool:
        """Whether this token may speak for the agent."""
        return not self.agents or any(Glob(pattern).matches(agent) for pattern in self.agents)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    tokens: list[Token]


#: who calls when no tokens are set: anybody on this machine, and always the same one person
LOCAL = Token("local", "admin", "0" * 64)


class Tokens:
    """All tokens of a file."""

    def __init__(self, tokens: list[Token]) -> None:
        if not tokens:
            raise BadTokens("no token is given: nobody could call")
        if len({token.sha256 for token in tokens}) != len(tokens):
            raise BadTokens("two tokens are the same")
        for token in tokens:
            if (token.role == "pipeline") != (token.releases is not None):
                raise BadTokens(f"{token.name}: a pipeline token, and no other, says for which role it `releases`")
            if token.role == "agent" and not token.agents:
                raise BadTokens(f"{token.name}: an agent token has to say which `agents` it is for")
        self._tokens = [(token.sha256.encode(), token) for token in tokens]

    @classmethod
    def read(cls, path: Path) -> Tokens:
        """The tokens of a YAML or JSON file. Raises BadTokens."""
        try:
            told = yaml.safe_load(path.read_text(encoding="utf-8"))
            return cls(msgspec.convert(told, _File).tokens)
        except OSError as error:
            raise BadTokens(f"{path}: {error.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError):
            raise BadTokens(f"{path}: not YAML") from None
        except (msgspec.ValidationError, BadTokens) as error:
            raise BadTokens(f"{path}: {error}") from None

    def find(self, presented: str) -> Token | None:
        """Whose token this is. Looks at all of them, so that the time it takes says nothing."""
        digest = sha256(presented.encode("utf-8", "replace")).hexdigest().encode()
        found = None
        for known, token in self._tokens:
            if compare_digest(known, digest):
                found = token
        return found


def new_token() -> tuple[str, str]:
    """A fresh token, to be shown once, and its hash for the file."""
    token = PREFIX + secrets.token_urlsafe(32)
    return token, sha256(token.encode()).hexdigest()
