"""What a reader does on the page, in a real browser: by mouse, by keyboard, on a phone."""

import re
import time

import pandas as pd
import pytest
from browser import opened
from PIL import Image
from regrowth.files import images
from regrowth.show import album
from regrowth.study import variants
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

PRUNED = variants.PRETRAINED | {"eraser": "conceptprune", "variant": "pruned"}
MAX = PRUNED | {"variant": "revived", "detector": "zeros", "solver": "nuclear", "K": "0.6"}
MAX |= {"magnitude": "max"}
MODELS = variants.PRETRAINED, PRUNED, MAX
STOPS = "a[href], button:not([tabindex='-1']), select, input, summary, [tabindex='0']"
pytestmark = pytest.mark.usefixtures("chromium")  # without one, all are left out


@pytest.fixture
def grids(chromium, tmp_path):
    """A page of two grids, three variants of four seeds, each picture another colour; the second is
    unsafe, and lacks a picture."""
    rows = [
        v | {"prompt": "a candle", "seed": s, "src": _colour(50 * i, 50 * s)}
        for i, v in enumerate(MODELS)
        for s in range(4)
    ]
    own = pd.DataFrame(rows)
    told = {"prompt_set": "objects"}
    shown = [
        album.grid(own) | told | {"concept": "candle", "unsafe": False},
        album.grid(own.drop(index=5)) | told | {"concept": "church", "unsafe": True},
    ]
    page = album.TEMPLATES.get_template("gallery.html.j2")
    html = page.render(study="s", at=0, grids=shown, concept="c", role="erased", files=["a.html"])
    (tmp_path / "a.html").write_text(html, encoding="utf-8")
    assert opened(chromium, tmp_path / "a.html") == ([], [])
    return chromium


def _colour(red, green):
    return album.source(images.encode(Image.new("RGB", (8, 8), (red, green, 100))))


def focused(driver):
    return driver.switch_to.active_element


def told(element):
    return element.get_attribute("outerHTML")[:200]


def blurred(driver, where):
    """By how much of its width the first picture there is blurred."""
    (image, *_) = driver.find_elements(By.CSS_SELECTOR, f"{where} img")
    radius = re.match(r"blur\((.*)px\)|none", image.value_of_css_property("filter"))[1]
    return float(radius or 0) / image.size["width"]


def open_dialogs(driver):
    return driver.find_elements(By.CSS_SELECTOR, "dialog[open]")


def test_a_picture_enlarges_and_escape_brings_back_to_it(page):
    picture = page.find_element(By.CSS_SELECTOR, "td .picture")
    image = picture.find_element(By.TAG_NAME, "img")
    for enlarge in (picture.click, lambda: focused(page).send_keys(Keys.ENTER)):
        enlarge()
        (dialog,) = open_dialogs(page)
        shown = dialog.find_element(By.TAG_NAME, "img")
        assert shown.get_attribute("src") == image.get_attribute("src")
        assert shown.size["width"] > 3 * image.size["width"]
        assert image.get_attribute("alt") in dialog.text and "seed 0" in dialog.text
        focused(page).send_keys(Keys.ESCAPE)
        assert not open_dialogs(page) and focused(page) == picture
    picture.click()
    focused(page).click()
    assert not open_dialogs(page)


def test_what_is_blurred_is_no_clearer_large_or_compared(grids):
    first, second = grids.find_elements(By.CSS_SELECTOR, ".album")
    safe, unsafe = (a.find_element(By.CSS_SELECTOR, "td .picture") for a in (first, second))
    for picture, least in ((unsafe, 0.13), (safe, 0)):
        picture.send_keys(Keys.ENTER)
        assert (blurred(grids, "dialog") >= least) and (least or not blurred(grids, "dialog"))
        focused(grids).send_keys(Keys.ESCAPE)
    second.find_element(By.CSS_SELECTOR, ".compare summary").click()
    assert blurred(grids, ".unsafe.grid") >= 0.13
    assert blurred(grids, ".unsafe .pairs") >= 0.13
    second.find_element(By.CSS_SELECTOR, ".pairs .picture").send_keys(Keys.ENTER)
    assert blurred(grids, "dialog") >= 0.13


def test_two_variants_stand_side_by_side_by_seed(grids):
    safe, gaps = grids.find_elements(By.CSS_SELECTOR, ".compare")
    for box in (safe, gaps):
        box.find_element(By.TAG_NAME, "summary").click()
        left, right = map(Select, box.find_elements(By.TAG_NAME, "select"))
        names = [option.text for option in left.options]
        assert names == ["pretrained", "pruned", "max K=0.6"]
        left.select_by_visible_text("max K=0.6")
        right.select_by_visible_text("pruned")
        pairs = box.find_elements(By.TAG_NAME, "figure")
        assert len(pairs) == 4
        for seed, pair in enumerate(pairs):
            shown = pair.find_elements(By.TAG_NAME, "img")
            wanted = [f"{name}: a candle, seed {seed}" for name in ("max K=0.6", "pruned")]
            wanted = wanted[:1] if box == gaps and seed == 1 else wanted
            assert [image.get_attribute("alt") for image in shown] == wanted
            assert ("not drawn" in pair.text) == (len(wanted) == 1)
            sources = [image.get_attribute("src") for image in shown]
            assert sources == [_colour(50 * i, 50 * seed) for i in (2, 1)][: len(shown)]
            assert len({image.location["y"] for image in shown}) == 1
            assert f"a candle, seed {seed}" in pair.text


def test_arrows_walk_the_pictures_and_tab_the_rows(grids):
    (_, second) = grids.find_elements(By.CSS_SELECTOR, ".grid")
    second.find_element(By.CSS_SELECTOR, ".picture").send_keys(Keys.ARROW_RIGHT)
    walked = []
    for key in (Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_LEFT, Keys.ARROW_UP, Keys.ARROW_RIGHT):
        image = focused(grids).find_element(By.TAG_NAME, "img")
        walked.append(image.get_attribute("alt").replace(": a candle, seed", ""))
        focused(grids).send_keys(key)
    # Of the pruned model's pictures the second is missing: the arrows pass over it.
    assert walked == ["pretrained 1", "max K=0.6 1", "max K=0.6 1", "max K=0.6 0", "pruned 0"]
    assert "pruned: a candle, seed 2" in focused(grids).get_attribute("innerHTML")
    stops = second.find_elements(By.CSS_SELECTOR, ".picture:not([tabindex='-1'])")
    assert len(stops) == 3


#: Keeps what has the focus, and how it is outlined then.
WATCH = """
window.met = [];
document.addEventListener("focusin", (event) => {
  met.push([event.target, getComputedStyle(event.target).outlineStyle]);
});
"""


def test_everything_is_reached_by_the_keyboard_and_seen(page):
    every = f'return [...document.querySelectorAll("{STOPS}")].filter(e => e.checkVisibility())'
    wanted = set(page.execute_script(every))
    page.execute_script(WATCH)
    ActionChains(page).send_keys(Keys.TAB * len(wanted)).perform()
    met = page.execute_script("return met")
    assert not [told(e) for e, outline in met if outline == "none"]
    assert len(met) > 40 and not {told(e) for e in wanted - {e for e, _ in met}}


def test_a_link_leads_to_one_row_below_what_sticks_and_opens_its_fold(page, smoke):
    ids = page.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    links = page.find_elements(By.CLASS_NAME, "here")
    rows = page.find_elements(By.CSS_SELECTOR, ".grid tbody tr, #table-accuracy tbody tr")
    assert len(links) == len(rows) > 10
    assert {link.get_attribute("hash")[1:] for link in links} <= set(ids)
    address = (smoke.out / "report.html").as_uri()
    for at in ("church/max-K0.6", "church/max-K0.6-at-smallest-0.1-gaussian-1.0"):
        page.get("about:blank")
        page.get(f"{address}#{at}")
        target = expected_conditions.visibility_of_element_located((By.CSS_SELECTOR, "tr:target"))
        row = WebDriverWait(page, 60).until(target)
        assert row.get_attribute("id") == at
        rect, nav = (
            page.execute_script("return arguments[0].getBoundingClientRect().toJSON()", e)
            for e in (row, page.find_element(By.TAG_NAME, "nav"))
        )
        assert nav["bottom"] <= rect["top"] and rect["bottom"] <= 800
    link = row.find_element(By.CLASS_NAME, "here")
    page.execute_script("arguments[0].focus()", link)
    assert link.value_of_css_property("opacity") == "1"


def test_a_table_saves_every_digit_from_the_page_alone(page, smoke, tmp_path):
    to = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.execute_cdp_cmd("Browser.setDownloadBehavior", to)
    buttons = page.find_elements(By.XPATH, "//button[.='Save as CSV']")
    assert len(buttons) == len(page.find_elements(By.CSS_SELECTOR, "table.data")) > 10
    for name in ("accuracy", "layers"):
        button = f"//table[@id='table-{name}']/../following-sibling::p[@class='files'][1]/button"
        page.execute_script("arguments[0].click()", page.find_element(By.XPATH, button))
        file, late = tmp_path / f"smoke-{name}.csv", time.monotonic() + 20
        while not file.exists() and time.monotonic() < late:
            time.sleep(0.05)
        table = pd.read_parquet(smoke.out / "tables" / f"{name}.parquet")
        words = {c: str for c in table.columns if table[c].dtype == "str"}
        saved = pd.read_csv(file, dtype=words)
        pd.testing.assert_frame_equal(saved, table, check_exact=True, check_dtype=False)


def test_on_a_phone_tables_scroll_in_their_own_box_below_their_head(phone, smoke):
    assert opened(phone, smoke.out / "report.html") == ([], [])
    wide = "return document.documentElement.scrollWidth"
    assert phone.execute_script(wide) <= 380
    phone.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert phone.execute_script(wide) <= 380
    told = phone.execute_script(
        """return [...document.querySelectorAll(".scroll:has(> .data)")].map((box) => {
             box.scrollTo(0, 1e6);
             const head = box.querySelector("th").getBoundingClientRect();
             const at = box.getBoundingClientRect();
             return [box.scrollTop, head.top - at.top, at.height, at.width];
           });"""
    )
    scrolled = [head for moved, head, *_ in told if moved > 0]
    assert len(scrolled) >= 3 and max(map(abs, scrolled)) < 2
    assert all(height <= 0.85 * 500 + 1 and width <= 380 for *_, height, width in told)
    phone.find_element(By.CSS_SELECTOR, "td .picture").click()
    (dialog,) = open_dialogs(phone)
    inner, outer = (dialog.get_property(f"{n}Width") for n in ("scroll", "client"))
    assert inner <= outer <= 380
