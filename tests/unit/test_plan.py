"""What a plan makes of a DAG and of what was measured."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from regrowth.draw import patches
from regrowth.files import keys
from regrowth.files.bits import pack
from regrowth.files.store import write_arrays, write_frame
from regrowth.models import disk
from regrowth.run import cost, plan
from regrowth.study import variants
from snakemake.jobs import Reason
from snakemake.persistence import ParamsChange

ROOT = Path(__file__).resolve().parents[2]
SETS = {
    "objects": {"pictures": 12, "judges": ["objects", "clip"]},
    "church": {"pictures": 5, "judges": ["objects"]},
}
CHANGE = ParamsChange(only_old={"{'ratio': 0.1}"}, only_new={"{'ratio': 0.2}"}, files={"x"})
CELL = keys.path(variants.PRETRAINED | {"variant": "pruned", "prompts": "objects+church"})


def reason(**given) -> Reason:
    out = Reason()
    for name, value in given.items():
        setattr(out, name, value)
    return out


def test_why_names_the_params_that_changed():
    params = {"code": "abc", "eraser": {"ratio": 0.2}}
    assert plan.why(reason(params_changed=CHANGE), params) == "eraser changed"
    gone = ParamsChange(only_old={"'old'"}, only_new=set(), files={"x"})
    assert plan.why(reason(params_changed=gone), params) == "params changed"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"_missing_output": {"x"}, "_updated_input_run": {"y"}}, "new"),
        ({"_updated_input_run": {"y"}}, "input remade"),
        ({"_updated_input": {"y"}}, "input newer"),
        ({"input_changed": True}, "other inputs"),
        ({"code_changed": True}, "code changed"),
        ({"software_stack_changed": True}, "environment changed"),
        ({"forced": True, "_updated_input_run": {"y"}}, "cut off or forced"),
        ({"_missing_output": {"t"}}, "temporary output gone"),
        ({"_missing_output": {"t"}, "_updated_input_run": {"y"}}, "input remade"),
        ({"_missing_output": {"t", "x"}, "params_changed": CHANGE}, "new"),
        ({"forced": True, "_missing_output": {"x"}}, "new"),
    ],
)
def test_why_says_one_thing(given, told):
    assert plan.why(reason(**given), {}, temporary={"t"}) == told


def test_kinds_are_what_takes_alike():
    cell = "concept=church/variant=revived/solver=nuclear/prompts=objects"
    timed = lambda path: cost.timed_as(Path(path))  # noqa: E731
    stored = lambda path: cost.stored_as(Path(path))  # noqa: E731
    assert timed(f"generate/{cell}/shard=000.parquet.tsv") == "generate"
    assert timed(f"score/{cell}/judges=clip/scores.parquet.tsv") == "score clip"
    assert timed(f"complete/{cell}/part=00.tsv") == "complete nuclear"
    assert timed("resolve.tsv") == "resolve"
    assert stored(f"scores/{cell}/judges=clip/scores.parquet") == "scores clip"
    assert stored(f"patches/{cell}/patch.safetensors") == "patches revived"
    assert stored("report.html") == "report"


def test_pictures_are_the_shard_s_or_those_the_judge_sees():
    cell = {"variant": "pruned", "prompts": "objects+church"}
    shards = [plan.pictures_of(cell | {"shard": f"{i:03d}"}, SETS, 7) for i in range(3)]
    assert shards == [7, 7, 3]
    assert plan.pictures_of(cell | {"judges": "objects"}, SETS, 7) == 17
    assert plan.pictures_of(cell | {"judges": "clip+objects"}, SETS, 7) == 17
    assert plan.pictures_of(cell | {"judges": "clip"}, SETS, 7) == 12
    assert plan.pictures_of({"variant": "revived", "solver": "nuclear"}, SETS, 7) == 0


@pytest.mark.parametrize("text", ["", "s\th:m:s\n", "s\n-\n", "h:m:s\n0:00:01\n"])
def test_a_benchmark_without_seconds_is_unknown(tmp_path, text):
    (tmp_path / "x.tsv").write_text(text, encoding="utf-8")
    assert np.isnan(cost.seconds_of(tmp_path / "x.tsv"))
    assert np.isnan(cost.seconds_of(tmp_path / "none.tsv"))


def frame(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=cost.MEASURED)


def test_an_estimate_scales_from_the_first_that_measured_the_like():
    wanted = frame(("generate", "m", 100, 0), ("generate", "m", 50, 0), ("mask", "m", 1, 0))

    def tables():
        yield "here", frame(("generate", "m", 50, 10), ("generate", "m", 50, 20))
        yield "there", frame(("generate", "m", 50, 999), ("mask", "m", 1, 4))
        raise AssertionError("nothing is missing any more")

    told = cost.estimate(wanted, tables(), {})
    assert list(told["low"]) == [15, 15, 4] and list(told["high"]) == [30, 15, 4]
    assert list(told["source"]) == ["here", "here", "there"]
    assert plan.total(told, plan.duration) == "34–49 s"


def test_another_model_s_times_do_not_count():
    wanted = frame(("generate", "m", 100, 0), ("mask", "m", 1, 0))
    told = cost.estimate(
        wanted, [("x", frame(("generate", "other", 1, 1), ("mask", "m", 1, 3)))], {}
    )
    assert np.isnan(told["high"][0]) and told["high"][1] == 3
    assert plan.total(told, plan.duration) == "3 s + ?"
    assert plan.total(told[:1], plan.duration) == "unknown"


@pytest.mark.parametrize(
    ("measured", "units", "low", "high"),
    [
        ([(10, 5)], 30, 5, 15),  # of one size: all of it may be the start, or none
        ([(10, 5)], 4, 2, 5),
        ([(10, 5), (10, 7)], 10, 6, 6),
        ([(10, 5), (20, 7)], 40, 11, 11),  # three seconds, and a fifth for each
        ([(10, 5), (20, 7)], 100, 6, 40),  # too far from what was measured
        ([(10, 7), (20, 5)], 40, 6, 6),
        ([(10, 1), (20, 5)], 40, 8, 8),
    ],
)
def test_a_job_takes_its_start_and_its_size(measured, units, low, high):
    table = frame(*(("score clip", "m", *one) for one in measured))
    told = cost.estimate(frame(("score clip", "m", units, 0)), [("x", table)], {})
    assert (told["low"][0], told["high"][0]) == pytest.approx((low, high))


def test_images_grow_with_the_pictures_alone():
    told = cost.estimate(frame(("images", "m", 30, 0)), [("x", frame(("images", "m", 10, 5)))], {})
    assert told["low"][0] == told["high"][0] == 15


def test_nothing_wanted_is_nothing():
    told = cost.estimate(frame(), [], {})
    assert plan.total(told, plan.size) == "0 B"


def test_amounts_are_short():
    assert [plan.duration(s) for s in (0.2, 99, 100, 5000, 7200)] == [
        *("0 s", "99 s", "2 min", "83 min", "2.0 h")
    ]
    assert [plan.size(b) for b in (0, 999, 1000, 9960, 123_456, 2.5e9, 4e12)] == [
        *("0 B", "999 B", "1.0 kB", "10 kB", "123 kB", "2.5 GB", "4.0 TB")
    ]


@pytest.fixture
def begun(tmp_path) -> Path:
    """A study of four steps: one shard of three pictures, judged by a detector, and a mask."""
    out = tmp_path / "results" / "begun"
    out.mkdir(parents=True)
    (out / "model.yaml").write_text(
        yaml.safe_dump({"digest": "m", "sampler": {"steps": 4}}), encoding="utf-8"
    )
    rows = pd.DataFrame({"prompt_set": "objects", "prompt": "p", "seed": range(3)})
    image = {"bytes": b"\x89PNG" + bytes(996), "path": None}
    about = {"model": "m", "device": "cpu"}
    for stage in ("images", "thumbnails"):
        file = out / stage / CELL / "shard=000.parquet"
        write_frame(file, rows.assign(image=[image] * 3), **about)
    scores = out / "scores" / CELL / "judges=objects" / "scores.parquet"
    write_frame(scores, pd.concat([rows, rows[:1]]))
    for path, seconds in {
        f"generate/{CELL}/shard=000.parquet": 24,
        f"score/{CELL}/judges=objects/scores.parquet": 6,
        f"score/{CELL}/judges=clip/scores.parquet": 1,  # its scores are gone
        "mask/concept=church/eraser=conceptprune/part=00": 2,
    }.items():
        file = out / "benchmarks" / f"{path}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"s\th:m:s\n{seconds}\t0:00:00\n", encoding="utf-8")
    return out


def test_what_a_study_measured(begun):
    told = cost.measured(begun, {}, "png")
    times = {row.kind: (row.units, row.amount) for row in told.times.itertuples()}
    assert times == {"generate": (12, 24), "score objects": (3, 6), "mask": (1, 2)}
    assert set(told.times["model"]) == {"m"} and told.devices == ("cpu",)
    assert set(told.sizes["kind"]) == {"images", "thumbnails", "scores objects"}
    assert set(told.sizes["units"]) == {3}
    assert set(cost.measured(begun, {}, "webp").sizes["kind"]) == {"scores objects"}


@pytest.mark.parametrize("held", ["", "a: [", "[]", "sampler: 3", "\0"])
def test_a_study_that_is_damaged_measured_nothing(begun, held):
    (begun / "model.yaml").write_text(held, encoding="utf-8")
    told = cost.measured(begun, {}, "png")
    assert told.times.empty and told.sizes.empty and list(told.times.columns) == cost.MEASURED
    jobs = pd.DataFrame([("mask", "m", 1, np.nan)], columns=cost.MEASURED)
    assert cost.estimate(jobs, [("begun", told.times)], {})["high"].isna().all()


def test_a_file_that_is_damaged_measured_nothing(begun):
    for stage in ("images", "scores"):
        for file in (begun / stage).rglob("*.parquet"):
            file.write_bytes(file.read_bytes()[:200])
    assert list(cost.measured(begun, {}, "png").times["kind"]) == ["mask"]


def test_steps_that_no_one_tells_leave_the_time_unknown(begun):
    (begun / "model.yaml").write_text(
        yaml.safe_dump({"digest": "m", "sampler": {"steps": None}}), encoding="utf-8"
    )
    assert "generate" not in set(cost.measured(begun, {}, "png").times["kind"])
    assert cost.measured(begun, {"m": 10}, "png").times["units"].max() == 30


def record(rule, outputs, why="new", gpu=0, **wildcards) -> dict:
    first = outputs[0].relative_to(outputs[0].parents[-2])
    return {
        "rule": rule,
        "why": why,
        "gpu": gpu,
        "threads": 2,
        "wildcards": wildcards,
        "sampling": {"steps": 10, "model": "m"} if rule == "generate" else None,
        "eraser": None,
        "benchmark": str(Path(*outputs[0].parts[:2], "benchmarks", rule, f"{first.name}.tsv")),
        "outputs": list(map(str, outputs)),
    }


@pytest.fixture
def planned(begun, monkeypatch):
    """A study that nobody began, beside one that was: its jobs, files and estimates."""
    monkeypatch.chdir(begun.parents[1])
    out = Path("results/new")
    cell = {"variant": "pruned", "prompts": "objects+church"}
    records = [
        record("mask", [out / "masks" / "part=00.safetensors"]),
        record("generate", [out / "images/shard=000.parquet"], gpu=1, shard="000", **cell),
        record("generate", [out / "images/shard=001.parquet"], gpu=1, shard="001", **cell),
        record("tables", [out / "tables" / "a.csv"], why="names changed"),
        record("tables", [out / "tables" / "b.csv"], why="input remade"),
    ]
    jobs, files = plan.jobs_of(records, out, "m", SETS, 12)
    studies = cost.Studies(out, {"m": 10}, "png")
    hours = cost.estimate(jobs[jobs["why"] != ""], studies.times(jobs), {})
    sizes = cost.estimate(files[files["why"] != ""], studies.sizes(files), {"masks": (0, 7)})
    return jobs, files, hours, sizes, studies


def test_times_come_from_another_study_of_the_same_model(planned):
    jobs, _, hours, _, studies = planned
    # 24 s for 12 image-steps; two jobs with 17 pictures of 10 steps: many times as large
    made = hours[hours["rule"] == "generate"]
    assert (made["low"].sum(), made["high"].sum()) == (48, 340)
    text = plan.jobs_text(jobs, hours, studies.device, {})
    assert "GPU-hours  0.01–0.09 (generate)\nCPU-hours  0.00 + ? (all others)\n" in text
    assert "timed in   results/begun (cpu): mask, generate" in text
    assert "tables" in text.split("unknown    ")[1]
    assert "1 × names changed, 1 × input remade" in text


def test_drawing_that_nobody_measured_is_told_from_what_others_state():
    """By GPU, of those pictures alone; nobody stated anything of another size."""
    columns = ["kind", "units", "high"]
    rows = [
        ("generate", 600, np.nan),
        ("generate", 400, np.nan),
        ("generate", 9e9, 1),
        ("mask", 1, 1),
    ]
    told = cost.stated(pd.DataFrame(rows, columns=columns), 512)
    assert told == {gpu: pytest.approx(20 / rate) for gpu, rate in cost.STATED.items()}
    assert {"H100", "A100", "RTX 4090", "T4"} <= told.keys()
    assert cost.stated(pd.DataFrame(rows, columns=columns), 64) == {}
    assert cost.stated(pd.DataFrame(rows[2:], columns=columns), 512) == {}


def test_a_plan_says_that_stated_hours_were_not_measured_here(planned):
    jobs, _, hours, _, studies = planned
    text = plan.jobs_text(jobs, hours, studies.device, {"H100": 90, "T4": 7200})
    assert "stated     drawing takes H100 90 s, T4 2.0 h, as others timed it; not measured" in text


def test_sizes_come_from_files_or_shapes(planned):
    _, files, _, sizes, _ = planned
    text = plan.disk_text(files, sizes, free=10**9)
    told = {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines()}
    image = (Path("results/begun/images") / CELL / "shard=000.parquet").stat().st_size
    assert told["images"] == f"0 B {plan.size(image / 3 * 17)} results/begun"
    assert told["masks"] == "0 B ≤7 B shapes"
    assert told["all"] == "others 0 B unknown"
    assert told["in"].endswith("+ ? 1.0 GB are free")
    assert "This does not fit on the disk." in plan.disk_text(files, sizes, free=10)


def test_a_finished_study_has_nothing_to_do(planned):
    jobs, files, hours, sizes, studies = planned
    done = plan.jobs_text(jobs.assign(why=""), hours[:0], studies.device, {})
    assert done.endswith("Nothing to do.") and "GPU" not in done
    text = plan.disk_text(files.assign(why="", amount=[500.0] * 4 + [np.nan]), sizes[:0], 10**9)
    assert text.splitlines()[-1].split() == "in all 2.0 kB 2.0 kB 1.0 GB are free".split()


def test_every_line_fits_in_a_hundred_columns(planned):
    jobs, files, hours, sizes, studies = planned
    many = [f"a-parameter-{i} changed" for i in range(len(hours))]
    cells = [
        variants.PRETRAINED | {"concept": f"concept-{i}", "prompts": "objects"} for i in range(40)
    ]
    stated = dict.fromkeys(cost.STATED, 36e4)
    texts = [
        plan.cells_text("new", cells, SETS, jobs),
        plan.jobs_text(jobs, hours.assign(why=many, rule="tables"), studies.device, stated),
        plan.disk_text(files, sizes, 10**12),
    ]
    for line in "\n".join(texts).splitlines():
        assert len(line) <= plan.WIDTH and line == line.rstrip()


def test_shapes_tell_the_sizes_that_files_have(tmp_path):
    folder = ROOT / "resources" / "demo" / "model"
    parts = list(disk.parts(disk.attacked_layers(folder, "ffn2"), 16).values())
    known = cost.shapes(parts, folder, density=0.3)
    weights = disk.read_weights(parts[0])
    rng = np.random.default_rng(0)
    missing = {name: rng.random(w.shape) < 0.3 for name, w in weights.items()}
    made = {"masks": {}, "released": weights, "patches revived": {}}
    for name, w in weights.items():
        mask = missing[name]
        made["masks"][name] = pack(mask)
        made["patches revived"] |= patches.values_patch(name, mask, w[mask].astype(np.float32))
    for kind, arrays in made.items():
        write_arrays(tmp_path / "x.safetensors", arrays)
        _, amount = known[kind]
        header = 150 * len(arrays)
        assert (tmp_path / "x.safetensors").stat().st_size == pytest.approx(
            amount, rel=0.02, abs=header
        )
    assert known["images"][1] == 3 * 64**2


def test_the_densest_mask_is_the_ratio_at_every_step():
    erasers = [{"ratio": 0.02, "steps": 10}, {"ratio": 0.18, "steps": 6}, None]
    assert cost.densest([{"eraser": e} for e in erasers]) == 1.0
    assert cost.densest([{"eraser": e} for e in erasers[:1]]) == pytest.approx(0.2)
    assert cost.densest([{"eraser": {"share": 0.1}}]) == 1.0


def test_format_is_read_from_the_first_picture(tmp_path):
    for name, magic in {"png": b"\x89PNG", "webp": b"RIFF"}.items():
        table = pa.table({"image": [{"bytes": magic, "path": None}]})
        pq.write_table(table, tmp_path / "x.parquet")
        assert cost.format_of(tmp_path / "x.parquet") == name
