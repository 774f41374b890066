from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="session")
def samples() -> dict[str, str]:
    """The texts of the small English and Chinese collections, by path."""
    files = sorted(DATA.glob("sample_*/*"))
    return {file.relative_to(DATA).as_posix(): file.read_text(encoding="utf-8") for file in files}
