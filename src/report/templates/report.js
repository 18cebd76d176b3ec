(() => {
  "use strict";
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const key = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.value ?? cell.textContent.trim();
    const number = value === "" ? NaN : Number(value);
    return { text: value, number };
  };

  // Cells without a value stay at the end, whichever way the column is sorted.
  const compare = (a, b, sign) => {
    if (a.text === "" || b.text === "") return (a.text === "") - (b.text === "");
    const numbers = !Number.isNaN(a.number) && !Number.isNaN(b.number);
    return sign * (numbers ? a.number - b.number : collator.compare(a.text, b.text));
  };

  const sort = (table, header) => {
    const column = header.cellIndex;
    const first = header.dataset.first ?? "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = header.getAttribute("aria-sort") === first ? other : first;
    for (const each of header.parentElement.cells) {
      if (each.hasAttribute("aria-sort")) each.setAttribute("aria-sort", each === header ? direction : "none");
    }
    const sign = direction === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => ({ row, key: key(row, column) }));
    rows.sort((a, b) => compare(a.key, b.key, sign));
    body.append(...rows.map((each) => each.row));
  };

  for (const button of document.querySelectorAll("table thead th button")) {
    const header = button.closest("th");
    button.addEventListener("click", () => sort(header.closest("table"), header));
  }

  // A filter belongs to the table that it names; a search box and buttons with a status may narrow it together.
  for (const tools of document.querySelectorAll("[data-filters]")) {
    const rows = Array.from(document.getElementById(tools.dataset.filters).tBodies[0].rows);
    const search = tools.querySelector("input[type=search]");
    const shown = tools.querySelector("[data-shown]");
    const buttons = Array.from(tools.querySelectorAll("button[data-status]"));
    const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    let status = "";

    const apply = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const row of rows) {
        const listed = status === "" || (row.dataset.status ?? "").split(" ").includes(status);
        row.hidden = !(listed && words.every((word) => texts.get(row).includes(word)));
        count += row.hidden ? 0 : 1;
      }
      shown.textContent = `${count} of ${rows.length} shown`;
    };
    search.addEventListener("input", apply);
    for (const button of buttons) {
      button.addEventListener("click", () => {
        status = button.dataset.status;
        for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
        apply();
      });
    }
    apply();
  }

  const data = document.getElementById("report-json");
  const save = document.getElementById("save-json");
  if (data && save) {
    save.hidden = false;
    save.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([data.textContent], { type: "application/json" }));
      link.download = "report.json";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }
})();
