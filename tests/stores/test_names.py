"""File names with characters that mean something in a URI, deep folders, and two connections to one store."""

from __future__ import annotations

import pytest

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.prepare import release_claim
from airflow_provider_siliconflow.exceptions import DestinationRefusedError
from tests.stores.each import ALL_KINDS, KINDS, OBJECT_KINDS, OWNER, each, prepare
from tests.stores.file_kinds import LocalKind, SftpKind
from tests.stores.kinds import Kind
from tests.unit.archive.published import BYTES, put

#: Also one that Unicode composes, and folders with such characters.
NAMES = (
    *("a b", "100%25", "50%", "a#b", "猫", "äöü-a\u0308", "a+b&c=d;e", "[a]*{b}", "a@b:c", ".a", "~a"),
    *("deep/er/folder/a", "d #/猫+%41/a"),
)


@each(*ALL_KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_kept(kind: Kind, name: str) -> None:
    folder, _, last = f"{kind.uri()}/{name}".rpartition("/")
    put(understand(f"{folder}/{last}.mp4", "abc").path)
    assert kind.names(folder) == [f"{last}.mp4", f"{last}.mp4.json"]
    assert kind.read(f"{folder}/{last}.mp4")[0] == BYTES
    assert put(understand(f"{folder}/{last}.mp4", "abc").path)["request_id"] == "abc"


@each(LocalKind, *OBJECT_KINDS)
def test_a_question_mark_is_kept(kind: Kind) -> None:
    folder = kind.uri()
    put(understand(f"{folder}/a?b.mp4", "abc").path)
    assert kind.names(folder) == ["a?b.mp4", "a?b.mp4.json"]


@each(SftpKind)
def test_a_question_mark_is_refused_where_it_would_be_dropped(kind: Kind) -> None:
    folder = kind.uri()
    for name in ("a?b.mp4", "a?b/clip.mp4", "a?b/"):
        with pytest.raises(DestinationRefusedError, match=r"its client reads it as .*/a: write it without \?"):
            understand(f"{folder}/{name}", "abc")
    assert kind.names(folder) == []


@each(*ALL_KINDS)
def test_a_folder_gets_the_video_by_its_id(kind: Kind) -> None:
    folder = kind.uri()
    put(understand(f"{folder}/", "abc").path)
    assert kind.names(folder) == ["abc.mp4", "abc.mp4.json"]


@each(*KINDS)
def test_two_connections_to_one_store_share_its_claims(kind: Kind) -> None:
    one, two = kind.uri(), kind.uri()
    conn_ids = [uri.partition("@")[0].rpartition("/")[2] for uri in (one, two)]
    same = one.replace(f"{conn_ids[0]}@", f"{conn_ids[1]}@")
    assert prepare(one) is None
    with pytest.raises(Exception, match="is claimed by DAG a_dag"):
        prepare(same, owner="a_dag/run/other/-1")
    release_claim(f"{one}/clip.mp4", owner=OWNER)
    assert prepare(same, owner="a_dag/run/other/-1") is None
