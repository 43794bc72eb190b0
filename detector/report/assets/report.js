// The controls of a page with articles. The page reads without this script; nothing here asks for anything elsewhere.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");

  const byId = (id) => document.getElementById(id);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const THEMES = ["system", "light", "dark"];
  const SIZES = { least: -2, most: 3 };
  const MOST_MATCHES = 2000;
  const reduced = matchMedia("(prefers-reduced-motion: reduce)").matches;

  // One record for each finding: its entry in the list, its marks in the text, what the controls look at.
  const findings = new Map();
  for (const item of all(".finding")) {
    findings.set(item.dataset.n, {
      n: item.dataset.n, item, marks: [], shown: true,
      techniques: item.dataset.t.split(" "),
      percent: Number(item.dataset.p),
      quoted: item.classList.contains("quoted"),
      words: item.querySelector(".name").textContent + " " + item.querySelector(".code").textContent + " " + item.querySelector(".quote").textContent,
    });
  }
  for (const mark of all("mark[data-n]")) findings.get(mark.dataset.n)?.marks.push(mark);
  const order = [...findings.values()];
  const techniqueBoxes = all("[data-technique]");
  const familyBoxes = all("[data-family]");
  const familyOf = (box) => familyBoxes.find((one) => one.closest("label").classList.contains(one.dataset.family) && box.closest("label").classList.contains(one.dataset.family));

  const initial = () => ({ off: new Set(), min: 0, quoted: true, theme: "system", size: 0, search: "", chosen: null });
  let state = initial();

  // -- the address -----------------------------------------------------------------------------------------------

  function readAddress() {
    const hash = location.hash.slice(1);
    state = initial();
    if (!hash.includes("=")) return hash;
    const given = new URLSearchParams(hash);
    const known = new Set(techniqueBoxes.map((box) => box.dataset.technique));
    for (const name of (given.get("off") || "").split(",")) if (known.has(name)) state.off.add(name);
    state.min = clamp(Number(given.get("min")) || 0, 0, 100);
    state.quoted = given.get("quoted") !== "0";
    state.theme = THEMES.includes(given.get("theme")) ? given.get("theme") : "system";
    state.size = clamp(Math.round(Number(given.get("size")) || 0), SIZES.least, SIZES.most);
    state.search = (given.get("q") || "").slice(0, 200);
    state.chosen = findings.has(given.get("f")) ? given.get("f") : null;
    return "";
  }

  function writeAddress() {
    const parts = new URLSearchParams();
    if (state.off.size) parts.set("off", [...state.off].join(","));
    if (state.min) parts.set("min", state.min);
    if (!state.quoted) parts.set("quoted", "0");
    if (state.theme !== "system") parts.set("theme", state.theme);
    if (state.size) parts.set("size", state.size);
    if (state.search) parts.set("q", state.search);
    if (state.chosen) parts.set("f", state.chosen);
    const hash = parts.toString().replaceAll("%2C", ",");
    if (hash !== location.hash.slice(1)) history.replaceState(null, "", "#" + hash);
  }

  function clamp(value, least, most) { return Math.min(Math.max(value, least), most); }

  // -- what is shown ---------------------------------------------------------------------------------------------

  function apply() {
    showChoices();
    const wanted = state.search ? pattern(state.search) : null;
    for (const finding of order) {
      const shown = finding.percent >= state.min && (state.quoted || !finding.quoted) && !finding.techniques.every((name) => state.off.has(name));
      if (shown !== finding.shown) {
        finding.shown = shown;
        for (const mark of finding.marks) mark.classList.toggle("off", !shown);
      }
      finding.listed = shown && (!wanted || finding.words.search(wanted) >= 0);
      finding.item.hidden = !finding.listed;
    }
    if (state.chosen && !findings.get(state.chosen).listed) choose(null);
    for (const aside of all("aside.findings")) {
      const nothing = aside.querySelector(".nothing");
      if (nothing) nothing.hidden = aside.querySelector(".finding:not([hidden])") !== null;
    }
  }

  function showChoices() {
    for (const box of techniqueBoxes) box.checked = !state.off.has(box.dataset.technique);
    for (const box of familyBoxes) {
      const members = techniqueBoxes.filter((one) => familyOf(one) === box);
      const n = members.filter((one) => one.checked).length;
      box.checked = n > 0;
      box.indeterminate = n > 0 && n < members.length;
    }
    if (byId("min")) {
      byId("min").value = state.min;
      byId("min-shown").textContent = state.min + "%";
      byId("quoted").checked = state.quoted;
      byId("theme").value = state.theme;
      byId("smaller").disabled = state.size === SIZES.least;
      byId("larger").disabled = state.size === SIZES.most;
      if (byId("search").value !== state.search) byId("search").value = state.search;
    }
    if (state.theme === "system") delete root.dataset.theme; else root.dataset.theme = state.theme;
    if (state.size) root.dataset.size = state.size; else delete root.dataset.size;
  }

  function change(values) {
    Object.assign(state, values);
    apply();
    writeAddress();
  }

  // -- one finding -----------------------------------------------------------------------------------------------

  const explain = document.createElement("div");
  explain.className = "explain";
  explain.innerHTML = '<p class="definition"></p><p class="question"></p><p class="actions"><button type="button" class="back">Previous</button><button type="button" class="on">Next</button><button type="button" class="shut">Close</button></p>';
  explain.querySelector(".back").addEventListener("click", () => step(-1, true));
  explain.querySelector(".on").addEventListener("click", () => step(1, true));
  explain.querySelector(".shut").addEventListener("click", () => { const last = findings.get(state.chosen); choose(null); last?.item.querySelector(".go").focus({ preventScroll: true }); });

  function choose(n, { scrollText = false, scrollList = false, say = true } = {}) {
    const before = findings.get(state.chosen);
    if (before) {
      before.item.classList.remove("chosen");
      before.item.parentElement.classList.remove("held");
      before.item.querySelector(".go").removeAttribute("aria-current");
      for (const element of [...before.marks, ...cuesOf(before)]) element.classList.remove("chosen");
      explain.remove();
    }
    state.chosen = n;
    const finding = findings.get(n);
    if (finding) {
      finding.item.classList.add("chosen");
      finding.item.parentElement.classList.add("held"); // a list that may be skipped would confine the entry on a phone
      finding.item.querySelector(".go").setAttribute("aria-current", "true");
      for (const element of [...finding.marks, ...cuesOf(finding)]) element.classList.add("chosen");
      const card = byId("t-" + finding.techniques[0]);
      for (const part of ["definition", "question"]) explain.querySelector("." + part).textContent = card ? card.querySelector("." + part).textContent : "";
      finding.item.append(explain);
      if (scrollText) reveal(finding.marks[0]);
      if (scrollList) revealInList(finding.item);
      if (say) announce(spoken(finding));
    }
    writeAddress();
  }

  // The words that carried a finding, in it or near it.
  function cuesOf(finding) { return all(`.cue[data-w~="${finding.n}"]`); }

  function spoken(finding) {
    const listed = order.filter((one) => one.listed);
    return `Finding ${listed.indexOf(finding) + 1} of ${listed.length}: ${finding.item.querySelector(".name").textContent}, ${finding.item.querySelector(".foot").firstElementChild.textContent}. ${finding.item.querySelector(".quote").textContent}`;
  }

  function reveal(element) {
    if (!element) return;
    const box = scroller(element);
    const seen = element.getClientRects()[0] || element.getBoundingClientRect();
    const frame = box ? box.getBoundingClientRect() : { top: 0, bottom: innerHeight };
    if (seen.top < Math.max(frame.top, 0) + 90 || seen.bottom > Math.min(frame.bottom, innerHeight) * .66) {
      element.scrollIntoView({ block: "center", behavior: reduced ? "auto" : "instant" });
    }
  }

  function revealInList(item) {
    const box = scroller(item);
    if (!box) return;
    const [frame, seen] = [box.getBoundingClientRect(), item.getBoundingClientRect()];
    if (seen.top < frame.top || seen.bottom > frame.bottom) box.scrollTop += seen.top - frame.top - frame.height / 4;
  }

  function scroller(element) {
    for (let box = element.parentElement; box && box !== document.body; box = box.parentElement) {
      if (box.scrollHeight > box.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(box).overflowY)) return box;
    }
    return null;
  }

  function step(by, focus = false) {
    const listed = order.filter((finding) => finding.listed);
    if (!listed.length) return announce("No findings with these controls.");
    const at = listed.findIndex((finding) => finding.n === state.chosen);
    const next = listed[at < 0 ? (by > 0 ? 0 : listed.length - 1) : (at + by + listed.length) % listed.length];
    choose(next.n, { scrollText: true, scrollList: true });
    if (focus) next.item.querySelector(".go").focus({ preventScroll: true });
  }

  // Where findings overlap, the shortest comes first, and each further click takes the next longer one.
  function findingsAt(target) {
    const found = [];
    for (let mark = target.closest("mark"); mark; mark = mark.parentElement.closest("mark")) {
      const finding = findings.get(mark.dataset.n);
      if (finding && finding.shown) found.push(finding);
    }
    const length = (finding) => finding.marks.reduce((sum, mark) => sum + mark.textContent.length, 0);
    return found.length > 1 ? found.map((finding) => [length(finding), finding]).sort((a, b) => a[0] - b[0]).map((pair) => pair[1]) : found;
  }

  function announce(text) { byId("status").textContent = text; }

  // -- search ----------------------------------------------------------------------------------------------------

  let matches = [];
  let match = -1;
  const canHighlight = typeof Highlight === "function" && CSS.highlights;

  function pattern(words) {
    return new RegExp(words.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+"), "giu");
  }

  function search() {
    matches = [];
    match = -1;
    if (state.search.trim()) for (const text of all(".text")) matches.push(...matchesIn(text, pattern(state.search)));
    if (canHighlight) {
      CSS.highlights.delete("search-current");
      CSS.highlights.set("search", new Highlight(...matches));
    }
    const n = matches.length;
    byId("matches").textContent = state.search.trim() ? `${n >= MOST_MATCHES ? "More than " + MOST_MATCHES : n} ${n === 1 ? "place" : "places"} in the text, ${order.filter((one) => one.listed).length} of the findings.` : "";
  }

  function matchesIn(text, wanted) {
    const nodes = [];
    const starts = [];
    let whole = "";
    for (const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT); walker.nextNode();) {
      nodes.push(walker.currentNode);
      starts.push(whole.length);
      whole += walker.currentNode.data;
    }
    const place = (offset) => {
      let [low, high] = [0, starts.length - 1];
      while (low < high) { const middle = (low + high + 1) >> 1; if (starts[middle] <= offset) low = middle; else high = middle - 1; }
      return [nodes[low], offset - starts[low]];
    };
    const found = [];
    for (const hit of whole.matchAll(wanted)) {
      if (!hit[0].length || found.length >= MOST_MATCHES) break;
      const range = document.createRange();
      const [last, before] = place(hit.index + hit[0].length - 1);
      range.setStart(...place(hit.index));
      range.setEnd(last, before + 1);
      found.push(range);
    }
    return found;
  }

  function nextMatch(by) {
    if (!matches.length) return;
    match = (match + by + matches.length) % matches.length;
    if (canHighlight) CSS.highlights.set("search-current", new Highlight(matches[match]));
    reveal(matches[match].startContainer.parentElement);
    announce(`Place ${match + 1} of ${matches.length}`);
  }

  // -- what the reader does --------------------------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    const target = event.target.closest ? event.target : document.body;
    const menu = document.querySelector(".menu[open]");
    if (menu && !menu.contains(target)) menu.open = false;
    const what = target.closest(".what");
    if (what) { event.preventDefault(); return showCard(what.hash.slice(1)); }
    const line = target.closest(".to-line");
    if (line) { event.preventDefault(); return byId(line.hash.slice(1))?.scrollIntoView({ block: "center" }); }
    const skip = target.closest(".skip");
    if (skip) { event.preventDefault(); return byId("text").focus(); }
    if (target.closest("button, input, select, label, summary, dialog")) return;
    const go = target.closest(".finding");
    if (go) { event.preventDefault(); return choose(go.dataset.n, { scrollText: true }); }
    const place = target.closest(".strip rect");
    if (place) return choose(place.dataset.n, { scrollText: true, scrollList: true });
    if (String(getSelection())) return; // the reader is selecting words
    const here = findingsAt(target);
    if (here.length) {
      const at = here.findIndex((finding) => finding.n === state.chosen);
      choose(here[(at + 1) % here.length].n, { scrollList: true });
    }
  });

  function showCard(id) {
    const card = byId(id);
    if (!card) return;
    for (const other of all(".card.hot")) other.classList.remove("hot");
    card.classList.add("hot");
    card.scrollIntoView({ block: "center" });
    card.focus({ preventScroll: true });
  }

  // What is copied out of a text is the source itself, whatever a browser makes of parts that it has not laid out.
  document.addEventListener("copy", (event) => {
    const selection = getSelection();
    const range = selection.rangeCount === 1 && selection.getRangeAt(0);
    const ancestor = range && (range.commonAncestorContainer.closest ? range.commonAncestorContainer : range.commonAncestorContainer.parentElement);
    if (!ancestor?.closest(".text") || !String(range)) return;
    event.clipboardData.setData("text/plain", String(range));
    event.preventDefault();
  });

  let hot = [];
  document.addEventListener("pointerover", (event) => {
    const target = event.target.closest ? event.target : null;
    const item = target?.closest(".finding");
    const now = item ? [findings.get(item.dataset.n)] : target?.closest("mark[data-n]") ? findingsAt(target).slice(0, 1) : [];
    if (now[0] === hot[0]) return;
    for (const [group, on] of [[hot, false], [now, true]]) {
      for (const finding of group) for (const element of [finding.item, ...finding.marks]) element.classList.toggle("hot", on);
    }
    hot = now;
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return escape(event);
    if (event.target.closest?.("input:not([type=checkbox]):not([type=range]), select, textarea, dialog")) return;
    const action = { j: () => step(1), k: () => step(-1), t: nextTheme, "?": showHelp, "/": () => byId("search").focus() }[event.key];
    if (action) { event.preventDefault(); action(); }
  });

  function escape(event) {
    const menu = document.querySelector(".menu[open]");
    if (byId("help-dialog").open) return;
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
    else if (state.search) { event.preventDefault(); change({ search: "" }); search(); }
    else if (state.chosen) choose(null);
  }

  function nextTheme() {
    change({ theme: THEMES[(THEMES.indexOf(state.theme) + 1) % THEMES.length] });
    announce("Theme: " + (state.theme === "system" ? "as the system" : state.theme));
  }

  function showHelp() { byId("help-dialog").showModal(); }

  const on = (id, name, react) => byId(id)?.addEventListener(name, react);
  on("help", "click", showHelp);
  on("help-close", "click", () => byId("help-dialog").close());
  on("next", "click", () => step(1));
  on("previous", "click", () => step(-1));
  on("min", "input", (event) => change({ min: Number(event.target.value) }));
  on("quoted", "change", (event) => change({ quoted: event.target.checked }));
  on("theme", "change", (event) => change({ theme: event.target.value }));
  on("smaller", "click", () => change({ size: state.size - 1 }));
  on("larger", "click", () => change({ size: state.size + 1 }));
  on("reset", "click", () => { change({ ...initial(), theme: state.theme, size: state.size, chosen: state.chosen }); search(); });
  let typing = 0;
  on("search", "input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => { change({ search: event.target.value }); search(); }, 120);
  });
  on("search", "keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); nextMatch(event.shiftKey ? -1 : 1); } });
  for (const box of techniqueBoxes) box.addEventListener("change", () => turn([box], box.checked));
  for (const box of familyBoxes) box.addEventListener("change", () => turn(techniqueBoxes.filter((one) => familyOf(one) === box), box.checked));

  function turn(boxes, isOn) {
    const off = new Set(state.off);
    for (const box of boxes) if (isOn) off.delete(box.dataset.technique); else off.add(box.dataset.technique);
    change({ off });
    announce(`${order.filter((finding) => finding.listed).length} findings shown`);
  }

  function restore() {
    const anchor = readAddress();
    const wanted = state.chosen || (anchor.match(/^[fn](\d+)$/) || [])[1] || null;
    for (const finding of order) finding.item.classList.remove("chosen");
    state.chosen = null;
    apply();
    search();
    if (wanted && findings.get(wanted)?.listed) choose(wanted, { scrollText: true, scrollList: true, say: false });
  }

  // The controls take one row or two; what sticks below them has to know.
  const controls = document.querySelector(".controls");
  if (controls) new ResizeObserver(() => root.style.setProperty("--controls", controls.offsetHeight + "px")).observe(controls);

  addEventListener("hashchange", restore);
  restore();
})();
