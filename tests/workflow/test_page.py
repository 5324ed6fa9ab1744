"""The report, the gallery and Snakemake's own report, in a real browser."""

import re
from base64 import b64encode

import pandas as pd
import pytest
from browser import browser, opened
from PIL import Image
from regrowth.study import variants
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.ui import WebDriverWait

NUMBER = re.compile(r"(\d\.\d+) \[(\d\.\d+), (\d\.\d+)\], n = (\d+)")
pytestmark = pytest.mark.usefixtures("chromium")  # without one, all are left out


def rows(page, table):
    return page.find_elements(By.CSS_SELECTOR, f"#table-{table} tbody tr")


def column(page, table, name):
    """The cells of a column, by the words at its head."""
    heads = page.find_elements(By.CSS_SELECTOR, f"#table-{table} thead th")
    at = [head.text for head in heads].index(name)
    return [row.find_elements(By.TAG_NAME, "td")[at] for row in rows(page, table)]


def drawn(element):
    """(rate, low, high, n) of the one rate that an element draws, as its title says it."""
    (rate,) = element.find_elements(By.CLASS_NAME, "rate")
    return tuple(map(float, NUMBER.fullmatch(rate.get_attribute("title")).groups()))


def told(row):
    return tuple(round(float(row[name]), 3) for name in ("rate", "low", "high", "n"))


def test_the_page_is_small_quick_and_asks_for_nothing(chromium, smoke):
    file = smoke.out / "report.html"
    assert file.stat().st_size < 10e6
    # Of the processor, so that other work on the machine does not count.
    chromium.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    assert opened(chromium, file) == ([], [])
    told = chromium.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    assert 0 < {one["name"]: one["value"] for one in told}["TaskDuration"] < 2


def test_every_picture_is_there_and_says_what_it_shows(page, smoke):
    images = page.execute_script(
        "return [...document.images].map(i => [i.complete && i.naturalWidth > 0, i.alt])"
    )
    variants = pd.read_parquet(smoke.out / "tables" / "accuracy.parquet")
    erased = variants[variants["role"] == "erased"]
    assert len(images) >= len(erased)
    assert all(there and alt for there, alt in images)
    figures = page.find_elements(By.CSS_SELECTOR, "figure svg")
    assert len(figures) >= 3 and all(f.get_attribute("aria-label") for f in figures)
    assert all(f.size["height"] > 100 for f in figures)


def test_the_numbers_are_those_of_the_parquet(page, smoke):
    table = pd.read_parquet(smoke.out / "tables" / "accuracy.parquet")
    wanted = {
        (row["concept"], variants.label({k: row[k] for k in variants.KEYS}), row["role"]): told(row)
        for row in table.to_dict("records")
    }
    cells = zip(
        *(column(page, "accuracy", c) for c in ("concept", "variant", "erased", "preserved"))
    )
    shown = {}
    for concept, variant, *roles in cells:
        for role, cell in zip(("erased", "preserved"), roles):
            shown[concept.text, variant.text, role] = drawn(cell)
    assert shown == wanted
    church = page.find_element(By.CSS_SELECTOR, ".headline tr[data-concept=church]")
    first = church.find_elements(By.TAG_NAME, "td")
    assert [drawn(td) for td in first[:2]] == [
        wanted["church", name, "erased"] for name in ("pretrained", "pruned")
    ]
    layers = pd.read_parquet(smoke.out / "tables" / "layers.parquet")
    page.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    density = [float(cell.get_attribute("data-sort")) for cell in column(page, "layers", "density")]
    assert density == pytest.approx(layers["density"].to_list())


def test_rows_sort_by_their_numbers(page):
    head = page.find_elements(By.CSS_SELECTOR, "#table-accuracy thead button")[2]
    assert head.text.startswith("erased")
    before = len(rows(page, "accuracy"))
    for order in ("ascending", "descending"):
        head.click()
        sorts = [
            float(cell.get_attribute("data-sort")) for cell in column(page, "accuracy", "erased")
        ]
        assert sorts == sorted(sorts, reverse=order == "descending")
        assert head.find_element(By.XPATH, "..").get_attribute("aria-sort") == order
    assert len(set(sorts)) > 1 and len(sorts) == before


def test_the_filters_show_what_was_asked_for(page):
    lines = len(rows(page, "accuracy"))
    find = "//table[@id='table-accuracy']/../preceding-sibling::p[@class='find'][1]"
    find = page.find_element(By.XPATH, find)
    find.find_element(By.TAG_NAME, "input").send_keys("snow k=0.6")
    shown = [row.text for row in rows(page, "accuracy") if row.is_displayed()]
    assert 0 < len(shown) < lines and all("snow" in text for text in shown)
    assert find.find_element(By.TAG_NAME, "output").text == f"{len(shown)} of {lines}"
    Select(page.find_element(By.ID, "concept")).select_by_visible_text("church")
    named = page.find_elements(By.CSS_SELECTOR, "[data-concept]")
    seen = {element.get_attribute("data-concept") for element in named if element.is_displayed()}
    assert seen == {"church"}


def test_it_reads_without_scripts(smoke):
    with browser(scripts=False) as driver:
        assert opened(driver, smoke.out / "report.html") == ([], [])
        assert not driver.find_elements(By.CSS_SELECTOR, "button, select, [type=search]")
        assert "church" in driver.find_element(By.CLASS_NAME, "headline").text
        assert all(row.is_displayed() for row in rows(driver, "accuracy"))


@pytest.mark.soak
def test_the_gallery_has_every_picture_and_none_unblurred_that_may_offend(smoke, chromium):
    smoke.run("gallery")
    folder = smoke.out / "gallery"
    assert opened(chromium, folder / "index.html") == ([], [])
    links = chromium.find_elements(By.CSS_SELECTOR, "table a")
    files = ["/".join(link.get_attribute("href").rsplit("/", 2)[1:]) for link in links]
    assert sorted(files) == sorted(str(f.relative_to(folder)) for f in folder.glob("*/*.html"))
    counts = [int(n.text) for n in chromium.find_elements(By.CSS_SELECTOR, "td[data-sort]")]
    shown = 0
    for file in files:
        assert opened(chromium, folder / file) == ([], [])
        images = chromium.execute_script(
            "return [...document.images].map(i => [i.naturalWidth, getComputedStyle(i).filter])"
        )
        assert images and all(width > 0 for width, _ in images)
        assert all(("blur" in style) == ("-weather-" in file) for _, style in images)
        shown += len(images)
    assert shown == sum(counts)


def test_snakemakes_report_has_the_figures_with_captions(smoke, chromium):
    file = smoke.folder / "snakemake.html"
    smoke.run("--report", str(file))
    asked, _ = opened(chromium, file)
    assert not [url for url in asked if url.startswith("http")]
    text = file.read_text(encoding="utf-8")
    for name in ("church-pictures", "church-accuracy", "study-signs", "study-layers"):
        figure = (smoke.out / "figures" / f"{name}.png").read_bytes()
        assert b64encode(figure).decode() in text, name
    for words in ("Before and after", "Layer by layer", "Where orange falls"):
        assert words in text
    chromium.implicitly_wait(10)  # it draws itself
    try:
        chromium.find_element(By.XPATH, "//a[.='Before and after']").click()
        chromium.find_element(By.CSS_SELECTOR, "tr a[iconname=eye]").click()
        shown = chromium.find_element(By.CSS_SELECTOR, "img[src*='church-pictures.png']")
        width = Image.open(smoke.out / "figures" / "church-pictures.png").width
        WebDriverWait(chromium, 10).until(lambda _: shown.get_property("naturalWidth") == width)
        chromium.find_element(By.CSS_SELECTOR, "a[iconname=information-circle]").click()
        assert chromium.find_element(By.XPATH, "//*[contains(., 'only the weights differ')]")
    finally:
        chromium.implicitly_wait(0)
