"use strict";
// Nothing here is needed to read the page: it sorts, filters, enlarges and saves what is there.

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return up ? order : -order;
      });
      body.append(...rows);
    });
  });
}

// Shows the rows that have all the words.
function filterable(table) {
  const rows = [...table.tBodies[0].rows];
  const [input, count] = [make("input", { type: "search" }), make("output")];
  const label = make("label", {}, "Rows with ", input);
  table.closest(".scroll").before(make("p", { className: "find" }, label, count));
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    rows.forEach((row) => {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    });
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  });
}

// What stands behind a table, at full precision.
function savable(template) {
  const button = make("button", { type: "button", textContent: "Save as CSV" });
  button.addEventListener("click", () => {
    const data = new Blob([template.content.textContent], { type: "text/csv" });
    make("a", { href: URL.createObjectURL(data), download: template.dataset.file }).click();
  });
  template.before(button);
}

function choice(label, values, first, changed) {
  const options = values.map(([text, value]) => new Option(text, value));
  const select = make("select", {}, ...options);
  select.value = first;
  select.addEventListener("change", changed);
  return [make("label", {}, `${label} `, select), select];
}

function concepts(nav) {
  const named = [...document.querySelectorAll("[data-concept]")];
  const names = [...new Set(named.map((element) => element.dataset.concept))].filter(Boolean);
  if (names.length < 2) return;
  const style = document.head.appendChild(make("style"));
  const all = [["all", ""], ...names.map((name) => [name, name])];
  const [label, select] = choice("Concept", all, "", () => {
    const only = CSS.escape(select.value);
    style.textContent = only && `[data-concept]:not([data-concept="${only}"]) { display: none; }`;
  });
  select.id = "concept";
  nav.append(label);
}

// Of many variants, those of one K and those that have none, to compare with.
function ks(nav) {
  const rows = [...document.querySelectorAll("table.grid tbody tr")];
  const values = [...new Set(rows.map((row) => row.dataset.k))].filter((k) => k !== "none").sort();
  if (values.length < 2) return;
  const all = [["all", ""], ...values.map((k) => [k, k])];
  const [label, select] = choice("Pictures at K", all, "", () => {
    rows.forEach((row) => {
      row.hidden = select.value && !["none", select.value].includes(row.dataset.k);
    });
  });
  select.id = "k";
  nav.append(label);
}

// A picture enlarges, as blurred as it was. Arrows walk a grid, Tab stops once in each row of it.
const large = make("dialog", { className: "large" });
large.addEventListener("click", () => large.close());

function enlarge(picture) {
  const image = picture.firstElementChild;
  large.classList.toggle("unsafe", getComputedStyle(image).filter !== "none");
  const close = make("button", { type: "button", textContent: "Close" });
  large.replaceChildren(image.cloneNode(), make("p", { textContent: image.alt }), close);
  large.showModal();
}

function pressable(image) {
  const button = make("button", { type: "button", className: "picture" });
  if (image.closest(".grid tr")?.querySelector(".picture")) button.tabIndex = -1;
  image.replaceWith(button);
  button.append(image);
}

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function walk(event) {
  let cell = event.target.closest("td");
  const step = STEPS[event.key];
  if (!cell || !step) return;
  event.preventDefault();
  const { rows } = event.currentTarget;
  do cell = rows[cell.parentNode.rowIndex + step[0]]?.cells[cell.cellIndex + step[1]];
  while (cell && !(cell.offsetParent && cell.querySelector("button")));
  cell?.firstElementChild.focus();
}

// Two variants, picture beside picture of the same prompt and seed.
function comparable(album) {
  const rows = [...album.querySelectorAll(".grid tbody tr")];
  if (rows.length < 2) return;
  const heads = [...album.querySelector(".grid thead tr").cells].slice(1);
  const pairs = make("div", { className: "pairs" });
  const show = () => {
    const shown = chosen.map((select) => rows[select.value]);
    const figures = heads.map((head, column) => {
      const pictures = shown.map((row) => {
        const picture = row.cells[column + 1].querySelector("button");
        return picture ? Object.assign(picture.cloneNode(true), { tabIndex: 0 }) : "not drawn";
      });
      const words = `${head.title}, seed ${head.textContent}`;
      return make("figure", {}, ...pictures, make("figcaption", { textContent: words }));
    });
    pairs.replaceChildren(...figures);
  };
  const names = rows.map((row, i) => [row.dataset.variant, i]);
  const made = ["Left", "Right"].map((side, i) => choice(side, names, i, show));
  const chosen = made.map(([, select]) => select);
  const summary = make("summary", { textContent: "Compare two variants" });
  const box = make("details", { className: "compare" }, summary, ...made.map(([l]) => l), pairs);
  box.classList.toggle("unsafe", Boolean(album.querySelector(".unsafe")));
  box.addEventListener("toggle", show, { once: true });
  album.append(box);
}

document.querySelectorAll("table.data").forEach((table) => {
  sortable(table);
  if (table.tBodies[0].rows.length > 6) filterable(table);
});
document.querySelectorAll("template[data-file]").forEach(savable);
document.querySelectorAll("nav").forEach((nav) => {
  concepts(nav);
  ks(nav);
});
document.body.append(large);
document.querySelectorAll("main img, header img").forEach(pressable);
document.querySelectorAll(".grid").forEach((grid) => grid.addEventListener("keydown", walk));
document.querySelectorAll(".album").forEach(comparable);
document.addEventListener("click", (event) => {
  const picture = event.target.closest(".picture");
  if (picture) enlarge(picture);
});
// On paper everything is open.
const folds = [...document.querySelectorAll("details:not(.compare)")];
addEventListener("beforeprint", () => folds.forEach((fold) => (fold.open = true)));
