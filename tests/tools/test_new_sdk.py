"""The report on a new SDK names what is new in it and what it has lost."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import anthropic
import pytest

from support import sdk_source
from support.versions import NAMES_OPERATIONS

ROOT = Path(__file__).parents[2]
INSTALLED = Path(anthropic.__file__).parent
RESOURCE = """
class Messages:
    def create(self):
        return self._post("/v1/brand_new", options=make_request_options(
            span_name="anthropic.brand_new.create", span_route="/v1/brand_new"))
"""

pytestmark = pytest.mark.skipif(not NAMES_OPERATIONS, reason="this SDK gives its operations no names")


@pytest.fixture
def sdk(tmp_path: Path) -> Path:
    """An SDK that has one operation and one error code that nobody knows, and nothing else."""
    (tmp_path / "resources").mkdir()
    (tmp_path / "types" / "shared").mkdir(parents=True)
    (tmp_path / "_version.py").write_text('__version__ = "99.0.0"\n', "utf-8")
    (tmp_path / "resources" / "new.py").write_text(RESOURCE, "utf-8")
    code = 'error_code: Literal["brand_new_code"]\n'
    (tmp_path / "types" / "shared" / "brand_new_error_details.py").write_text(code, "utf-8")
    return tmp_path


def report(sdk: Path) -> str:
    """What the program prints of an SDK. It always ends well."""
    command = [sys.executable, str(ROOT / "tools" / "new_sdk.py"), "--sdk", str(sdk)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_what_a_new_sdk_has_more_is_listed(sdk: Path) -> None:
    """Its version, its unknown operation, its unknown error code, and each private part that it lacks."""
    printed = report(sdk)
    assert printed.startswith(f"anthropic 99.0.0, next to {anthropic.__version__}\n")
    assert "\nOperations to add to operations.txt: 1\n  POST /v1/brand_new brand_new.create\n" in printed
    assert "\nNew error codes: 1\n  brand_new_code\n" in printed
    assert f"no longer where they were: {len(sdk_source.SEAMS)}\n" in printed


def test_the_installed_sdk_has_every_part_that_the_library_uses() -> None:
    """So that a part that is reported as lost was found before."""
    assert sdk_source.lost_seams(INSTALLED) == []
    assert sdk_source.version_of(INSTALLED) == anthropic.__version__


def test_every_error_code_of_the_installed_sdk_is_read() -> None:
    """The codes are those of the SDK's own union of error details, where it has one."""
    if importlib.util.find_spec("anthropic.types.shared.error_details") is None:
        pytest.skip("this SDK has no error codes")
    source = (INSTALLED / "types" / "shared" / "error_details.py").read_text("utf-8")
    assert len(sdk_source.error_codes(INSTALLED)) > source.count("_error_details import") / 2 > 20
