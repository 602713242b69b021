"""`tokenize-lab cache`: what is kept is shown by kind, and goes when it is asked to."""

import os
from pathlib import Path

import numpy as np
import pytest

from corpora.errors import InputError
from tests.cli import answer, command, mistake
from tokenize_lab.counts.cache import LIMIT, CountsCache, most_bytes


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two counts, a file that is none of ours beside them, a vocabulary and a package."""
    monkeypatch.setenv("TOKENIZE_LAB_CACHE", str(tmp_path / "root"))
    for key in "ab":
        CountsCache(tmp_path / "counts").put([np.arange(3)], key)
    (tmp_path / "counts" / "notes.txt").write_text("mine")
    for name in ("vocabularies/a.npz", "packages/npm/b/1.json", "letters/mine.txt"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True)
        path.write_text("12345")
    return tmp_path


def test_it_is_shown_by_kind(kept: Path) -> None:
    found = answer(f"cache show --cache {kept}/counts")
    assert found["most_bytes_of_counts"] == 2_000_000_000
    rows = {row["kind"]: (row["files"], row["bytes"]) for row in found["kinds"]}
    assert rows["vocabularies"] == rows["packages"] == (1, 5)
    assert rows["counts"][0] == 2 and rows["counts"][1] > 2 * 32
    assert "vocabularies" in command(f"cache show --cache {kept}/counts").stdout
    assert answer(f"cache show --cache {kept}/none")["kinds"][0]["files"] == 0


def test_what_was_fetched_goes_only_by_name_and_strangers_never(kept: Path) -> None:
    gone = answer(f"cache clear --cache {kept}/counts")["kinds"]
    assert [row["kind"] for row in gone] == ["counts", "vocabularies"]
    assert (kept / "counts" / "notes.txt").exists() and (kept / "root" / "packages").exists()
    assert (kept / "root" / "letters").exists()  # of whoever named a folder of his own
    assert not list(CountsCache(kept / "counts").entries())
    assert "did you mean 'packages'" in mistake(f"cache clear package --cache {kept}/counts")
    command(f"cache clear packages --cache {kept}/counts")
    assert not (kept / "root" / "packages").exists()
    CountsCache(kept / "counts").put([np.arange(3)], "a")  # its folder is still of use


def test_links_and_what_goes_meanwhile_hide_nothing(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for entry in [*CountsCache(kept / "counts").entries()]:
        folder = Path(entry.path).parent
        (folder / ("e" * 62)).symlink_to("e" * 62)
        (folder / ("d" * 62)).mkdir()
    assert len([*CountsCache(kept / "counts").entries()]) == 4  # the links, and no folder
    command(f"cache clear counts --cache {kept}/counts")
    assert not [*CountsCache(kept / "counts").entries()]
    with monkeypatch.context() as patch:
        patch.setattr(os, "walk", lambda folder: [(folder, [], ["gone just now"])])
        assert answer(f"cache show --cache {kept}/counts")["kinds"][-1]["files"] == 0


def test_a_folder_that_is_a_link_stays_with_what_it_leads_to(kept: Path) -> None:
    (kept / "root" / "vocabularies").rename(kept / "elsewhere")
    (kept / "root" / "vocabularies").symlink_to(kept / "elsewhere")
    told = mistake(f"cache clear vocabularies --cache {kept}/counts")
    assert "vocabularies: cannot be removed (Cannot call rmtree on a symbolic link)" in told
    assert (kept / "elsewhere" / "a.npz").exists()


def test_a_user_without_a_home_is_told_where_to_keep_things(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(user: int) -> None:
        raise KeyError(user)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "TOKENIZE_LAB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    assert "home folder of this user is not known; set TOKENIZE_LAB_CACHE" in mistake("cache show")


def test_the_first_made_go_beyond_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CountsCache(tmp_path)
    for number in range(10):
        cache.put([np.full(1000, number)], str(number))
        os.utime(cache._place((str(number),))[0], ns=(number, number))
    size = sum(entry.bytes for entry in cache.entries())
    assert cache.keep_within(size) == 0
    assert cache.keep_within(size // 2) == 6  # a tenth of the limit is free then
    assert [n for n in range(10) if cache.get(list, str(n)) is not None] == [6, 7, 8, 9]
    monkeypatch.setenv(LIMIT, "0")
    CountsCache(tmp_path / "other").put([np.arange(5)], "a")
    assert not list(CountsCache(tmp_path / "other").entries())  # it is looked at from the start
    monkeypatch.setenv(LIMIT, "much")
    with pytest.raises(InputError, match="not a number of bytes"):
        most_bytes()
