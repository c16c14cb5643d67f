"""A step of the build: the source distribution has no dotfiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WithoutDotfiles(BuildHookInterface):
    """A hook that takes out ``.gitignore``, which hatchling ships unasked."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Drop the forced files whose names begin with a dot."""
        forced = build_data["force_include"]
        build_data["force_include"] = {path: name for path, name in forced.items() if Path(path).name[0] != "."}
