"""Azure Blob Storage on Azurite, which checks keys and the rights of shared access signatures itself."""

from __future__ import annotations

import functools
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from tests.stores import emulators
from tests.stores.front import Rule
from tests.stores.kinds import BUCKET, HttpKind, Variant

#: The account that every Azurite has; its key is public.
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#: Rights of a signature: r read, c create, w write, d delete, l list.
_RIGHTS: dict[Variant, str] = {"no_list": "rcwd", "write_only": "cw", "no_write": "rl"}


class AzureKind(HttpKind):
    name = "Azure"
    scheme = "abfs"

    def emulator(self) -> int:
        container()
        return emulators.azure()

    def rules(self, variant: Variant) -> list[Rule]:
        return []

    def connection(self, variant: Variant, *rules: Rule) -> dict[str, Any]:
        endpoint = f"http://127.0.0.1:{self.port(variant, *rules)}/{_ACCOUNT}"
        if rights := _RIGHTS.get(variant):
            credential = f"SharedAccessSignature={_signature(rights)}"
        else:
            key = _KEY[:-4] + "AA==" if variant == "wrong_credentials" else _KEY
            credential = f"AccountName={_ACCOUNT};AccountKey={key}"
        text = f"DefaultEndpointsProtocol=http;BlobEndpoint={endpoint};{credential}"
        return {"conn_type": "wasb", "extra": {"connection_string": text}}

    def names(self, folder: str) -> list[str]:
        prefix = f"{self.key(folder)}/"
        return sorted(name.removeprefix(prefix) for name in container().list_blob_names(name_starts_with=prefix))

    def read(self, uri: str) -> tuple[bytes, str]:
        blob = container().get_blob_client(self.key(uri))
        return blob.download_blob().readall(), blob.get_blob_properties().content_settings.content_type


@functools.cache
def container() -> Any:
    """Return a client of the container, past any front."""
    text = f"BlobEndpoint=http://127.0.0.1:{emulators.azure()}/{_ACCOUNT};AccountName={_ACCOUNT};AccountKey={_KEY}"
    made = import_module("azure.storage.blob").ContainerClient.from_connection_string(text, BUCKET)
    with suppress(Exception):
        made.create_container()
    return made


def _signature(rights: str) -> str:
    end = datetime.now(UTC) + timedelta(hours=2)
    blob = import_module("azure.storage.blob")
    return str(blob.generate_container_sas(_ACCOUNT, BUCKET, account_key=_KEY, permission=rights, expiry=end))
