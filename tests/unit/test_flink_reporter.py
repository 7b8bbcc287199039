"""A reporter that is there but cannot be read is as good as none."""

import zipfile
from pathlib import Path

import pytest

from floodmark.errors import MissingProgramError
from floodmark.systems.flink.reporter import reporter_jar, require_reporter


def test_a_damaged_reporter_is_a_missing_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOODMARK_HOME", str(tmp_path))
    jar = reporter_jar()
    jar.parent.mkdir()
    for damage in (b"", b"half a jar"):
        jar.write_bytes(damage)
        with pytest.raises(MissingProgramError, match="missing or damaged") as caught:
            require_reporter()
        assert "make setup" in caught.value.remedy
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("a.class", b"")
    assert require_reporter() == jar
