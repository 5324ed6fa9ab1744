"""States, reasons and blame, from records and logs alone."""

import fcntl
import logging
from pathlib import Path

import pandas as pd
import pytest
import yaml
from regrowth.run import driver, job, progress, unsafe
from regrowth.study import variants
from regrowth.study.catalogue import Catalogue

ROOT = Path(__file__).resolve().parents[2]

CELL = variants.PRETRAINED | {"concept": "church", "variant": "pruned"}


@pytest.fixture
def records(tmp_path):
    """calibrate → mask → generate → two scores; reference → nothing. None is done."""

    def record(rule, inputs, outputs, wildcards=None, temporary=()):
        return {
            "rule": rule,
            "why": "new",
            "log": str(tmp_path / f"{outputs[0]}.log"),
            "benchmark": None,
            "inputs": [str(tmp_path / name) for name in inputs],
            "outputs": [str(tmp_path / name) for name in outputs],
            "temporary": [str(tmp_path / name) for name in temporary],
            "wildcards": wildcards or {},
        }

    scored = [CELL | {"prompts": "church", "judges": judge} for judge in ("objects", "clip")]
    return [
        record("calibrate", [], ["norms"]),
        record("mask", ["norms"], ["mask"]),
        record("generate", ["mask"], ["thumbnails"], temporary=["images"]),
        record("score", ["images"], ["objects"], scored[0]),
        record("score", ["images"], ["clip"], scored[1]),
        record("reference", [], ["reference"]),
    ]


def done(records, *rules):
    return [r | {"why": ""} if r["rule"] in rules else r for r in records]


LOG = "2026-01-02 03:04:05,006 {} {}\n"


def test_a_failure_is_read_from_its_log_and_blamed_by_all_that_waits(tmp_path, records):
    records = done(records, "calibrate")
    said = LOG.format("INFO", "begins") + LOG.format("ERROR", "no such layer") + "Traceback …\n"
    (tmp_path / "mask.log").write_text(said, encoding="utf-8")
    told = progress.states(records, driven=False)
    assert told["state"].tolist() == ["done", "failed", *["waiting"] * 4]
    missing = progress.missing(records, told)
    assert list(missing.columns) == progress.MISSING
    assert missing["judge"].tolist() == ["objects", "clip"]
    assert set(missing["reason"]) == {"mask: no such layer"}
    assert progress.coverage(told) == "0 of 2 score files are there"
    shown = progress.text(told, driven=False)
    assert "mask: no such layer" in shown and str(tmp_path / "mask.log") in shown


@pytest.mark.parametrize(
    "driven, state, reason", [(True, "running", "waiting"), (False, "failed", "generate: ended")]
)
def test_a_job_without_a_last_word_runs_or_was_killed(tmp_path, records, driven, state, reason):
    records = done(records, "calibrate", "mask", "reference")
    (tmp_path / "thumbnails.log").write_text(
        LOG.format("INFO", "3 of 8 pictures"), encoding="utf-8"
    )
    told = progress.states(records, driven)
    assert told["state"][2] == state
    assert progress.missing(records, told)["reason"].str.startswith(reason).all()


def test_a_stale_output_is_not_a_failure(tmp_path, records):
    """A job that was done once and must be done again has output and log."""
    (tmp_path / "norms").write_text("", encoding="utf-8")
    (tmp_path / "norms.log").write_text(LOG.format("INFO", "done"), encoding="utf-8")
    assert progress.states(records, driven=False)["state"][0] == "waiting"
    (tmp_path / "norms").unlink()
    assert progress.states(records, driven=False)["state"][0] == "failed"


def test_what_was_set_aside_is_told(tmp_path, records):
    (tmp_path / ".norms.damaged").write_text("", encoding="utf-8")
    (tmp_path / "norms.log").write_text(LOG.format("INFO", "done"), encoding="utf-8")
    told = progress.states(records, driven=True)
    assert told["state"][0] == "failed" and told["reason"][0] == progress.SET_ASIDE


def test_one_judge_that_failed_leaves_the_other_score(tmp_path, records):
    records = done(records, "calibrate", "mask", "generate", "reference")
    records[3]["why"] = ""
    (tmp_path / "clip.log").write_text(LOG.format("ERROR", "no weights"), encoding="utf-8")
    told = progress.states(records, driven=False)
    missing = progress.missing(records, told)
    assert missing[["judge", "reason"]].values.tolist() == [["clip", "score: no weights"]]
    assert progress.coverage(told) == "1 of 2 score files are there"
    assert str(tmp_path / "objects") in progress.made(records)
    assert str(tmp_path / "clip") not in progress.made(records)


def test_what_no_job_makes_is_left_over(tmp_path, records):
    for name in ("norms", "norms.log", "images", "old", ".clip.12.part", ".driver"):
        (tmp_path / name).write_text("", encoding="utf-8")
    (tmp_path / "partial" / "tables").mkdir(parents=True)
    (tmp_path / "partial" / "tables" / "missing.csv").write_text("", encoding="utf-8")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "status.log").write_text("", encoding="utf-8")
    for kept in ("checkpoints", "logs/checkpoint", "benchmarks/checkpoint"):
        (tmp_path / kept / "concept=church").mkdir(parents=True)
        (tmp_path / kept / "concept=church" / "asked for").write_text("", encoding="utf-8")
    found = [file.name for file in progress.leftovers(records, tmp_path)]
    assert found == [".clip.12.part", "old"]
    records = done(records, "generate", "score")
    found = [file.name for file in progress.leftovers(records, tmp_path)]
    assert found == [".clip.12.part", "images", "old"], "no judge waits for the pictures"
    records[4]["why"] = "new"
    assert progress.waited_for(records) == {tmp_path / "images"}


def test_unblurred_pictures_are_found_wherever_they_were_left(tmp_path):
    catalogue = Catalogue.model_validate(
        yaml.safe_load((ROOT / "resources/demo/catalogue.yaml").read_text(encoding="utf-8"))
    )
    kept = "concept=church/prompts=objects+church/shard=000.parquet"
    waited = "concept=snow/prompts=snow/shard=000.parquet"
    gone = ["concept=none/prompts=snow/shard=000.parquet", "prompts=snow/shard=001.parquet"]
    gone += ["concept=snow/prompts=snow/.shard=000.parquet.77.part"]
    gone += ["concept=snow/prompts=objects+snow/.shard=001.parquet.damaged"]
    gone += ["concept=x/prompts=no-longer-known/shard=000.parquet"]
    for name in (kept, waited, *gone):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    for name, blurred in (("renamed", False), ("taken-out", True)):
        small = tmp_path.parent / "thumbnails" / f"concept=x/prompts={name}"
        small.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"blurred": [blurred]}).to_parquet(small / "shard=000.parquet")
        large = tmp_path / f"concept=x/prompts={name}"
        large.mkdir(parents=True)
        (large / "shard=000.parquet").write_text("", encoding="utf-8")
    gone.append("concept=x/prompts=taken-out/shard=000.parquet")
    found = unsafe.unblurred(tmp_path, catalogue, {tmp_path / waited})
    assert sorted(found) == sorted(tmp_path / name for name in gone)


def test_small_pictures_that_were_not_blurred_are_found(tmp_path):
    catalogue = Catalogue.model_validate(
        yaml.safe_load((ROOT / "resources/demo/catalogue.yaml").read_text(encoding="utf-8"))
    )
    told = {
        "snow/a": [True, False],
        "snow/b": [True, True],
        "objects/c": [False],
        "snow/d": [False],
    }
    for name, blurred in told.items():
        file = tmp_path / f"prompts={name}.parquet"
        file.parent.mkdir(exist_ok=True)
        pd.DataFrame({"blurred": blurred}).to_parquet(file)
    (tmp_path / "prompts=snow" / "e.parquet").write_text("damaged", encoding="utf-8")
    found = unsafe.sharp(tmp_path, catalogue, {tmp_path / "prompts=snow" / "d.parquet"})
    assert [file.stem for file in found] == ["a", "e"]


def test_a_driver_that_is_refused_holds_nothing(tmp_path):
    with open(tmp_path / driver.FILE, "a", encoding="utf-8") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert not driver.hold(tmp_path) and not driver.hold(tmp_path)
    assert driver.hold(tmp_path) and driver.hold(tmp_path)
    assert driver.is_driven(tmp_path)
    driver.let_go()
    assert not driver.is_driven(tmp_path)


def test_a_running_job_is_told_with_its_last_word(tmp_path, records):
    said = "3 of 8 pictures, 2.00 a second, 1 min left"
    (tmp_path / "norms.log").write_text(
        LOG.format("INFO", "begins") + LOG.format("INFO", said), encoding="utf-8"
    )
    told = progress.states(records, driven=True)
    assert f"Running:\ncalibrate: {said}\n" in progress.text(told, driven=True)


def test_the_terminal_hears_errors_and_now_and_then_a_pace(capsys):
    handler = job.terminal("generate church", every=0)
    log = logging.Logger("job")
    log.addHandler(handler)
    log.info("3 of 8 pictures", extra={"pace": True})
    log.info("a detail")
    log.error("no such layer")
    quiet = logging.Logger("short")
    quiet.addHandler(job.terminal("generate candle"))
    quiet.info("8 of 8 pictures", extra={"pace": True})  # not yet a minute
    told = "generate church: 3 of 8 pictures\ngenerate church: no such layer\n"
    assert capsys.readouterr().err == told
