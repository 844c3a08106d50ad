"use strict";
// Sorting by a click or a key on a column's heading. Numbers sort by their full value, fields
// without one stay last whichever way, and equal ones keep the order they came in.
function sortBy(table, index, heading) {
  const down = heading.classList.contains("text") ? "ascending" : "descending";
  const other = down === "ascending" ? "descending" : "ascending";
  const way = heading.getAttribute("aria-sort") === down ? other : down;
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", way);
  const sign = way === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const keyed = Array.from(body.rows, (row) => ({ row, key: row.cells[index].dataset.sort }));
  keyed.sort((a, b) => {
    if (a.key === undefined || b.key === undefined) return (a.key === undefined) - (b.key === undefined);
    const x = Number(a.key), y = Number(b.key);
    const byNumber = !Number.isNaN(x) && !Number.isNaN(y);
    return sign * (byNumber ? x - y : a.key.localeCompare(b.key, "en", { numeric: true }));
  });
  body.append(...keyed.map((item) => item.row));
}
for (const table of document.querySelectorAll("table.sortable")) {
  Array.from(table.tHead.rows[0].cells).forEach((heading, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, index, heading));
    heading.append(button);
  });
}
// On a narrow screen the numbers come first.
if (window.matchMedia("(max-width: 60rem)").matches) document.querySelector("nav details").open = false;
