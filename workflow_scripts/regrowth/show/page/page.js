"use strict";
// Nothing here is needed to read the page: it sorts and filters what is there.

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
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
  const line = document.createElement("p");
  line.className = "find";
  line.innerHTML = '<label>Rows with <input type="search"></label><output></output>';
  const [input, count] = [line.querySelector("input"), line.querySelector("output")];
  table.closest(".scroll").before(line);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    rows.forEach((row) => {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    });
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  });
}

function concepts(nav) {
  const named = [...document.querySelectorAll("[data-concept]")];
  const names = [...new Set(named.map((element) => element.dataset.concept))].filter(Boolean);
  if (names.length < 2) return;
  const style = document.head.appendChild(document.createElement("style"));
  const label = nav.appendChild(document.createElement("label"));
  label.append("Concept ");
  const select = label.appendChild(document.createElement("select"));
  select.id = "concept";
  select.append(new Option("all", ""), ...names.map((name) => new Option(name, name)));
  select.addEventListener("change", () => {
    const only = CSS.escape(select.value);
    style.textContent = only && `[data-concept]:not([data-concept="${only}"]) { display: none; }`;
  });
}

// Of many variants, those of one K and those that have none, to compare with.
function ks(nav) {
  const rows = [...document.querySelectorAll("table.grid tbody tr")];
  const values = [...new Set(rows.map((row) => row.dataset.k))].filter((k) => k !== "none").sort();
  if (values.length < 2) return;
  const label = nav.appendChild(document.createElement("label"));
  label.append("Pictures at K ");
  const select = label.appendChild(document.createElement("select"));
  select.id = "k";
  select.append(new Option("all", ""), ...values.map((k) => new Option(k, k)));
  select.addEventListener("change", () => {
    rows.forEach((row) => {
      row.hidden = select.value && !["none", select.value].includes(row.dataset.k);
    });
  });
}

document.querySelectorAll("table.data").forEach((table) => {
  sortable(table);
  if (table.tBodies[0].rows.length > 6) filterable(table);
});
document.querySelectorAll("nav").forEach((nav) => {
  concepts(nav);
  ks(nav);
});
// On paper everything is open.
const folds = [...document.querySelectorAll("details")];
addEventListener("beforeprint", () => folds.forEach((fold) => (fold.open = true)));
