// The bar of a review page. It works on what report.js shows and chooses; every decision is sent, kept, and shown then.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  let state = JSON.parse(byId("review-state").textContent);

  const text = document.querySelector(".text");
  const picker = byId("picker");
  const items = new Map(all(".finding").map((item) => [item.dataset.n, item]));
  const marks = new Map();
  for (const mark of all("mark[data-n]")) marks.set(mark.dataset.n, [...(marks.get(mark.dataset.n) || []), mark]);

  // -- what is shown ---------------------------------------------------------------------------------------------

  function show() {
    for (const finding of state.findings) {
      const item = items.get(finding.n);
      for (const element of [item, ...(marks.get(finding.n) || [])]) {
        for (const verdict of ["accepted", "rejected", "undecided"]) element.classList.toggle(verdict, verdict === finding.verdict);
      }
      let badge = item.querySelector(".verdict");
      if (!badge) {
        badge = document.createElement("b");
        badge.className = "verdict";
        item.querySelector(".foot").prepend(badge, " ");
      }
      badge.textContent = finding.verdict === "undecided" ? "" : finding.verdict;
      if (finding.by === "you") item.querySelector(".sure").textContent = finding.was ? `changed by you, was ${finding.was}` : "marked by you";
    }
    const n = state.findings.length;
    const decided = state.findings.filter((finding) => finding.verdict !== "undecided").length;
    byId("progress").max = Math.max(n, 1);
    byId("progress").value = n ? decided : state.done ? 1 : 0;
    byId("decided").textContent = state.done ? "Done: this text is in the corpus." : decided < n ? `${decided} of ${n} decided` : n ? `All ${n} decided. Mark what is missing, then say done.` : "Nothing was found. Mark what is missing, then say done.";
    byId("done").querySelector("span").textContent = state.done ? "Open again" : "Done";
    byId("done").setAttribute("aria-pressed", String(state.done));
    document.body.classList.toggle("all-decided", decided === n);
    document.body.classList.toggle("is-done", state.done);
    allow();
  }

  function allow() {
    const finding = chosen();
    for (const id of ["accept", "reject", "relabel"]) byId(id).disabled = !state.findings.length;
    byId("mark").disabled = !words;
    byId("move").disabled = !words || !finding;
    byId("undo").disabled = !state.version;
    byId("done").disabled = !state.done && state.findings.some((one) => one.verdict === "undecided");
  }

  function tell(message) { byId("status").textContent = message; }

  function fail(message) {
    byId("failure").textContent = message;
    byId("failure").hidden = false;
  }

  // -- findings --------------------------------------------------------------------------------------------------

  function chosen() {
    const item = document.querySelector(".finding.chosen");
    return item && state.findings.find((finding) => finding.n === item.dataset.n);
  }

  function choose(n) {
    const item = items.get(n);
    if (!item.classList.contains("chosen")) item.querySelector(".go").click();
    const list = item.closest("aside");
    const [frame, seen] = [list.getBoundingClientRect(), item.getBoundingClientRect()];
    if (list.scrollHeight > list.clientHeight + 1 && (seen.top < frame.top || seen.bottom > frame.bottom)) list.scrollTop += seen.top - frame.top - frame.height / 4;
  }

  // The next finding that nobody has decided about, after the chosen one and then from the start.
  function goOn() {
    const at = state.findings.indexOf(chosen());
    const rest = [...state.findings.slice(at + 1), ...state.findings.slice(0, at + 1)];
    const next = rest.find((finding) => finding.verdict === "undecided" && !items.get(finding.n).hidden);
    if (next) choose(next.n);
    else tell(state.findings.some((finding) => finding.verdict === "undecided") ? "What is left is hidden by the controls." : byId("decided").textContent);
  }

  // -- decisions -------------------------------------------------------------------------------------------------

  // One after another: what is typed ahead waits until the decision before it is kept and shown.
  let queue = Promise.resolve();
  function next(make) {
    queue = queue.then(async () => { const decision = make(); if (decision) await send(decision); }).catch((error) => fail(String(error)));
  }

  async function send(decision) {
    let answer, body;
    try {
      answer = await fetch(`${state.number}/decisions`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ version: state.version, ...decision }) });
      body = await answer.json();
    } catch {
      return fail("Not kept: the review is not running any more. Start the same command again and open the address that it prints; everything decided before is there.");
    }
    if (!answer.ok) return fail(body.error);
    byId("failure").hidden = true;
    const { reload, chosen: n, ...now } = body;
    if (reload) {
      const address = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
      if (n) address.set("f", n); else address.delete("f");
      history.replaceState(null, "", "#" + address.toString().replaceAll("%2C", ","));
      location.reload();
      return new Promise(() => {}); // nothing more on this page
    }
    state = now;
    show();
    if (decision.action === "accept" || decision.action === "reject") goOn();
    else if (n) choose(n);
    if (decision.action === "done") tell("Done.");
  }

  const spanOf = (finding) => ({ start: finding.start, end: finding.end, technique: finding.technique });

  function judge(action) {
    next(() => {
      const finding = chosen();
      if (!finding) return void goOn(); // shown first, decided by the next key
      const same = finding.verdict === { accept: "accepted", reject: "rejected" }[action];
      return { action: same ? "clear" : action, span: spanOf(finding) };
    });
  }

  function move() {
    look();
    const [finding, place] = [chosen(), words];
    if (finding && place) next(() => ({ action: "change", span: spanOf(finding), to: { ...place, technique: finding.technique } }));
  }

  // -- words that are selected -----------------------------------------------------------------------------------

  let words = null; // { start, end } in code points of the text
  let selected = null; // the range, to show it while the dialog has the focus

  function look() {
    if (picker.open) return;
    const selection = getSelection();
    selected = selection.rangeCount && !selection.isCollapsed ? selection.getRangeAt(0).cloneRange() : null;
    words = selected && selected.intersectsNode(text) ? placeOf(selected) : null;
    allow();
  }
  document.addEventListener("selectionchange", look); // comes late: what acts on the words looks again

  function placeOf(range) {
    const whole = document.createRange();
    whole.selectNodeContents(text);
    const start = range.compareBoundaryPoints(Range.START_TO_START, whole) < 0 ? 0 : codePoints(range.startContainer, range.startOffset);
    const end = codePoints(...(range.compareBoundaryPoints(Range.END_TO_END, whole) > 0 ? [text, text.childNodes.length] : [range.endContainer, range.endOffset]));
    return String(range).trim() && start < end ? { start, end } : null;
  }

  function codePoints(node, offset) {
    const before = document.createRange();
    before.setStart(text, 0);
    before.setEnd(node, offset);
    return [...before.toString()].length;
  }

  // -- the techniques --------------------------------------------------------------------------------------------

  let picked = null; // what becomes of the technique that is picked

  function pick(title, quote, then) {
    picked = then;
    byId("picker-title").textContent = title;
    byId("picked").textContent = quote.length > 200 ? quote.slice(0, 199) + "…" : quote;
    byId("pick-filter").value = "";
    filter();
    if (selected && words && CSS.highlights) CSS.highlights.set("search-current", new Highlight(selected));
    picker.showModal();
    byId("pick-filter").focus();
  }

  function relabel() {
    next(() => {
      const finding = chosen();
      if (!finding) return void goOn();
      pick("Which technique is it?", items.get(finding.n).querySelector(".quote").textContent, (technique) => ({ action: "change", span: spanOf(finding), to: { ...spanOf(finding), technique } }));
    });
  }

  function mark() {
    look();
    const place = words;
    if (place) pick("Which technique do these words use?", String(selected), (technique) => ({ action: "add", span: { ...place, technique } }));
    else tell("Select words in the text first.");
  }

  function filter() {
    const wanted = byId("pick-filter").value.trim().toLowerCase();
    let n = 0;
    for (const button of all(".pick")) {
      const { code, words: name } = button.dataset;
      button.hidden = wanted !== "" && !code.toLowerCase().startsWith(wanted) && !name.toLowerCase().includes(wanted);
      n += !button.hidden;
    }
    for (const group of all(".pick-group")) group.hidden = !group.querySelector(".pick:not([hidden])");
    document.querySelector(".pick-none").hidden = n > 0;
  }

  // A code that is typed whole comes before names that contain it.
  function best() {
    const wanted = byId("pick-filter").value.trim().toLowerCase();
    const shown = all(".pick:not([hidden])");
    return shown.find((button) => button.dataset.code.toLowerCase() === wanted) || shown[0];
  }

  picker.addEventListener("keydown", (event) => {
    if (event.key === "Escape") event.stopPropagation(); // report.js would let go of the finding, too
    if (event.key === "Enter" && event.target === byId("pick-filter")) { event.preventDefault(); best()?.click(); }
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const shown = [byId("pick-filter"), ...all(".pick:not([hidden])")];
    shown[(shown.indexOf(document.activeElement) + by + shown.length) % shown.length].focus();
  });
  picker.addEventListener("close", () => { if (CSS.highlights) CSS.highlights.delete("search-current"); });
  picker.addEventListener("click", (event) => {
    const button = event.target.closest(".pick");
    if (!button) return;
    const make = picked;
    picker.close();
    next(() => make(button.dataset.pick));
  });
  byId("pick-filter").addEventListener("input", filter);
  byId("pick-close").addEventListener("click", () => picker.close());

  // -- keys and buttons ------------------------------------------------------------------------------------------

  const undo = () => next(() => (state.version ? { action: "undo" } : null));
  const done = () => next(() => ({ action: state.done ? "reopen" : "done" }));
  const acts = { a: ["accept", () => judge("accept")], x: ["reject", () => judge("reject")], r: ["relabel", relabel], m: ["mark", mark], w: ["move", move], u: ["undo", undo], d: ["done", done] };
  for (const [id, act] of Object.values(acts)) {
    byId(id).addEventListener("mousedown", (event) => event.preventDefault()); // the words stay selected
    byId(id).addEventListener("click", act);
  }
  for (const [id, number, key] of [["to-previous", state.previous, "["], ["to-next", state.next, "]"]]) {
    const link = byId(id);
    if (!link || !number) continue;
    link.href = String(number);
    link.hidden = false;
    acts[key] = [id, () => link.click()];
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.closest?.("input:not([type=checkbox]):not([type=range]), select, textarea, dialog")) return;
    const act = acts[event.key];
    if (act) { event.preventDefault(); act[1](); }
  });
  const desk = document.querySelector(".desk");
  new ResizeObserver(() => document.documentElement.style.setProperty("--desk", desk.offsetHeight + "px")).observe(desk);
  new MutationObserver(allow).observe(document.querySelector("aside.findings"), { subtree: true, attributeFilter: ["class"] });

  // The help of the report knows the keys of the report only.
  const keys = document.querySelector("#help-dialog .keys");
  for (const [key, what] of [["a", "accept the finding, and go on to the next; again: neither"], ["x", "reject it, likewise"], ["r", "give it another technique"], ["m", "mark the words that are selected"], ["w", "give the finding the words that are selected"], ["u", "undo the last decision"], ["d", "this text is done, or open it again"], ["[", "previous text"], ["]", "next text"]]) {
    if (!acts[key]) continue;
    const name = document.createElement("dt");
    name.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    keys.append(name, Object.assign(document.createElement("dd"), { textContent: what }));
  }

  // A browser that loads a page anew goes back to where it was, which after an undo can be far from the finding.
  addEventListener("load", () => setTimeout(() => {
    const seen = marks.get(chosen()?.n)?.[0].getBoundingClientRect();
    if (seen && (seen.top < 90 || seen.bottom > innerHeight - 110)) marks.get(chosen().n)[0].scrollIntoView({ block: "center" });
  }));

  show();
})();
