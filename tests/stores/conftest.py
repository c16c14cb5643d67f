"""Each kind of store is started once: clients and emulators take half a minute to load."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator

import pytest

from tests.stores import emulators
from tests.stores.azure_kind import AzureKind
from tests.stores.kinds import Kind, resolve_localhost
from tests.unit.conftest import clock, first_poll_at_once, sandbox
from tests.unit.operators.conftest import connection_extra

__all__ = ["clock", "connection_extra", "first_poll_at_once", "sandbox"]

# gcsfs asks for the kind of a bucket by gRPC, which the emulator does not speak; read as it is imported.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"


@pytest.fixture(scope="session", autouse=True)
def made() -> Iterator[dict[type[Kind], Kind]]:
    resolve_localhost()
    for client in ("azure", "gcsfs", "asyncssh"):
        logging.getLogger(client).setLevel(logging.CRITICAL)
    kinds: dict[type[Kind], Kind] = {}
    yield kinds
    for kind in kinds.values():
        kind.close()


@pytest.fixture
def cell(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Note what a store was seen to do: a cell of the table of :mod:`tests.stores.table`, if the test passes."""
    return lambda row, seen: request.node.user_properties.append(("cell", (row, seen)))


@pytest.fixture
def kind(request: pytest.FixtureRequest, made: dict[type[Kind], Kind]) -> Kind:
    if not emulators.ARE_INSTALLED:
        pytest.skip("make emulators installs them")
    if request.param is AzureKind and not emulators.AZURITE.exists():
        pytest.skip("make emulators installs Azurite where there is npm")
    return made.setdefault(request.param, request.param())
