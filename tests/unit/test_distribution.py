"""What is shipped: the wheel, the source distribution, and what a package index shows of them."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from configparser import ConfigParser
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement

import airflow_provider_siliconflow
from airflow_provider_siliconflow.provider_info import get_provider_info
from tests.conftest import ROOT

PACKAGE = "airflow_provider_siliconflow"
VERSION = airflow_provider_siliconflow.__version__
#: A link or image of Markdown.
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as an installer does."""
    return Path(next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")))))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution."""
    return Path(next(SdistBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("sdist")))))


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """Read the wheel's metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read(f"{PACKAGE}-{VERSION}.dist-info/METADATA").decode())


def test_wheel_carries_the_types_and_nothing_else_but_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert f"{PACKAGE}/py.typed" in names
    assert {name.partition("/")[0] for name in names} == {PACKAGE, f"{PACKAGE}-{VERSION}.dist-info"}
    assert [name for name in names if "__pycache__" in name] == []


def test_sdist_carries_tests_docs_and_images_and_no_dotfile(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    wanted = {name for name in listed if name and not re.search(r"(^|/)\.", name) and (ROOT / name).is_file()}
    assert shipped == wanted | {"PKG-INFO"}
    assert any(name.startswith("docs/") and name.endswith(".png") for name in shipped)


def test_package_index_takes_both(wheel: Path, sdist: Path) -> None:
    command = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", str(wheel), str(sdist)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_wheel_says_what_it_is_and_needs(metadata: Message) -> None:
    assert metadata["Name"] == get_provider_info()["package-name"]
    assert metadata["Version"] == VERSION
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Development Status :: 3 - Alpha" in metadata.get_all("Classifier", [])
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    assert {needed.name for needed in requirements if not needed.marker} == {
        "aiohttp",
        "apache-airflow",
        "asgiref",
        "pydantic",
        "requests",
        "tenacity",
    }


def test_contributors_tools_are_not_published(metadata: Message) -> None:
    assert metadata.get_all("Provides-Extra") == ["c2pa", "label", "oss", "poster", "sandbox"]


def test_project_urls_have_the_label_that_airflow_reads(metadata: Message) -> None:
    labels = {line.partition(",")[0] for line in metadata.get_all("Project-URL", [])}
    assert {"Documentation", "Changelog", "Source Code", "Bug Tracker"} <= labels


def test_readmes_links_work_on_the_package_index() -> None:
    source = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source Code"]
    ours = re.compile(re.escape(source) + r"/(?:blob|tree|raw)/main/([^#]+)")
    for link in _LINK.findall((ROOT / "README.md").read_text()):
        assert link.startswith(("https://", "#")), link
        match = ours.match(link)
        assert not match or (ROOT / match[1]).exists(), link


def test_entry_points_of_the_wheel_can_be_loaded(wheel: Path) -> None:
    points = ConfigParser()
    with zipfile.ZipFile(wheel) as archive:
        points.read_string(archive.read(f"{PACKAGE}-{VERSION}.dist-info/entry_points.txt").decode())
    assert {"apache_airflow_provider", "console_scripts"} <= set(points.sections())
    for section in points.sections():
        for target in points[section].values():
            module, _, attribute = target.partition(":")
            assert getattr(importlib.import_module(module), attribute), target
