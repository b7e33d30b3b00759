"use strict";
// Two buttons above each table: copy it for a spreadsheet, or save it as CSV.
(() => {
  const text = (cell) => cell.innerText.trim().replace(/\u2212/g, "-").replace(/\u00a0/g, " ");
  // A spreadsheet would calculate such text.
  const safe = (value) => (/^[=+@\t\r]|^-(?![\d.])/.test(value) ? "'" + value : value);
  const rows = (table) => [...table.rows].map((row) => [...row.cells].map((cell) => safe(text(cell))));
  const quoted = (value) => (/[",\n\r]/.test(value) ? '"' + value.replace(/"/g, '""') + '"' : value);
  const tabs = (table) => rows(table).map((row) => row.map((value) => value.replace(/\s+/g, " ")).join("\t")).join("\n");
  const csv = (table) => rows(table).map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";

  const copy = async (table, button) => {
    try {
      await navigator.clipboard.writeText(tabs(table));
    } catch {
      // Not allowed for a file from disk in some browsers: the old way.
      const area = document.createElement("textarea");
      area.value = tabs(table);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    const name = button.textContent;
    button.textContent = "copied";
    setTimeout(() => (button.textContent = name), 1500);
  };
  const save = (table) => {
    const link = document.createElement("a");
    const name = table.caption ? table.caption.innerText : "table";
    link.href = URL.createObjectURL(new Blob(["\ufeff" + csv(table)], { type: "text/csv" }));
    link.download = name.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "").slice(0, 60) + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const button = (name, label, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = name;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", () => act(made));
    return made;
  };
  for (const table of document.querySelectorAll("table")) {
    const name = table.caption ? table.caption.innerText : "the table";
    const tools = document.createElement("div");
    tools.className = "tools";
    tools.append(button("copy", `copy ${name}`, (made) => copy(table, made)));
    tools.append(button("CSV", `CSV of ${name}`, () => save(table)));
    table.closest(".scroll").before(tools);
  }
})();
