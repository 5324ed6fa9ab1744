"""What goes wrong in a sweep of days: kills, full disks, damaged files, jobs that fail for good.

The finished smoke study is the undisturbed run that all is compared with, byte for byte. What takes
longer than CI may is in `make soak`.
"""

import os
import random
import shutil
import subprocess
from collections import Counter
from contextlib import contextmanager

import pandas as pd
import pytest
from road import Road

STAGES = ("calibration", "masks", "released", "detected", "completed", "patches", "images")
STAGES += ("thumbnails", "references")
JUDGED = ("scores", "signs", "alignment", "solves", "detectability", "normality", "tables")
CHURCH = "concept=church/eraser=conceptprune/defence=none"


def flip(file, at=0.1):
    """One bit of a file's data, its times as they were."""
    held = bytearray(file.read_bytes())
    held[int(at * len(held))] ^= 4
    times = file.stat()
    file.write_bytes(held)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def one(road: Road, pattern: str):
    return sorted(road.out.glob(pattern))[0]


def lose(road: Road, stage: str, cells: str = "*") -> None:
    """What a stage has made (of some cells), and the end, since nobody misses what leads to it."""
    for folder in (road.out / stage).glob(cells):
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    for file in (road.out / "report.html", road.out / "tables" / "accuracy.parquet"):
        file.unlink(missing_ok=True)


def test_a_second_driver_is_refused_and_a_kill_costs_nothing_but_time(smoke, spare):
    """All that an attack on the defended model has made is lost. The driver that makes it anew
    goes on while another is refused, and is killed at random."""
    whole = smoke.bytes_of(*STAGES, *JUDGED)
    lose(spare, "completed", "*/*/defence=gaussian")
    for stage in ("patches", "images", "scores"):
        lose(spare, stage, "*/*/defence=gaussian/*/*/variant=revived")
    kept = {file: file.stat().st_mtime_ns for file in spare.out.glob("scores/**/*.parquet")}

    def refused():
        told = spare.run(good=False)
        assert "locked" in told and "--unlock" in told
        assert "rror" not in (spare.folder / "killed.log").read_text(encoding="utf-8")

    assert spare.kill(late=random.Random(1).uniform(0, 4), meanwhile=refused), "no job was killed"
    spare.run("--until", "tables")
    assert spare.bytes_of(*STAGES, *JUDGED) == whole
    assert kept == {file: file.stat().st_mtime_ns for file in kept}, "what was done was done again"
    assert not spare.planned("--until", "tables")


@pytest.mark.soak
def test_fifty_kills_cost_nothing_but_time(smoke, spare):
    """Every stage's jobs in turn, at a random moment, first early, then later and later; what the
    stage and all after it had made is lost before."""
    whole, rng, hits = smoke.bytes_of(*STAGES, *JUDGED), random.Random(2), Counter()
    stages = [*STAGES, *JUDGED]
    for i in range(50):
        stage, *later = stages[i % len(stages) :]
        for gone in (stage, *later):
            lose(spare, gone)
        late = rng.uniform(0, (0.2, 1.5, 6)[i // 17])
        hits[stage] += stage in spare.kill(late, stage)
    spare.run()
    assert spare.bytes_of(*STAGES, *JUDGED) == whole
    assert min(hits[stage] for stage in stages) > 0, hits
    assert not spare.planned()


def test_a_run_of_less_than_all_is_no_study_s_end(spare):
    """Its summary would be the old one, and what is there is still worth its tables."""
    kept = spare.out / "partial" / "kept"
    kept.parent.mkdir()
    kept.touch()
    anew = ["--touch", "--forcerun", "tables"]  # nothing is computed
    for less in (["--until", "figures"], ["--batch", "tables=1/2"]):
        assert "Report:" not in spare.run(*anew, *less) and kept.exists(), less
    assert "Report:" in spare.run(*anew) and not kept.exists()


def test_unsafe_pictures_do_not_outlive_their_judges(spare):
    """As a kill leaves them between the last score and their deletion, or half written."""
    thumbnails = one(spare, "thumbnails/concept=snow/**/prompts=objects+snow/shard=000.parquet")
    shard = spare.out / "images" / thumbnails.relative_to(spare.out / "thumbnails")
    begun = shard.with_name(f".{shard.name}.77.part")
    assert not shard.exists()
    for file in (shard, begun):
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(thumbnails, file)
    assert str(shard.relative_to(spare.folder)) in (told := spare.run("status"))
    assert "2 files have unblurred pictures" in told
    assert not spare.planned(), "it is deleted though there is nothing to be done"
    gallery = spare.out / "gallery-unblurred"  # of a study that was to keep them
    gallery.mkdir()
    spare.run()
    assert not shard.exists() and not begun.exists() and not gallery.exists()
    assert "unblurred" not in spare.run("status")
    shutil.copy2(thumbnails, shard)  # now a judge reads what was there when the run was planned
    score = next(spare.out.glob("scores/concept=snow/**/prompts=objects+snow/judges=*/*.p*"))
    spare.run(str(score.relative_to(spare.folder)), "--force")
    assert not shard.exists()


def test_a_score_that_is_gone_is_missed(smoke, spare):
    """A scratch file system has purged it; and a `clean` that another study's K asked for."""
    score = one(spare, f"scores/{CHURCH}/**/variant=revived/**/judges=*/scores.parquet")
    held = score.read_bytes()
    score.unlink()
    assert "7 of 8 score files are there" in spare.run("status")
    planned = spare.planned()
    assert planned["score"] == 1 and not planned["generate"]
    score.write_bytes(held)
    snow = one(spare, "scores/concept=snow/**/variant=revived/**/judges=*/scores.parquet")
    snow.unlink()
    assert spare.planned()["generate_unsafe"] == 1, "its pictures are gone, so they are drawn anew"


@pytest.mark.soak
def test_jobs_need_no_network(spare):
    """Pictures and their scores, made where there is none."""
    alone = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("no process can be cut off from the network here")
    lost = [one(spare, DAMAGED[stage]) for stage in ("images", "scores")]
    before = [file.read_bytes() for file in lost]
    for file in lost:
        file.unlink()
    command = [*alone, *spare.command(*(str(f.relative_to(spare.folder)) for f in lost))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [file.read_bytes() for file in lost] == before


DAMAGED = {
    "masks": f"masks/{'/'.join(CHURCH.split('/')[:2])}/part=00.safetensors",
    "completed": f"completed/{CHURCH}/**/solver=nuclear/part=00.safetensors",
    "patches": f"patches/{CHURCH}/**/magnitude=max/patch.safetensors",
    "images": f"images/{CHURCH}/**/variant=pruned/**/shard=000.parquet",
    "scores": f"scores/{CHURCH}/**/variant=pruned/**/judges=*/scores.parquet",
}


@pytest.mark.soak
def test_damage_is_found_named_and_mended_alone(smoke, spare):
    """A bit flipped in one file of each kind, and one file cut off."""
    whole = smoke.bytes_of(*STAGES, *JUDGED)
    files = {stage: one(spare, pattern) for stage, pattern in DAMAGED.items()}
    for file in files.values():
        flip(file)
    cut = one(spare, f"released/{CHURCH}/**/part=00.safetensors")
    held = cut.read_bytes()
    cut.write_bytes(held[: len(held) // 2])
    named = [str(f.relative_to(spare.folder)) for f in (*files.values(), cut)]
    told = spare.run("verify", good=False)
    assert all(f"{name} is damaged" in told for name in named)
    assert f"{len(named)} damaged" in told
    assert not any((spare.folder / name).exists() for name in named)
    spare.run(*named)
    assert not spare.planned()  # and nothing else
    assert spare.bytes_of(*STAGES, *JUDGED) == whole
    assert "0 damaged" in spare.run("verify")


@pytest.mark.soak
def test_a_cell_that_fails_is_a_row_with_the_reason(smoke, spare):
    """One K more, whose completion is damaged: the rest is told, then the cell is made."""
    whole = smoke.bytes_of("scores")
    spare.config["sweep"][0]["K"].append(0.2)
    spare.write(spare.config)
    completed = one(spare, DAMAGED["completed"])
    held = completed.read_bytes()
    flip(completed)
    told = spare.run(good=False)
    assert "revive: " in told and f"{completed.relative_to(spare.folder)} is damaged" in told
    n = len(list((smoke.out / "scores").rglob("scores.parquet")))
    assert f"{n - 1} of {n + 1} score files are there" in told
    partial = spare.out / "partial"
    missing = pd.read_parquet(partial / "tables" / "missing.parquet")
    assert set(missing["judge"]) == {"objects", "clip", "fid-demo"}
    assert missing.groupby("K").size().to_dict() == {"0.2": 3, "0.6": 3}  # both need it
    assert missing.loc[missing["K"] == "0.2", "reason"].str.contains("revive: .*is damaged").all()
    assert missing["reason"].str.contains("complete: what it made was damaged").all()
    had = pd.read_parquet(smoke.out / "tables" / "accuracy.parquet")
    gone = (had["concept"] == "church") & (had["defence"] == "none") & (had["K"] == "0.6")
    now = pd.read_parquet(partial / "tables" / "accuracy.parquet")
    pd.testing.assert_frame_equal(now, had[~gone].reset_index(drop=True))
    assert "is damaged" in (partial / "report.html").read_text(encoding="utf-8")
    state = spare.run("status")
    assert "Failed:" in state and "is damaged" in state

    spare.run(str(completed.relative_to(spare.folder)))
    assert completed.read_bytes() == held
    assert spare.planned() == {"revive": 1, "generate": 1, "score": 1} | {
        "tables": 1,
        "album": 1,
        "figures": 1,
        "report": 1,
    }
    spare.run()
    assert not partial.exists()
    now = spare.bytes_of("scores")
    assert {name: now[name] for name in whole} == whole and len(now) == len(whole) + 1
    assert not len(pd.read_parquet(spare.out / "tables" / "missing.parquet"))


@pytest.mark.soak
def test_what_the_study_no_longer_asks_for_is_told_then_deleted(smoke, spare):
    """A concept is taken out of the study, and put in again."""
    spare.config["sweep"] = spare.config["sweep"][:2]
    spare.write(spare.config)
    told = spare.run("leftovers")
    assert all(f"\n{stage} " in told for stage in ("patches", "scores", "thumbnails", "logs"))
    assert list(spare.out.rglob("concept=snow"))
    assert "deleted" in spare.run("clean")
    assert not list(spare.out.rglob("concept=snow")) and "0 files, 0 B" in spare.run("leftovers")
    spare.run()
    spare.write(smoke.config)
    spare.run()
    assert spare.bytes_of(*STAGES, *JUDGED) == smoke.bytes_of(*STAGES, *JUDGED)


@contextmanager
def mounted(folder, *options):
    """A file system of its own on `folder`, if this user may mount one."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.soak
def test_a_full_disk_is_named_and_costs_nothing(smoke, tmp_path):
    road = Road(tmp_path, smoke.config)
    shutil.copytree(smoke.folder / ".snakemake", tmp_path / ".snakemake")
    results = tmp_path / "results"
    with mounted(results, "size=1g"):
        shutil.copytree(smoke.folder / "results", results, dirs_exist_ok=True)
        one(road, DAMAGED["completed"]).unlink()
        for stage in ("patches", "images", "scores"):
            for folder in (road.out / stage).glob(f"{CHURCH}/**/magnitude=max"):
                shutil.rmtree(folder)
        shutil.rmtree(road.out / "tables")
        (road.out / "report.html").unlink()
        used = shutil.disk_usage(results).used
        resize = ["mount", "-o", "remount,size={}", str(results)]
        subprocess.run([*resize[:2], f"remount,size={used // 1024 + 100}k", resize[3]], check=True)
        told = road.run(good=False)
        assert "No space left on device" in told
        parts = [f for f in road.out.rglob("*.part")]
        assert not parts
        subprocess.run([*resize[:2], "remount,size=1g", resize[3]], check=True)
        road.run()
        assert road.bytes_of(*STAGES, *JUDGED) == smoke.bytes_of(*STAGES, *JUDGED)


def test_a_folder_that_cannot_be_written_is_refused_at_once(smoke, tmp_path):
    road = Road(tmp_path, smoke.config)
    with mounted(tmp_path / "results", "ro"):
        told = road.run(good=False)
        assert f"{tmp_path / 'results'} cannot be written to" in told and "Traceback" not in told
        road.run("--dry-run")  # to look is no harm
