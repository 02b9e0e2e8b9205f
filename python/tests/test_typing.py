"""The types say what the module does, and what the programs use."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points, files, metadata
from pathlib import Path

import pytest
import tminus

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(str(path) for path in (ROOT / "examples/python").glob("*.py"))


def check(tmp_path: Path, *command: str) -> None:
    """Runs in an empty folder, so that the installed package is what is looked at."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_stubs_agree_with_the_built_module(tmp_path: Path):
    check(tmp_path, "mypy.stubtest", "tminus._native")


def test_the_examples_are_typed(tmp_path: Path):
    assert EXAMPLES
    check(tmp_path, "mypy", "--strict", *EXAMPLES)


def test_wrong_use_is_refused(tmp_path: Path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "import tminus\ntminus.Message('t', b'x', deliver_after=3)\nnumber: int = tminus.Producer('h:1')\n"
    )
    done = subprocess.run([sys.executable, "-m", "mypy", str(wrong)], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.count("error:") == 2, done.stdout


def test_the_wheel_holds_all_packages():
    assert tminus.__version__ == metadata("tminus")["Version"]
    assert metadata("tminus").get_all("Requires-Dist") is None
    names = {str(file) for file in files("tminus") or ()}
    if "tminus/__init__.py" not in names:
        pytest.skip("an editable installation, not a wheel")
    assert {
        "tminus/py.typed",
        "tminus/_native.pyi",
        "tminus/aio/__init__.py",
        "rocketmq/py.typed",
        "rocketmq/client.py",
        "mq_http_sdk/py.typed",
        "mq_http_sdk/mq_client.py",
    } <= names
    assert not [name for name in names if "/test_" in name]


def test_pytest_finds_the_fixtures():
    points = entry_points()
    plugins = points.select(group="pytest11") if hasattr(points, "select") else points["pytest11"]
    assert "tminus.pytest_plugin" in {plugin.value for plugin in plugins}
