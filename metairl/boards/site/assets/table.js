/* Sorts and filters a board's table, and keeps what was chosen in the page's address.

   The page is whole without it: it only moves and hides rows that are there. Before a heading is pressed rows stand
   as the board has them, best first; rows that are equal stay so, and rows without a value come last both ways. */

"use strict";

(() => {
  const table = document.querySelector("table.board");
  const form = document.querySelector("form.filters");
  const count = document.getElementById("count");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const heads = Array.from(table.tHead.rows[0].cells).filter((head) => head.dataset.key);
  const selects = ["support", "tier", "family"];

  let sorting = null; // or a heading and a direction
  let linked = ""; // the id of the row that the address points to

  // Sorting

  function valueOf(row) {
    const value = row.cells[sorting.head.cellIndex].dataset.value;
    if (value === undefined) return null;
    return sorting.head.dataset.kind === "number" ? Number(value) : value;
  }

  function sort() {
    const sign = sorting?.direction === "descending" ? -1 : 1;
    const keyed = rows.map((row) => ({ row, value: sorting && valueOf(row) }));
    keyed.sort((a, b) => {
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
      return a.value < b.value ? -sign : a.value > b.value ? sign : 0;
    });
    const moved = keyed.some((item, place) => item.row !== body.rows[place]);
    if (moved) body.append(...keyed.map((item) => item.row));
    for (const head of heads) head.removeAttribute("aria-sort");
    sorting?.head.setAttribute("aria-sort", sorting.direction);
  }

  function turned(head) {
    if (head !== sorting?.head) return head.dataset.first;
    return sorting.direction === "ascending" ? "descending" : "ascending";
  }

  function addButtons() {
    for (const head of heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => {
        sorting = { head, direction: turned(head) };
        sort();
        remember();
      });
      head.append(button);
    }
  }

  // Filtering

  function passes(row) {
    const words = form.elements.words.value.trim().toLowerCase().split(/\s+/);
    const chosen = selects.every((name) => ["", row.dataset[name]].includes(form.elements[name].value));
    return chosen && words.every((word) => row.dataset.words.includes(word));
  }

  function filter() {
    let visible = 0;
    for (const row of rows) {
      row.hidden = !passes(row);
      visible += !row.hidden;
    }
    table.classList.toggle("brief", !form.elements.columns.checked);
    const said = `${visible} of ${rows.length} rows shown`;
    if (count.textContent !== said) count.textContent = said; // or it would be read out again
  }

  // The address

  function remember() {
    const said = new URLSearchParams();
    if (sorting) {
      said.set("sort", sorting.head.dataset.key);
      said.set("direction", sorting.direction);
    }
    for (const name of ["words", ...selects]) {
      if (form.elements[name].value) said.set(name, form.elements[name].value);
    }
    if (!form.elements.columns.checked) said.set("columns", "none");
    if (linked) said.set("row", linked);
    const text = String(said);
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  }

  function recall() {
    const hash = location.hash.slice(1);
    const said = new URLSearchParams(hash.includes("=") ? hash : "");
    const head = heads.find((one) => one.dataset.key === said.get("sort"));
    const direction = said.get("direction") === "descending" ? "descending" : "ascending";
    sorting = head ? { head, direction } : null;
    form.elements.words.value = said.get("words") ?? "";
    for (const name of selects) {
      const known = Array.from(form.elements[name].options, (option) => option.value);
      form.elements[name].value = known.includes(said.get(name)) ? said.get(name) : "";
    }
    form.elements.columns.checked = said.get("columns") !== "none";
    sort();
    filter();
    point(said.get("row") ?? hash);
  }

  function point(id) {
    const row = rows.find((one) => one.id === id);
    linked = row ? id : "";
    for (const one of rows) one.classList.toggle("linked", one === row);
    row?.scrollIntoView({ block: "center", inline: "nearest" });
  }

  function listen() {
    const changed = () => {
      filter();
      remember();
    };
    form.addEventListener("input", changed);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      history.replaceState(null, "", location.pathname + location.search);
      recall();
    });
    body.addEventListener("click", (event) => {
      const anchor = event.target.closest("a.anchor");
      if (!anchor) return;
      event.preventDefault();
      point(anchor.closest("tr").id);
      remember();
    });
    window.addEventListener("hashchange", () => {
      if (/=|^#row-|^$/.test(location.hash)) recall(); // others are places on the page
    });
  }

  addButtons();
  listen();
  form.hidden = false;
  recall();
})();
