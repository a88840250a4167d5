"""The app's files are whole, or what reads them says which is not."""

import importlib.util
from hashlib import sha256
from pathlib import Path

import pytest

from explorer import files, zoo
from explorer.files import ASSETS, ROOT, SUMS, AssetError, has_asset, read_asset
from explorer.lessons.sampling_showdown.quality import read_table
from explorer.lessons.trainings.record import recorded

RECORD = ASSETS / "trainings" / "digits.json"


def test_the_list_of_checksums_is_that_of_the_files() -> None:
    described = importlib.util.spec_from_file_location("sum_assets", ROOT / "scripts" / "sum_assets.py")
    assert described
    assert described.loader
    script = importlib.util.module_from_spec(described)
    described.loader.exec_module(script)
    assert (ASSETS / SUMS).read_text() == script.lines(), "run scripts/sum_assets.py"


@pytest.mark.parametrize("path", sorted(zoo.FOLDER.glob("*.safetensors")), ids=lambda path: path.stem)
def test_a_card_has_the_checksum_of_its_weights(path: Path) -> None:
    assert zoo.model_card(path.stem)["sha256"] == sha256(path.read_bytes()).hexdigest()
    assert zoo.read_weights(path.stem) == path.read_bytes()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of assets with one file, in which a test may break things."""
    files.checksums()
    monkeypatch.setattr(files, "ASSETS", tmp_path)
    (tmp_path / "trainings").mkdir()
    path = tmp_path / "trainings" / "digits.json"
    path.write_bytes(RECORD.read_bytes())
    return path


def test_a_whole_file_is_read(elsewhere: Path) -> None:
    assert read_asset(elsewhere) == RECORD.read_bytes()


def test_a_missing_file_is_named(elsewhere: Path) -> None:
    elsewhere.unlink()
    assert has_asset(elsewhere)
    with pytest.raises(AssetError, match=r"assets/trainings/digits\.json, which is missing"):
        read_asset(elsewhere)


def test_a_file_that_is_cut_short_is_named(elsewhere: Path) -> None:
    elsewhere.write_bytes(RECORD.read_bytes()[:-1])
    with pytest.raises(AssetError, match=r"digits\.json, which is cut short or was changed"):
        read_asset(elsewhere)


def test_a_file_with_one_other_bit_is_named(elsewhere: Path) -> None:
    content = bytearray(RECORD.read_bytes())
    content[len(content) // 2] ^= 1
    elsewhere.write_bytes(content)
    with pytest.raises(AssetError, match=r"digits\.json, which is cut short or was changed"):
        read_asset(elsewhere)


def test_a_record_that_never_was_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "checksums", dict)
    assert not has_asset(ASSETS / "trainings" / "none.json")
    with pytest.raises(KeyError):
        recorded("none")
    assert read_table("none") is None


def test_without_the_list_files_are_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ASSETS", tmp_path)
    assert files.checksums.__wrapped__() == {}


def test_weights_that_are_gone_are_still_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = zoo.pretrained_names()
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    assert zoo.pretrained_names() == names
    with pytest.raises(AssetError, match=r"digits-8\.json, which is missing"):
        zoo.load_pretrained.__wrapped__("digits-8")


def test_a_looker_that_is_gone_is_still_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    with pytest.raises(AssetError, match=r"classifier-digits-8\.json, which is missing"):
        zoo._looker.__wrapped__("classifier", "digits-8")


def test_a_card_is_written_with_the_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    (tmp_path / "some.safetensors").write_bytes(b"weights")
    zoo.write_card("some", {"data": "none"})
    assert zoo.model_card("some") == {"data": "none", "sha256": sha256(b"weights").hexdigest()}
    (tmp_path / "some.safetensors").write_bytes(b"weight")
    with pytest.raises(AssetError, match=r"some\.safetensors, which is cut short or was changed"):
        zoo.read_weights("some")
