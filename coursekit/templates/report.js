"use strict";
// Sort a table by the column whose heading is pressed; press again for the other direction. Show what holds a text.
document.querySelectorAll("table.sortable").forEach(function (table) {
  var body = table.tBodies[0];

  function sortBy(heading, column) {
    var falling = heading.getAttribute("aria-sort") === "ascending";
    var value = function (row) { return row.cells[column].dataset.sort; };
    var rows = Array.from(body.rows).sort(function (a, b) {
      var x = value(a), y = value(b);
      if ((x === "") !== (y === "")) { return x === "" ? 1 : -1; }  // what has no value stays at the end
      var order = heading.dataset.kind === "text" ? x.localeCompare(y) : x - y;
      return falling ? -order : order;
    });
    table.querySelectorAll("th[aria-sort]").forEach(function (other) { other.setAttribute("aria-sort", "none"); });
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    body.append.apply(body, rows);
  }

  var field = document.querySelector(".filter input");
  field.addEventListener("input", function () {
    var wanted = field.value.trim().toLowerCase();
    Array.from(body.rows).forEach(function (row) { row.hidden = !row.textContent.toLowerCase().includes(wanted); });
  });

  table.querySelectorAll("thead th").forEach(function (heading, column) {
    // No <button>: Chromium leaves buttons out of the headings that it repeats on each printed page.
    var button = heading.querySelector("[role=button]");
    if (!button) { return; }
    button.addEventListener("click", function () { sortBy(heading, column); });
    button.addEventListener("keydown", function (event) {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sortBy(heading, column); }
    });
  });
});
