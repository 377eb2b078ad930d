"""Secrets come from files, are never shown, and a bad file is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from monitor.section import Section


class Receiver(Section):
    url: str = "x"
    secret: SecretStr
    other: SecretStr | None = None


def test_a_secret_is_read_from_its_file_without_the_line_feed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    receiver = Receiver.model_validate({"secret_file": str(tmp_path / "secret")})
    assert receiver.secret.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(receiver)
    assert "s3cret" not in receiver.model_dump_json()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"secret_file": "none"}, "secret_file none: No such file"),
        ({"secret_file": "none", "secret": "x"}, "both given"),
        ({"secret": "x", "url_file": "y"}, "Extra inputs"),
        ({"secret": "x", "other_file": "/dev/null"}, "the file is empty"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Receiver.model_validate(given)
