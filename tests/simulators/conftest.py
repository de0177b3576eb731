from pathlib import Path

import pytest

from pantau import cityfolder
from pantau.city import City

ROOT = Path(__file__).resolve().parents[2]
JAKARTA = ROOT / "cities" / "jakarta"


@pytest.fixture(scope="session")
def contoh() -> City:
    return cityfolder.load(ROOT / "cities" / "contoh")


@pytest.fixture(scope="session")
def jakarta() -> City:
    return cityfolder.load(JAKARTA)


@pytest.fixture(scope="session")
def jakarta_folder() -> Path:
    return JAKARTA
