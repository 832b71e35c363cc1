"""Zips that nobody vouches for: what is good is unpacked, what is evil is refused before anything is written."""

import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.data.archive import Limits, unpack
from core.errors import ArchiveError, StorageError

KIB, MIB = 1024, 1024 * 1024


def pack(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, data)
    return path


def with_mode(path: Path, mode: int, data: bytes = b"/etc/passwd") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat/good.png", b"good")
        info = zipfile.ZipInfo("cat/odd.png")
        info.external_attr = mode << 16
        archive.writestr(info, data)
    return path


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def assert_refused(path: Path, reason: str, limits: Limits | None = None) -> ArchiveError:
    """The zip is refused with this reason, and neither the target nor anything else has appeared."""
    before = everything_in(path.parent)
    with pytest.raises(ArchiveError, match=reason) as caught:
        unpack(path, path.parent / "target", limits)
    assert everything_in(path.parent) == before
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_good_zip_keeps_its_names_and_bytes(tmp_path, method):
    names = [
        "cat/a b.png",
        'cat/it\'s "quoted".png',
        "dog/<script>alert(1)</script>.png",
        "dog/🐕 ünïcode.png",
        "x/CON.png",
    ]
    tree = unpack(pack(tmp_path / "good.zip", {name: name.encode() for name in names}, method), tmp_path / "target")
    assert sorted(file.name for file in tree.files) == sorted(names)
    assert all(file.path.read_bytes() == file.name.encode() for file in tree.files)


def test_no_name_of_the_zip_becomes_a_name_on_the_disk(tmp_path):
    unpack(pack(tmp_path / "good.zip", {"cat/<b>.png": b"1", "dog/" + "x" * 300 + ".png": b"2"}), tmp_path / "target")
    assert everything_in(tmp_path / "target") == ["000000", "000001"]


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "cat/../../evil.png",
        "/etc/evil.png",
        "\\evil.png",
        "..\\evil.png",
        "C:\\evil.png",
        "c:evil.png",
        "//host/x",
    ],
)
def test_a_name_that_leads_out_refuses_the_whole_zip_and_is_named(tmp_path, name):
    path = pack(tmp_path / "evil.zip", {"cat/good.png": b"good", name: b"evil"})
    error = assert_refused(path, "a name that leads out of the folder")
    assert repr(name) in str(error)


def test_a_name_with_a_zero_byte_is_refused(tmp_path):
    path = pack(tmp_path / "evil.zip", {"cat/good.png": b"good", "cat/a_.png": b"evil"})
    path.write_bytes(path.read_bytes().replace(b"a_.png", b"a\0.png"))
    assert_refused(path, "a name that leads out|no complete zip")


@pytest.mark.parametrize(
    ("mode", "reason"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "neither"), (stat.S_IFCHR, "neither")]
)
def test_links_and_devices_refuse_the_whole_zip(tmp_path, mode, reason):
    assert_refused(with_mode(tmp_path / "evil.zip", mode | 0o777), f"'cat/odd.png'.*{reason}")


def test_an_ordinary_file_mode_is_fine(tmp_path):
    tree = unpack(with_mode(tmp_path / "good.zip", stat.S_IFREG | 0o644), tmp_path / "target")
    assert [file.name for file in tree.files] == ["cat/good.png", "cat/odd.png"]


def test_a_zip_of_a_gigabyte_of_nothing_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("cat/1.png", "w") as entry:
        block = bytes(16 * MIB)
        for _ in range(64):
            entry.write(block)
    assert path.stat().st_size < 2 * MIB
    assert_refused(path, "'cat/1.png'.*1.0 GB packed into .*like a zip bomb")


def test_a_bomb_in_many_small_pieces_is_refused(tmp_path):
    limits = Limits(ratio_whole=64 * KIB)
    path = pack(tmp_path / "bomb.zip", {f"cat/{n}.png": bytes(64 * KIB) for n in range(32)}, zipfile.ZIP_DEFLATED)
    assert_refused(path, "looks like a zip bomb: found 2.0 MB packed into", limits)


def test_entries_that_share_their_data_do_not_hide_a_bomb(tmp_path):
    """Every entry of the table of contents points to the same bytes, so that the packed sizes add up to a lie."""
    path = pack(tmp_path / "bomb.zip", {"a.png": bytes(range(256)) * 256})
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[start:end]
    count = 400
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entry) * count, start, 0)
    path.write_bytes(data[:start] + entry * count + tail)
    assert_refused(path, "looks like a zip bomb|no complete zip|damaged", Limits(ratio_whole=MIB, ratio=100))


def test_too_much_data_is_refused_with_both_sizes(tmp_path):
    path = pack(tmp_path / "large.zip", {f"cat/{n}.png": bytes(KIB) for n in range(5)})
    assert_refused(path, "unpacks to too much: found 5.0 KB, expected at most 4.0 KB", Limits(bytes=4 * KIB))


def test_too_many_entries_are_refused(tmp_path):
    path = pack(tmp_path / "many.zip", {f"cat/{n}.png": b"" for n in range(11)})
    assert_refused(path, "too many entries: found 11, expected at most 10", Limits(entries=10))


def test_a_huge_table_of_contents_is_refused_before_it_is_read(tmp_path):
    path = pack(tmp_path / "many.zip", {f"cat/{n:06d}" + "x" * 200: b"" for n in range(8000)})
    assert_refused(path, "too many entries: found a table of contents", Limits(entries=1000))


def test_a_header_that_lies_about_the_size_is_noticed(tmp_path):
    path = pack(tmp_path / "liar.zip", {"cat/1.png": bytes(64 * KIB)}, zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<L", 64 * KIB), struct.pack("<L", 10)))
    assert_refused(path, "'cat/1.png'.*damaged")


def test_a_wrong_checksum_is_noticed_and_the_entry_named(tmp_path):
    path = pack(tmp_path / "bad.zip", {"cat/1.png": b"some bytes", "cat/2.png": b"other bytes"})
    path.write_bytes(path.read_bytes().replace(b"other bytes", b"0ther bytes"))
    assert_refused(path, r"'cat/2.png'.*damaged \(Bad CRC-32")


def test_a_zip_that_stops_in_the_middle_is_refused(tmp_path):
    path = pack(tmp_path / "half.zip", {"cat/1.png": bytes(KIB), "cat/2.png": bytes(KIB)})
    path.write_bytes(path.read_bytes()[:1200])
    assert_refused(path, "half.zip is no complete zip")


def test_something_else_called_zip_is_refused(tmp_path):
    (tmp_path / "text.zip").write_text("PK and nothing more")
    assert_refused(tmp_path / "text.zip", "text.zip is no complete zip")


def test_a_password_is_named(tmp_path):
    path = pack(tmp_path / "secret.zip", {"cat/1.png": b"x" * 20})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the entry and in the table of contents
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert_refused(path, "protected by a password.*Make the zip again without one")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_that_needs_unbounded_memory_is_refused(tmp_path, method):
    assert_refused(pack(tmp_path / "odd.zip", {"cat/1.png": b"x" * 99}, method), "packed by method")


def test_what_file_managers_leave_behind_is_dropped_silently(tmp_path):
    names = [
        "cat/1.png",
        "__MACOSX/cat/._1.png",
        "cat/.DS_Store",
        "cat/Thumbs.db",
        "cat/._1.png",
        "desktop.ini",
        "empty/",
    ]
    tree = unpack(pack(tmp_path / "mac.zip", dict.fromkeys(names, b"")), tmp_path / "target")
    assert [file.name for file in tree.files] == ["cat/1.png"]
    assert tree.skipped == ()


def test_a_hidden_folder_is_skipped_once_with_its_reason(tmp_path):
    names = ["cat/1.png", ".git/a", ".git/b", "cat/.hidden.png"]
    tree = unpack(pack(tmp_path / "hidden.zip", dict.fromkeys(names, b"")), tmp_path / "target")
    assert [(entry.file, entry.reason) for entry in tree.skipped] == [
        (".git/", "a hidden folder"),
        ("cat/.hidden.png", "a hidden file"),
    ]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_entries_of_one_name_the_second_is_skipped(tmp_path):
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("cat/1.png", b"first")
        archive.writestr("cat/1.png", b"second")
    tree = unpack(tmp_path / "twice.zip", tmp_path / "target")
    assert [file.path.read_bytes() for file in tree.files] == [b"first"]
    assert [entry.file for entry in tree.skipped] == ["cat/1.png"]


def test_backslashes_separate_folders_as_on_windows(tmp_path):
    tree = unpack(pack(tmp_path / "win.zip", {"cat\\1.png": b"", "dog\\2.png": b""}), tmp_path / "target")
    assert [file.parts for file in tree.files] == [("cat", "1.png"), ("dog", "2.png")]


def test_utf8_names_without_the_flag_are_read_as_utf8(tmp_path):
    """As macOS writes them: UTF-8, unmarked, and with accents as characters of their own."""
    placeholder, real = b"cat/nnnnnnn.png", "cat/e\u0301te\u0301.png".encode()
    assert len(placeholder) == len(real)
    path = pack(tmp_path / "mac.zip", {placeholder.decode(): b""})
    path.write_bytes(path.read_bytes().replace(placeholder, real))
    assert [file.name for file in unpack(path, tmp_path / "target").files] == ["cat/été.png"]


def test_an_entry_that_claims_more_than_it_holds_is_refused(tmp_path):
    path = pack(tmp_path / "liar.zip", {"cat/1.png": b"x" * 40})
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<L", 4000)
    path.write_bytes(data)
    assert_refused(path, "'cat/1.png'.*damaged .40 bytes instead of 4,000")


def test_a_zip_that_does_not_fit_on_the_disk_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    path = pack(tmp_path / "large.zip", {"cat/1.png": bytes(3 * KIB)})
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2 * KIB))
    with pytest.raises(StorageError, match="does not fit on the disk: found 2.0 KB free, expected 3.0 KB"):
        unpack(path, tmp_path / "target")
    assert everything_in(tmp_path) == ["large.zip"]


def test_damaged_zips_give_a_tree_or_an_archive_error_and_nothing_else(tmp_path):
    good = pack(
        tmp_path / "good.zip", {f"cat/{n}.png": bytes(range(64)) for n in range(4)}, zipfile.ZIP_DEFLATED
    ).read_bytes()
    rng = np.random.default_rng(0)
    target, path = tmp_path / "in" / "target", tmp_path / "damaged.zip"
    for _ in range(200):
        damaged = bytearray(good)
        for place in rng.integers(0, len(good), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        with suppress(ArchiveError):
            assert len(unpack(path, target).files) <= 4
            for file in target.iterdir():
                file.unlink()
            target.rmdir()
        assert not target.exists()
    assert everything_in(tmp_path) in (["damaged.zip", "good.zip"], ["damaged.zip", "good.zip", "in"])
