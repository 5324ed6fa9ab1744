"""What an audit is asked for, and refused for: one line, before any job."""

import shutil
from types import SimpleNamespace

import pytest
import yaml
import zoo
from regrowth.run import audits
from regrowth.run.refusals import Refused
from safetensors.torch import save_file

BESIDE = yaml.safe_load((zoo.ROOT / "config.yaml").read_text(encoding="utf-8"))


def test_what_is_asked_is_taken_out_of_the_study():
    config = {"study": "demo", "checkpoint": "a/My File.ckpt", "concept": "golf ball"}
    asked = audits.asked(config)
    assert config == {"study": "demo"} and asked.base == ""
    assert str(asked.out) == "results/audits/my-file/concept=golf-ball"
    assert audits.asked({}) == audits.Audit() and not audits.Audit().stamps()


def test_a_stamp_changes_with_the_file(tmp_path):
    file = tmp_path / "x.pt"
    file.write_bytes(b"1")
    asked = audits.Audit(str(file), "x")
    before = asked.stamps()
    assert [b[:2] for b in before] == [[str(file), 1]]
    file.write_bytes(b"12")
    assert asked.stamps() != before
    assert audits.Audit(str(tmp_path / "none"), "x").stamps() == []


def with_a(value):
    def change(state):
        state["conv_in.weight"][0, 0, 0, 0] = value
        return state

    return change


REFUSED = {
    "no number": (with_a(float("nan")), "conv_in.weight holds weights that are no numbers"),
    "infinite": (with_a(float("inf")), "conv_in.weight holds weights that are no numbers"),
    "nothing left": (lambda s: {n: w * 0 for n, w in s.items()}, "has nothing left"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_audited_is_refused_before_any_job(tmp_path, what):
    change, said = REFUSED[what]
    save_file(change(zoo.unet()), tmp_path / "x.safetensors")
    with pytest.raises(Refused, match=said):
        audits.refuse(
            audits.Audit(str(tmp_path / "x.safetensors"), "church"), {"audit"}, {}, zoo.ROOT
        )
    assert [f.name for f in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize(
    ("asked", "targets", "said"),
    [
        (audits.Audit(), {"audit"}, "checkpoint= is not said"),
        (audits.Audit("x.pt"), {"audit"}, "concept= is not said"),
        (audits.Audit("x.pt", "church"), {"audit"}, "no x.pt"),
        (audits.Audit("x.pt", "church"), {"all"}, "are an audit's: `snakemake audit"),
        (audits.Audit("x.pt", "church", "", "many"), {"audit"}, "a number of pictures, not 'many'"),
        (audits.Audit(str(zoo.UNET), "a dragon", "", "9"), {"audit"}, "nothing .* of 'a dragon'"),
        (audits.Audit("x.pt", "church", "", "9", "maybe"), {"audit"}, "stop= is 1, or nothing"),
        (audits.Audit("x.pt", "church", "", "", "1"), {"audit"}, "pictures= is not said"),
        (audits.Audit("x.pt", "x", prompts="y"), {"audit"}, "judge= is not: .* needs both"),
        (audits.Audit("x.pt", "x", judge="y"), {"audit"}, "prompts= is not: .* needs both"),
        (audits.Audit("x.pt", "x", prompts="y", judge="z"), {"audit"}, "pictures= is not said"),
        (audits.Audit("x.pt", "a little girl"), {"audit"}, "nobody below eighteen is drawn"),
        (audits.Audit("https://x.org/y.pt", "church"), {"audit"}, "is an address"),
    ],
)
def test_what_is_not_said_is_asked_for(asked, targets, said):
    with pytest.raises(Refused, match=said):
        audits.refuse(asked, targets, BESIDE, zoo.ROOT)


def test_what_is_the_model_as_it_is_is_not_drawn():
    asked = audits.Audit(str(zoo.UNET), "church", "", "9")
    with pytest.raises(Refused, match="has every weight of .* as it is: nothing was erased"):
        audits.refuse(asked, {"audit"}, BESIDE, zoo.ROOT)


def test_a_base_that_is_no_numbers_is_refused_too(tmp_path):
    save_file(with_a(float("nan"))(zoo.unet()), tmp_path / "base.safetensors")
    asked = audits.Audit(str(zoo.UNET), "church", str(tmp_path / "base.safetensors"))
    with pytest.raises(Refused, match="base.safetensors: conv_in.weight holds weights that are no"):
        audits.refuse(asked, {"audit"}, {}, zoo.ROOT)


@pytest.mark.parametrize("pictures", ["", "9"])
def test_no_space_left_is_said_before_any_job(tmp_path, monkeypatch, pictures):
    """A byte less than a card takes, and to be drawn the weights in single precision."""
    monkeypatch.chdir(tmp_path)
    wanted = audits.LEAST + (4 * sum(w.numel() for w in zoo.unet().values()) if pictures else 0)
    free = SimpleNamespace(free=wanted - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    asked = audits.Audit(str(zoo.UNET), "church", "", pictures)
    with pytest.raises(Refused, match=f"^no space left: .* at least {wanted / 1e6:.0f} are wanted"):
        audits.refuse(asked, {"audit"}, BESIDE, zoo.ROOT)
    assert not list(tmp_path.iterdir())


def test_a_study_without_an_audit_is_none_of_its_business():
    audits.refuse(audits.Audit(), {"all"}, {}, zoo.ROOT)
    assert audits.is_asked({"results/audits/x/concept=y/audit.html"})
    assert not audits.is_asked({"all", "results/demo/report.html"})
