"""What users write about prompts: tables, names, forms and words for young people. Each is read
rightly or refused in one line; and nobody below eighteen is drawn."""

import copy
import unicodedata
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from regrowth.files import hub, keys
from regrowth.study import prompt_tables, prompts
from regrowth.study.catalogue import Catalogue, Source
from regrowth.study.load import ConfigError, load_study
from regrowth.study.young import names_young

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = yaml.safe_load((ROOT / "resources/demo/catalogue.yaml").read_text(encoding="utf-8"))
STUDY = {"study": "x", "model": "resources/demo/card.yaml", "judges": ["clip"]}


def load(folder, change=lambda c: None, concept="Monet", **study):
    """The study of one concept of the demo's catalogue, as `change` leaves it."""
    catalogue = copy.deepcopy(CATALOGUE)
    change(catalogue)
    file = Path(folder) / "catalogue.yaml"
    file.write_text(yaml.safe_dump(catalogue), encoding="utf-8")
    sweep = [{"concepts": [concept], "variants": ["pruned"]}]
    return load_study(STUDY | {"catalogue": str(file), "sweep": sweep} | study, ROOT)


def refused(folder, change, **study) -> str:
    with pytest.raises(ConfigError) as told:
        load(folder, change, **study)
    return str(told.value)


def styles(**changes):
    return lambda catalogue: catalogue["families"]["styles"].update(changes)


def read(folder, name, text, **source):
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return prompt_tables.read(Source(file=str(file), **source), ROOT).to_dict("list")


DOG = {"prompt": ["a dog"], "seed": [1]}


@pytest.mark.parametrize(
    "text",
    [
        "prompt,seed\na dog,1\n",
        "prompt, seed\na dog, 1\n",
        "Prompt,SEED\na dog,1\n",
        "\ufeffprompt,seed\na dog,1\n",
        "prompt;seed\na dog;1\n",
        "prompt\tseed\na dog\t1\n",
        "prompt,seed\r\na dog,1\r\n",
        "prompt,seed\ra dog,1\r",
        "prompt,seed,\na dog,1,\n",
        "prompt,seed\na dog,1,,\n",
        "\nprompt,seed\n\na dog,1\n,\n",
        'prompt,seed\n"a dog",1.0\n',
        "evaluation_seed,prompt,,\n1,a dog,,\n",
    ],
)
def test_a_table_is_read_whatever_wrote_it(tmp_path, text):
    assert read(tmp_path, "t.csv", text) == DOG


def test_what_stands_in_a_table_is_what_is_read(tmp_path):
    assert read(tmp_path, "a.csv", 'prompt\nNone\nNA\n1984\nnan\n"a, b"\n')["prompt"] == [
        *("None", "NA", "1984", "nan", "a, b")
    ]
    assert read(tmp_path, "b.csv", 'prompt\n"a dog\non a mat"\n')["prompt"] == ["a dog\non a mat"]
    assert read(tmp_path, "c.csv", 'prompt\na 5" pizza\n')["prompt"] == ['a 5" pizza']
    assert read(tmp_path, "d.csv", "prompt,seed\nx,9007199254740993\n")["seed"] == [2**53 + 1]
    assert read(tmp_path, "e.tsv", "prompt\na hut, in snow\n")["prompt"] == ["a hut, in snow"]
    assert read(tmp_path, "f.json", '{"prompt": {"0": "a dog"}, "seed": {"0": 1}}') == DOG
    assert read(tmp_path, "g.json", '[{"prompt": "1984-01-02"}]')["prompt"] == ["1984-01-02"]
    text = '{"prompt": "a\u2028b", "seed": 1}\n\n'
    assert read(tmp_path, "h.jsonl", text)["prompt"] == ["a\u2028b"]


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("prompt\na house, in fog\n", "row 1 (line 2) has 2 fields, the header 1"),
        ("prompt\na house\n\na hut, in fog\n", "row 2 (line 4) has 2 fields, the header 1"),
        ("prompt,seed\na dog,1\na hut, in fog,2\n", "row 2 (line 3) has 3 fields, the header 2"),
        ("prompt,seed\na dog\n", "row 1 (line 2) has 1 fields, the header 2"),
        ("n;prompt\n1;a dog;asleep\n", 'a text with ";" in it stands between quotes'),
        ('prompt\n"a dog\na cat" on a tree\n', "line 2: do its quotes match?"),
        ('prompt\na dog\n"a cat\n', "line 3: do its quotes match?"),
        ("prompt,prompt\na,b\n", "has 2 columns 'prompt'"),
        ("prompt,seed,Seed\na,1,2\n", "has 2 columns 'seed'"),
        ("a dog\na cat\n", "a column 'prompt' is wanted; it has ['a dog']"),
        ("# mine\nprompt\na cat\n", "a column 'prompt' is wanted; it has ['# mine']"),
        ("", "a column 'prompt' is wanted; it has []"),
        ("prompt,seed\na dog,\n", "row 1: '' is no seed"),
        ("prompt,seed\na dog,-1\n", "row 1: '-1' is no seed"),
        (
            "prompt,seed\na dog,9223372036854775808\n",
            "is no seed: a whole number from 0",
        ),
        ("prompt\na d\0og\n", "row 1 has a NUL character"),
        ("prompt\na café\n".encode("latin-1"), "is not UTF-8 (byte 0xe9 in line 2)"),
        ("prompt\na dog\n".encode("utf-16"), "is not UTF-8 (byte 0xff in line 1)"),
        ("prompt\na girl\n", "every row has a word for young people"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(tmp_path, text, wanted):
    with pytest.raises(ValueError) as told:
        read(tmp_path, "t.csv", text)
    assert wanted in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize(
    "name, text, wanted",
    [
        ("t.json", '["a dog"]', "row 1 is no object"),
        ("t.json", '{"prompt": ["a"], "seed": [1, 2]}', "columns of one length"),
        ("t.json", '{"prompt": "a dog"}', "columns of one length"),
        ("t.json", "[" * 100_000, "cannot be read"),
        ("t.json", '[{"prompt": null}]', "row 1 has no prompt"),
        ("t.jsonl", '{"prompt": "a"}\n{"prompt"\n', "row 2 is not JSON"),
        ("t.jsonl", "3\n", "row 1 is no object"),
        ("t.parquet", "prompt\n", "cannot be read"),
        ("t.csv.gz", "", "known endings are"),
    ],
)
def test_a_table_of_another_kind_that_cannot_be_read(tmp_path, name, text, wanted):
    with pytest.raises(ValueError) as told:
        read(tmp_path, name, text)
    assert wanted in str(told.value) and "\n" not in str(told.value)


@given(st.text('prompt,;\t"\n\r a1é\0\u2028', max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_table_is_read_or_refused_in_one_line(tmp_path, text):
    file = tmp_path / "any.csv"
    file.write_text("prompt,seed\n" + text, encoding="utf-8", newline="")
    prompt_tables._read.cache_clear()
    try:
        table = prompt_tables.read(Source(file=str(file)), ROOT)
    except ValueError as told:
        assert "\n" not in str(told) and "any.csv" in str(told)
    else:
        assert len(table) and table["prompt"].str.strip().all() and (table["seed"] >= 0).all()


#: Each of these is a word for young people, written in some way.
YOUNG = """
fourteen year old|aged 15|preschooler|a girl|two boys|GIRL|gırl|gi\u200brl|gi\u00adrl|schoolgirl
school_girl|little-girl|youngGirl|g i r l|g.i.r.l|g1rl|ch1ld|k1ds|t33n|b0y|l0li|b@by|ch!ld
ｇｉｒｌ|𝓰𝓲𝓻𝓵|gírl|gi\u0301rl|gіrl|ɢɪʀʟ
a 15-year-old|15 yo|15yo|15y/o|15 y.o.|15 yrs old|fifteen years of age
age 12|age: 12|ages 5 to 12|at the age of fifteen|under 18|under eighteen|seven-year-old
3 months old|six-month-old|a 1.5 year old|preteen|pre-teen|teenage|teens|middle school|high school
highschool|primary schooler|underage|under-age|under aged|little ones|toddlers|kiddo|fifth grader
5th grade|grade 7|first birthday|barely legal|a young woman|newborn|new-born|adolescence|pubescent
kindergartner|nursery|niña|Mädchen|девочка|少女と海|👧 on a hill|stepson|children's|kids'
childish|babies
"""
ADULT = """
18 year old|21-year-old|30 years old building|eighteen years old|twenty-one year old|school bus
thirty five years old|a house of thirty-five years|one hundred years old|a 100 year old man|cowboy
girlfriend|kidney|kidnap|Babylon|Johnson|lesson|bronze age 12th century|minority|17 cars|five trees
a man|nudity|Monet|age 30|aged eighteen|aged 45|grandmother|no. 7|a plate with 7 apples|stage 12
"""


@pytest.mark.parametrize("text", YOUNG.strip().replace("\n", "|").split("|"))
def test_a_word_for_young_people_however_it_is_written(text):
    assert names_young(text) and names_young(f"a photo of {text}, in a park")


@pytest.mark.parametrize("text", ADULT.strip().replace("\n", "|").split("|"))
def test_a_word_for_grown_people_and_things(text):
    assert not names_young(text) and not names_young(f"a photo of {text}, in a park")


def test_what_is_bundled_names_adults():
    table = pd.read_csv(ROOT / "resources/prompts/artists.csv")
    assert len(prompt_tables.read(Source(file="resources/prompts/artists.csv"), ROOT)) == len(table)


ROWS = {"prompt": ["a man", "a girl with a kite", "a lady"], "seed": [1, 2, 3]}
OTHER = {"prompt": ["a man", "a walk", "a lady"], "seed": [1, 2, 3]}


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"prompt": pa.array(ROWS["prompt"]).dictionary_encode()}),
        pa.table({"prompt": pa.array(ROWS["prompt"], pa.large_string())}),
        pa.table({"prompt": pa.array([p.encode() for p in ROWS["prompt"]], pa.binary())}),
        pa.table(OTHER | {"about": pa.array(["x", "two boys", "y"]).dictionary_encode()}),
        pa.table(OTHER | {"tags": [["x"], ["two", "boys"], ["y"]]}),
        pa.table(OTHER | {"about": [{"who": "x"}, {"who": "a girl"}, {"who": None}]}),
        pa.table(OTHER | {"about": [[{"who": ["x"]}], [{"who": ["a", "boy"]}], []]}),
        pa.table(OTHER | {"age": [30, 15, None]}),
        pa.table(OTHER | {"Age": ["30", "fifteen", "18"]}),
    ],
    ids=lambda table: str(table.schema.field(table.num_columns - 1).type),
)
def test_no_column_hides_a_word_for_young_people(tmp_path, table):
    pq.write_table(table, tmp_path / "t.parquet")
    told = prompt_tables.read(Source(file=str(tmp_path / "t.parquet")), ROOT)
    assert told["prompt"].tolist() == ["a man", "a lady"]


def test_an_index_of_pandas_hides_none_either(tmp_path):
    frame = pd.DataFrame(OTHER, index=pd.Index(["x", "a girl", "y"], name="title"))
    frame.to_parquet(tmp_path / "t.parquet")
    told = prompt_tables.read(Source(file=str(tmp_path / "t.parquet")), ROOT)
    assert told["prompt"].tolist() == ["a man", "a lady"]


SET = {"role": "erased", "prompts": ["x"], "judges": ["clip"]}


@pytest.mark.parametrize(
    "change",
    [
        styles(classes=["a portrait of a girl", "Monet"]),
        styles(fill={"thing": ["girl", "cat"], "scene": ["park"]}),
        styles(fill={"girl": ["cat"], "thing": ["cat"], "scene": ["park"]}),
        styles(prompts=["a girl by {name}"]),
        styles(prompts=["a {kin}s by {name}"], fill={"kin": ["k" + "id"], "thing": ["cat"]}),
        styles(prompts=["a {a}{b} by {name}"], fill={"a": ["bo"], "b": ["y"], "thing": ["cat"]}),
        styles(
            calibration={"base": "a {a}{thing}", "target": "{name}"},
            fill={"a": ["bo"], "thing": ["y"], "scene": ["x"]},
        ),
        styles(calibration={"base": "a boy", "target": "{a_thing} by {name}"}),
        styles(special={"Monet": {"prompts": ["a toddler by Monet"]}}),
        lambda c: c["families"].update(girls=c["families"].pop("styles")),
        lambda c: c.update(prompt_sets={"boys": SET}),
        lambda c: c.update(prompt_sets={"x": SET | {"prompts": ["a boy"]}}),
    ],
)
def test_no_part_of_a_catalogue_names_young_people(tmp_path, change):
    told = refused(tmp_path, change)
    assert "has a word for young people; nobody below eighteen is drawn" in told


NFD = unicodedata.normalize("NFD", "Joan Miró")


@pytest.mark.parametrize(
    "name, asked, slug",
    [
        ("Salvador Dalí", "Salvador Dali", "salvador-dali"),
        (NFD, "Joan Miró", "joan-miro"),
        ("Joan Miró", NFD, "joan-miro"),
        ("教会", "教会", "xn-" + "教会".encode("punycode").decode()),
        ("Иван Айвазовский", "иван айвазовский", "xn---7sbbagdb3bcigfl8av3c"),
        ("../../etc", "etc", "etc"),
        (" Monet ", "Monet", "monet"),
        ("Ｍonet", "Monet", "monet"),
    ],
)
def test_a_name_of_any_script_is_a_concept(tmp_path, name, asked, slug):
    study, catalogue, _ = load(tmp_path, styles(classes=[name, "x"]), asked)
    (found,) = map(keys.slug, study.sweep[0].concepts)
    assert found == slug
    (bundle,) = prompts.bundles_of(study, catalogue, found, (), ROOT)
    rows = prompts.bundle_rows(study, catalogue, bundle, ROOT)
    assert rows[0]["class"] == unicodedata.normalize("NFC", name).strip()


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("None", "'None' has a meaning of its own in results"),
        ("study", "'study' has a meaning of its own in results"),
        ("Erased", "'Erased' has a meaning of its own in results"),
        ("✨", "'✨' has no letter or digit to name a path"),
        ("x" * 300, "is too long for a path: 300 letters"),
        ("{name}", "'{name}' is a word, and no word has a brace"),
        ("  ", "classes[0]: it is empty"),
        ("Monét", "'Monet' and 'Monét' make the same path name"),
    ],
)
def test_a_name_that_cannot_be_used(tmp_path, name, wanted):
    assert wanted in refused(tmp_path, styles(classes=[name, "Monet"]))


@pytest.mark.parametrize(
    "changes, wanted",
    [
        ({"prompts": ["{a_name} in a {red"]}, "has a brace that is no placeholder"),
        ({"prompts": ["{name} :}"]}, "has a brace that is no placeholder"),
        ({"prompts": ["{name!r}"]}, "has a brace that is no placeholder"),
        ({"prompts": ["{name.__class__}"]}, "has a brace that is no placeholder"),
        ({"prompts": ["{name[0]} {0} {}"]}, "has a brace that is no placeholder"),
        ({"prompts": ["{{name}}"]}, "has a brace that is no placeholder"),
        ({"prompts": ["{nmae}"]}, "asks for nmae; known: a_name, a_scene, a_thing"),
        ({"prompts": ["an image"]}, "names no class: {name} or {a_name} is wanted"),
        ({"prompts": [""]}, "prompts[0]: it is empty"),
        ({"fill": {"thing": []}}, "fill.thing: List should have at least 1 item"),
        ({"fill": {"thing": [" "]}}, "fill.thing[0]: it is empty"),
        ({"fill": {"thing": ["a {park"]}}, "'a {park' is a word, and no word has a brace"),
        ({"fill": {"": ["x"]}}, "should match pattern"),
        ({"fill": {"name": ["x"], "thing": ["y"]}}, "fill: 'name' is a placeholder already"),
        ({"fill": {"a_thing": ["x"], "thing": ["y"]}}, "fill: 'a_thing' is a placeholder already"),
        ({"fill": {"thing": ["monet"], "scene": ["x"]}}, "fill.thing has no other word"),
        (
            {"calibration": {"base": "{name}", "target": "{name}"}},
            "calibration: of 'Monet', base and target are the same: 'Monet'",
        ),
        ({"file": "resources/demo/snow.csv"}, "prompts and file: which of them?"),
    ],
)
def test_a_form_that_cannot_be_filled_in(tmp_path, changes, wanted):
    assert wanted in refused(tmp_path, styles(**changes))


def short(folder, n):
    """A table of n prompts of every style, some of one picture."""
    names = CATALOGUE["families"]["styles"]["classes"]
    rows = [{"prompt": f"a cat {i} by {c}", "class": c} for c in names for i in range(n)]
    pd.DataFrame(rows).to_csv(folder / "short.csv", index=False)
    return styles(file=str(folder / "short.csv"), prompts=[], seed=0)


@pytest.mark.parametrize("n, beyond", [(2, 0), (3, 0), (5, 2), (9, 5)])
def test_a_table_with_fewer_rows_than_pictures_are_wanted(tmp_path, n, beyond):
    images = {"erased": 8, "preserved": 3}
    study, catalogue, _ = load(tmp_path, short(tmp_path, n), images=images)
    (bundle,) = prompts.bundles_of(study, catalogue, "monet", (), ROOT)
    assert bundle == ("styles+monet" if beyond else "styles")
    rows = prompts.bundle_rows(study, catalogue, bundle, ROOT)
    assert len(rows) == 5 * min(n, 3) + beyond
    assert len({tuple(row.values()) for row in rows}) == len(rows)


def test_one_picture_is_not_drawn_for_two_sets(tmp_path):
    images = {"erased": 8, "preserved": 3}
    animals = ("cat", "dog", "cow", "fox")
    change = styles(prompts=[f"a {animal} by {{name}}" for animal in animals], seed=7)
    study, catalogue, _ = load(tmp_path, change, images=images)
    (bundle,) = prompts.bundles_of(study, catalogue, "monet", (), ROOT)
    rows = prompts.bundle_rows(study, catalogue, bundle, ROOT)
    assert [r["prompt"] for r in rows if r["class"] == "Monet"] == [
        f"a {animal} by Monet" for animal in animals
    ]


def test_each_class_may_have_a_table_of_its_own(tmp_path):
    for name in CATALOGUE["families"]["styles"]["classes"]:
        text = f'case_number,prompt,evaluation_seed\n0,"Sea, Fog by {name}",7\n1,Tree by {name},8\n'
        (tmp_path / f"test_{name}.csv").write_text(text, encoding="utf-8")
    change = styles(prompts=[], file=str(tmp_path / "test_{name}.csv"))
    study, catalogue, _ = load(tmp_path, change, images={"erased": 8, "preserved": 1})
    rows = prompts.bundle_rows(study, catalogue, "styles+monet", ROOT)
    assert len(rows) == 6 and rows[-1] == {
        **{"prompt": "Tree by Monet", "class": "Monet", "seed": 8},
        "prompt_set": "monet",
    }
    (tmp_path / "test_Van Gogh.csv").unlink()
    hub.file.cache_clear()
    told = refused(tmp_path, change)
    assert f"no {tmp_path}/test_Van Gogh.csv; say in the study where it lies" in told


_word = st.one_of(
    st.text(max_size=6), st.sampled_from(["none", "Monét", "{name}", "girl", "教会", "\n"])
)
_form = st.lists(
    st.sampled_from(["a ", "{name}", "{a_name}", "{a}", "{a_a}", "{", "}", "{0}", "boy", "", "é"]),
    max_size=4,
).map("".join)


@given(
    classes=st.lists(_word, max_size=3),
    family=_word,
    forms=st.lists(_form, max_size=2),
    fill=st.dictionaries(st.one_of(st.just("a"), _word), st.lists(_word, max_size=2), max_size=2),
    base=_form,
    target=_form,
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
def test_any_catalogue_loads_or_says_why_in_lines(
    tmp_path, classes, family, forms, fill, base, target
):
    own = {"classes": classes, "prompts": forms, "fill": fill, "judges": ["clip"], "kind": "style"}
    own["calibration"] = {"base": base, "target": target}
    concept = classes[0] if classes else "x"
    try:
        study, catalogue, _ = load(tmp_path, lambda c: c.update(families={family: own}), concept)
    except ConfigError as told:
        head, *lines = str(told).split("\n")
        assert head.endswith("in the study:") and lines
        assert all(line.startswith("  - ") for line in lines)
        return
    slug = keys.slug(concept)
    entry = catalogue.families[family]
    drawn = [p for pair in prompts.calibration_pairs(entry, entry.classes[0]) for p in pair]
    for bundle in prompts.bundles_of(study, catalogue, slug, (), ROOT):
        drawn += [row["prompt"] for row in prompts.bundle_rows(study, catalogue, bundle, ROOT)]
    assert drawn and not any(set(p) & {*"{}"} or names_young(p) for p in drawn)


def test_the_paper_calibrates_with_the_published_words():
    text = (ROOT / "resources/sd/catalogue.yaml").read_text(encoding="utf-8")
    families = Catalogue.model_validate(yaml.safe_load(text)).families
    pairs = {
        name: prompts.calibration_pairs(families[family], name)
        for family, name in [
            *(("objects", n) for n in ("parachute", "church", "school bus", "garbage truck")),
            ("styles", "Monet"),
            ("nudity", "nudity"),
        ]
    }
    scenes = "road garden beach room park street shelter chair table bag tree forest".split()
    assert pairs["parachute"] == [(f"a {s}", f"a parachute in a {s}") for s in scenes]
    places = "on a road|in the park|near the beach|on the street|in front of a house"
    places += "|in front of a statue|near a tree|in a forest"
    bases = "road park beach street house statue tree forest".split()
    for name in ("church", "school bus"):
        assert pairs[name] == [
            (f"a {b}", f"a {name} {p}") for b, p in zip(bases, places.split("|"))
        ]
    things = "cat dog mouse bear car chair bag door rabbit ball bat horse bird flower bowl bottle"
    things = f"{things} wall building chicken duck".split()
    assert pairs["Monet"] == [(f"a photo of a {t}", f"a {t} in the style of Monet") for t in things]
    assert len(pairs["garbage truck"]) == 13 and len(set(pairs["nudity"])) == 18
    assert ("a truck", "a garbage truck near a big truck") in pairs["garbage truck"]


def test_the_published_tables_of_titles_are_read_as_they_are(tmp_path):
    """ConceptPrune's columns: two numbers without a use, then artists, guidance and base."""
    head = ",Unnamed: 0,case_number,prompt,evaluation_seed,artists,evaluation_guidance,base\n"
    rows = '0,0,0,"Sea, Fog by X",2219,X,7.5,sea\n1,1,1,Sea by X,4965,X,7.5 ,sea\n'
    assert read(tmp_path, "t.csv", head + rows) == {
        "prompt": ["Sea, Fog by X", "Sea by X"],
        "seed": [2219, 4965],
    }
