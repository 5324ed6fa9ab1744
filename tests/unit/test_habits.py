"""What says something about the repository, and would go on saying it: links, targets, versions."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
#: Every page but what a run, an environment or a cache has made.
TEXTS = sorted(
    file
    for top in ROOT.glob("[!.]*")
    if top.name != "results"
    for file in ([top] if top.suffix == ".md" else top.rglob("*.md"))
)
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT.get("project", {})


def read(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def prose(file):
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", file.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(file):
    """The names that GitHub gives a page's headings."""
    heads = re.findall(r"^#+ (.+)$", prose(file), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken(file):
    """Links of a page to files, and to headings in pages, that are not there."""
    found = []
    for link in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", prose(file)):
        path, _, anchor = link.partition("#")
        to = file.parent / path if path else file
        if not to.exists() or (anchor and anchor not in anchors(to)):
            found.append(link)
    return found


@pytest.mark.parametrize("file", TEXTS, ids=lambda f: str(f.relative_to(ROOT)))
def test_every_link_leads_somewhere(file):
    assert not broken(file)


def test_a_link_to_nowhere_is_found(tmp_path):
    (tmp_path / "there.md").write_text("# Only *this*, one\n", encoding="utf-8")
    links = "[a](there.md#only-this-one) [b](there.md#another) [c](gone.md) [d](https://x.org/y)"
    (tmp_path / "page.md").write_text(f"{links} [e](#page)\n# Page\n", encoding="utf-8")
    assert broken(tmp_path / "page.md") == ["there.md#another", "gone.md"]


def test_every_file_that_a_page_names_is_there():
    """From the top, or from where `regrowth` lies."""
    tops = "benchmarks|config|docs|envs|profiles|regrowth|resources|rules|tests|workflow_scripts"
    path = re.compile(rf"`((?:{tops})/[\w./-]*)`")
    named = {(f.name, to) for f in TEXTS for to in path.findall(f.read_text(encoding="utf-8"))}
    assert ("CONTRIBUTING.md", "tests/mutants.py") in named
    roots = (ROOT, ROOT / "workflow_scripts")
    assert not {(page, to) for page, to in named if not any((r / to).exists() for r in roots)}


def test_the_top_level_holds_what_belongs_there_and_no_more():
    """A file that was downloaded or tried there is soon committed with the rest."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no clone")
    folders = "benchmarks .ci config docs envs .github profiles resources rules tests"
    files = "CHANGELOG.md CITATION.cff config.yaml CONTRIBUTING.md .gitignore LICENSE Makefile"
    files += " NOTICE.md .pre-commit-config.yaml pyproject.toml README.md requirements-alone.txt"
    files += " requirements.txt Snakefile .snakemake-workflow-catalog.yml"
    tops = {name.partition("/")[0] for name in listed.stdout.splitlines()}
    assert tops == {*folders.split(), *files.split(), "workflow_scripts"}


def test_every_rule_that_asks_for_a_gpu_is_told_to_clusters():
    rules = "\n".join(f.read_text(encoding="utf-8") for f in (ROOT / "rules").glob("*.smk"))
    asking: set[str] = set()
    for told in re.split(r"^ *(?=(?:use )?rule )", rules, flags=re.M)[1:]:
        base, name = re.match(r"(?:use rule (\w+) as|rule) (\w+)", told).groups()
        if " gpu=" in told or (base in asking and "resources:" not in told):
            asking.add(name)
    page = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^  They are (.*?)\n\n", page, re.M | re.S)
    assert {"generate_unsafe", "score"} <= asking == set(re.findall(r"`(\w+)`", listed))


def test_every_target_that_is_named_is_in_the_makefile():
    assert {"test", "lint", "demo"} <= TARGETS
    called = re.compile(r"(?:`|^)make ([a-z][\w-]*)", re.M)
    named = {(f.name, to) for f in TEXTS for to in called.findall(f.read_text(encoding="utf-8"))}
    assert ("README.md", "demo") in named
    assert not {(page, target) for page, target in named if target not in TARGETS}


def test_a_commit_is_held_to_what_make_lint_says():
    (repo,) = read(".pre-commit-config.yaml")["repos"]
    (hook,) = repo["hooks"]
    assert (repo["repo"], hook["entry"], hook["language"]) == ("local", "make lint", "system")
    assert hook["always_run"] and not hook["pass_filenames"]


def test_ci_calls_the_makefile_alone_on_the_oldest_python_and_newer():
    (job,) = read(".github/workflows/test.yml")["jobs"].values()
    commands = [step["run"].split() for step in job["steps"] if "run" in step]
    assert commands and all(c[0] == "make" and c[1] in TARGETS for c in commands)
    pythons = job["strategy"]["matrix"]["python"]
    (oldest,) = (
        pin.removeprefix("python=")
        for pin in read("envs/regrowth.yaml")["dependencies"]
        if str(pin).startswith("python=")
    )
    assert pythons[0] == oldest and all(isinstance(python, str) for python in pythons)
    assert PROJECT.get("requires-python", f">={oldest}").split(",")[0] == f">={oldest}"
    assert f"Python {oldest} or newer" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert PYPROJECT["tool"]["mypy"]["python_version"] == oldest


def test_types_are_checked_of_modules_that_are_there():
    """mypy says nothing of a name in its settings that is no module's."""
    named = [name for part in PYPROJECT["tool"]["mypy"]["overrides"] for name in part["module"]]
    paths = [name.removesuffix(".*").replace(".", "/") for name in named]
    own = [ROOT / "workflow_scripts" / path for path in paths if path.startswith("regrowth/")]
    assert own and all(at.is_dir() or at.with_suffix(".py").is_file() for at in own)


def test_one_version_is_cited_told_and_installed():
    cited = read("CITATION.cff")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest, when = re.search(r"^## \[([\d.]+)\] - (\S+)$", changes, re.M).groups()
    assert cited["version"] == newest == PROJECT.get("version", newest)
    assert (when == "unreleased") != ("date-released" in cited)


def test_the_citation_has_what_its_form_asks_for():
    cited = read("CITATION.cff")
    assert cited["cff-version"] == "1.2.0" and cited["license"] == "MIT" and cited["message"]
    for work in (cited, *cited["references"]):
        assert work["title"] and work["type"]
        assert all(a.get("name") or a.get("family-names") for a in work["authors"])
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_every_study_and_every_decision_stands_in_its_list():
    studies = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    assert all(f"]({file.name})" in studies for file in (ROOT / "config").glob("*.yaml"))
    decisions = (ROOT / "docs" / "design" / "README.md").read_text(encoding="utf-8")
    records = sorted((ROOT / "docs" / "design").glob("[0-9]*.md"))
    assert records and all(f"]({file.name})" in decisions for file in records)
