(function () {
  "use strict";
  // Sorting, searching the picture, and "open all before printing"; the page is complete without them.
  document.querySelectorAll("table.sortable").forEach(function (table) {
    var body = table.tBodies[0];
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (cell, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = cell.textContent;
      cell.textContent = "";
      cell.appendChild(button);
      button.addEventListener("click", function () {
        var down = cell.getAttribute("aria-sort") === "ascending";
        Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other) { other.removeAttribute("aria-sort"); });
        cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        var rows = Array.prototype.slice.call(body.rows);
        rows.sort(function (a, b) {
          var x = a.cells[column], y = b.cells[column];
          var p = x.dataset.value === undefined ? x.textContent : Number(x.dataset.value);
          var q = y.dataset.value === undefined ? y.textContent : Number(y.dataset.value);
          return (p < q ? -1 : p > q ? 1 : 0) * (down ? -1 : 1);
        });
        rows.forEach(function (row) { body.appendChild(row); });
      });
    });
  });
  var box = document.getElementById("search"), picture = document.querySelector("svg.network");
  if (box && picture) {
    var field = document.getElementById("search-name"), said = document.getElementById("search-found");
    var list = document.getElementById("not-drawn");
    var drawn = Array.prototype.map.call(picture.querySelectorAll("g.node"), function (node) {
      return { name: node.getAttribute("data-name"), node: node };
    });
    var absent = Array.prototype.map.call(list ? list.children : [], function (item) {
      return { name: item.textContent, node: null };
    });
    var unlisted = list ? Number(list.getAttribute("data-left")) : 0;
    var hits = [], next = 0;
    var of = function (vertices, words) {
      var found = vertices.filter(function (vertex) { return vertex.name.toLowerCase().indexOf(words) >= 0; });
      return found.sort(function (a, b) { return (b.name.toLowerCase() === words) - (a.name.toLowerCase() === words); });
    };
    var names = function (vertices) {
      var first = vertices.slice(0, 5).map(function (vertex) { return vertex.name; }).join(", ");
      return vertices.length ? ": " + first + (vertices.length > 5 ? ", …" : "") : "";
    };
    var look = function () {
      var words = field.value.trim().toLowerCase();
      hits = words ? of(drawn, words) : [];
      next = 0;
      drawn.forEach(function (vertex) { vertex.node.classList.remove("found"); });
      hits.forEach(function (vertex) { vertex.node.classList.add("found"); });
      picture.classList.toggle("searching", hits.length > 0);
      if (!words) {
        said.textContent = "";
        return;
      }
      var lost = of(absent, words);
      said.textContent = hits.length + " of " + drawn.length + " drawn vertices " + (hits.length === 1 ? "matches" : "match") + names(hits) +
        (lost.length ? "; not drawn, but in the network, " + (lost.length === 1 ? "is " : "are ") + lost.length + names(lost) : "") +
        (unlisted ? "; " + unlisted + " further vertices are neither drawn nor listed here" : "");
    };
    box.hidden = false;
    field.addEventListener("input", look);
    field.addEventListener("keydown", function (event) {
      if (event.key === "Enter" && hits.length) {
        hits[next].node.scrollIntoView({ block: "center", inline: "center" });
        next = (next + 1) % hits.length;
      }
    });
    look();
  }
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (part) { part.open = true; });
  });
})();
