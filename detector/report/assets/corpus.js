// The table of documents of a corpus: sorted, filtered, in pages. Its data are scripts beside the page, read in turn.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  const byId = (id) => document.getElementById(id);
  const record = JSON.parse(byId("record").textContent);
  const THEMES = ["system", "light", "dark"];
  const ROWS = 50;
  const KEYS = ["page", "name", "outlet", "date", "n_words", "n_findings", "n_likely", "used"];
  const NUMBERS = new Set(["n_words", "n_findings", "rate"]);
  const documents = [];
  const heads = [...document.querySelectorAll(".documents th[data-key]")];
  const keys = heads.map((head) => head.dataset.key);
  const names = record.techniques.map((technique) => technique.name);
  let state = { sort: "", down: false, words: "", technique: "", page: 1, theme: "system" };

  // Each data file calls this with its rows.
  window.addDocuments = (rows) => {
    for (const row of rows) {
      const one = Object.fromEntries(KEYS.map((key, i) => [key, row[i]]));
      one.searched = [one.name, one.outlet, one.date].join("\n").toLowerCase();
      documents.push(one);
    }
  };

  function load(number) {
    if (number > record.n_data_files) return show();
    const element = document.createElement("script");
    element.src = `data/documents-${String(number).padStart(4, "0")}.js`;
    element.onload = () => { element.remove(); if (number === 1) show(); load(number + 1); };
    element.onerror = () => { byId("status").textContent = `${element.src} cannot be read.`; };
    document.head.append(element);
  }

  function readAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    state = {
      sort: keys.includes(given.get("sort")) ? given.get("sort") : "",
      down: given.get("down") === "1",
      words: (given.get("q") || "").slice(0, 200),
      technique: names.includes(given.get("technique")) ? given.get("technique") : "",
      page: Math.max(1, Math.floor(Number(given.get("page"))) || 1),
      theme: THEMES.includes(given.get("theme")) ? given.get("theme") : "system",
    };
  }

  function writeAddress() {
    const parts = new URLSearchParams();
    if (state.sort) parts.set("sort", state.sort);
    if (state.down) parts.set("down", "1");
    if (state.words) parts.set("q", state.words);
    if (state.technique) parts.set("technique", state.technique);
    if (state.page > 1) parts.set("page", state.page);
    if (state.theme !== "system") parts.set("theme", state.theme);
    if (parts.toString() !== location.hash.slice(1)) history.replaceState(null, "", "#" + parts);
  }

  const count = (one) => {
    if (!state.technique) return one.n_findings;
    const at = names.indexOf(state.technique);
    return (one.used.find(([i]) => i === at) || [0, 0])[1];
  };
  const rate = (one) => (one.n_words ? 1000 * count(one) / one.n_words : 0);
  const value = (one, key) => (key === "rate" ? rate(one) : key === "n_findings" ? count(one) : one[key]);

  function chosen() {
    const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = documents.filter((one) => words.every((word) => one.searched.includes(word)));
    if (!state.sort) return found;
    const sign = state.down ? -1 : 1;
    const compare = NUMBERS.has(state.sort) ? (a, b) => a - b : new Intl.Collator("en", { numeric: true }).compare;
    return found.map((one, i) => [value(one, state.sort), i, one]).sort((a, b) => sign * compare(a[0], b[0]) || a[1] - b[1]).map((entry) => entry[2]);
  }

  function show() {
    const found = chosen();
    const nPages = Math.max(1, Math.ceil(found.length / ROWS));
    state.page = Math.min(state.page, documents.length < record.n_documents ? Math.max(state.page, 1) : nPages);
    byId("rows").replaceChildren(...found.slice((state.page - 1) * ROWS, state.page * ROWS).map(tableRow));
    byId("status").textContent = `${found.length.toLocaleString("en")} of ${record.n_documents.toLocaleString("en")} documents`;
    byId("page").textContent = `Page ${state.page} of ${nPages}`;
    byId("back").disabled = state.page <= 1;
    byId("on").disabled = state.page >= nPages;
    for (const head of heads) {
      if (head.dataset.key === state.sort) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    if (state.theme === "system") delete root.dataset.theme; else root.dataset.theme = state.theme;
    byId("theme").value = state.theme;
    byId("technique").value = state.technique;
    if (byId("filter").value !== state.words) byId("filter").value = state.words;
    writeAddress();
  }

  function tableRow(one) {
    const row = document.createElement("tr");
    const link = make("a", one.name);
    link.href = one.page;
    row.append(cell(link), cell(make("bdi", one.outlet)), cell(make("bdi", one.date)));
    for (const number of [one.n_words.toLocaleString("en"), String(count(one)), rate(one).toFixed(1)]) {
      const last = cell(number);
      last.className = "number";
      row.append(last);
    }
    const top = cell("");
    top.className = "top";
    for (const [i, n] of [...one.used].sort((a, b) => b[1] - a[1]).slice(0, 3)) {
      const entry = make("span", "");
      entry.className = "count";
      const code = make("b", record.techniques[i].code);
      code.className = "code " + record.techniques[i].family;
      entry.append(code, n > 1 ? "×" + n : "");
      top.append(entry, " ");
    }
    row.append(top);
    return row;
  }

  function make(name, text) { const element = document.createElement(name); element.textContent = text; return element; }
  function cell(content) { const element = document.createElement("td"); element.append(content); return element; }
  function change(values) { Object.assign(state, { page: 1 }, values); show(); }

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      const key = head.dataset.key;
      const again = state.sort === key;
      change({ sort: key, down: again ? !state.down : NUMBERS.has(key) });
    });
    head.replaceChildren(button);
  }
  let typing = 0;
  byId("filter").addEventListener("input", (event) => { clearTimeout(typing); typing = setTimeout(() => change({ words: event.target.value }), 120); });
  byId("technique").addEventListener("change", (event) => change({ technique: event.target.value, ...(event.target.value ? { sort: "rate", down: true } : {}) }));
  byId("theme").addEventListener("change", (event) => change({ theme: event.target.value, page: state.page }));
  byId("back").addEventListener("click", () => change({ page: state.page - 1 }));
  byId("on").addEventListener("click", () => change({ page: state.page + 1 }));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select")) return;
    if (event.key === "/") { event.preventDefault(); byId("filter").focus(); }
    if (event.key === "t") change({ theme: THEMES[(THEMES.indexOf(state.theme) + 1) % THEMES.length], page: state.page });
  });
  addEventListener("hashchange", () => { if (location.hash.includes("=") || !location.hash) { readAddress(); show(); } });
  readAddress();
  load(1);
})();
