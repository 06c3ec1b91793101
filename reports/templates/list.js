"use strict";
// The list of households: rows, search, sorting, cards. It draws itself when the page says its language.
(() => {
  const lang = () => document.documentElement.dataset.lang;
  const holder = document.getElementById("data");
  const data = JSON.parse(holder.textContent);
  const words = (key) => data.words[key][lang()];
  const PAGE = 50;
  const rows = data.rows;
  const at = Object.fromEntries(data.columns.map((name, i) => [name, i]));
  const get = (row, name) => row[at[name]];
  const reasonsOf = (row) => (data.reasons[lang()] || data.reasons.zh || data.reasons.en)[get(row, "id")];
  const percent = (v) => (v === null ? "—" : (100 * v).toFixed(1) + "%");
  const yuan = (v) => (v === null ? "—" : v === "inf" ? "∞" : Math.round(v).toLocaleString("en-US"));
  const el = (tag, text, cls) => {
    const node = document.createElement(tag);
    if (text !== undefined && text !== null) node.textContent = text;
    if (cls) node.className = cls;
    return node;
  };
  const kind = (row) => (get(row, "flagged") ? "flagged" : get(row, "unknown") ? "unknown" : "not_flagged");
  const category = (row) => {
    const code = get(row, "rule_category");
    return data.categories[code] ? data.categories[code][lang()] : code;
  };
  const search = document.getElementById("search");
  const township = document.getElementById("township");
  const kinds = document.getElementById("kind");
  const body = document.getElementById("rows");
  const state = { page: 0, by: "rank", down: false, open: null };
  let shown = [];

  const plans = data.plans || {};
  const planOf = (row) => (plans[lang()] || plans.zh || plans.en || [])[get(row, "id")];
  // Without a list nobody's visit is planned: there is nothing to choose.
  if (!rows.some((row) => get(row, "planned"))) kinds.querySelector("[value=planned]").remove();
  for (const name of data.townships) {
    const option = el("option", name);
    option.value = name;
    township.append(option);
  }
  const texts = { zh: [], en: [] };
  const textOf = (row) => {
    const known = texts[lang()], id = get(row, "id");
    if (known[id] === undefined) {
      const said = reasonsOf(row).map((r) => r[0] + " " + r[2]).join(" ");
      known[id] = (get(row, "household_id") + " " + get(row, "village") + " " + said).toLowerCase();
    }
    return known[id];
  };
  const compare = (a, b) => {
    const x = get(a, state.by), y = get(b, state.by);
    if (x === y) return get(a, "rank") - get(b, "rank");
    if (x === null) return 1;
    if (y === null) return -1;
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "zh-CN");
    return state.down ? -order : order;
  };
  const choose = () => {
    const text = search.value.trim().toLowerCase();
    shown = rows.filter((row) =>
      (!township.value || get(row, "township") === township.value) &&
      (!kinds.value || (kinds.value === "planned" ? get(row, "planned") : kind(row) === kinds.value)) &&
      (!text || textOf(row).includes(text)));
    shown.sort(compare);
    state.page = 0;
    draw();
  };
  const cell = (row, text, cls) => row.append(el("td", text, cls));
  const draw = () => {
    body.replaceChildren();
    const from = state.page * PAGE;
    for (const row of shown.slice(from, from + PAGE)) {
      const tr = el("tr");
      tr.tabIndex = 0;
      tr.dataset.id = get(row, "id");
      cell(tr, get(row, "rank"));
      cell(tr, get(row, "household_id"), "text");
      cell(tr, get(row, "township"), "text");
      cell(tr, get(row, "village"), "text");
      const td = el("td", null, "text");
      const tags = { flagged: "tag flag", unknown: "tag unknown", not_flagged: "tag" };
      td.append(el("span", category(row), tags[kind(row)]));
      tr.append(td);
      cell(tr, yuan(get(row, "pcni")));
      cell(tr, yuan(get(row, "line")));
      cell(tr, percent(get(row, "probability")), get(row, "foretold") ? null : "pale");
      const first = reasonsOf(row)[0];
      const join = lang() === "zh" ? "：" : ": ";
      cell(tr, first ? first[0] + join + first[2] : "", "reason");
      body.append(tr);
    }
    if (!shown.length) {
      const tr = el("tr"), td = el("td", words("nothing"));
      td.colSpan = 9;
      tr.append(td);
      body.append(tr);
    }
    const to = Math.min(from + PAGE, shown.length);
    document.getElementById("count").textContent = words("shown")
      .replace("{n}", shown.length.toLocaleString("en-US")).replace("{a}", shown.length ? from + 1 : 0).replace("{b}", to);
    document.getElementById("previous").disabled = state.page === 0;
    document.getElementById("next").disabled = to >= shown.length;
  };

  const card = document.getElementById("card");
  const fact = (list, name, value, cls) => {
    const div = el("div", null, cls);
    div.append(el("dt", words(name)), el("dd", value));
    list.append(div);
  };
  const NS = "http://www.w3.org/2000/svg";
  const svg = (tag, attributes, text) => {
    const node = document.createElementNS(NS, tag);
    for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const history = (id) => {
    const past = data.histories[id];
    if (!past) return null;
    const [months, income, spending] = past;
    const W = 600, H = 190, left = 46, base = 150;
    const values = [...income, ...spending].filter((v) => v !== null);
    const top = Math.max(1, ...values);
    const x = (i) => left + ((i + 0.5) * (W - left)) / months.length;
    const y = (v) => base - (v / top) * (base - 16);
    const out = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": words("history") });
    for (const part of [0, 0.5, 1]) {
      out.append(svg("line", { x1: left, x2: W, y1: y(part * top), y2: y(part * top), stroke: "#e2e8f0" }));
      out.append(svg("text", { x: left - 6, y: y(part * top) + 4, "text-anchor": "end", "font-size": 11, fill: "#64748b" }, yuan(part * top)));
    }
    const wide = ((W - left) / months.length) * 0.7;
    income.forEach((v, i) => {
      if (v !== null) out.append(svg("rect", { x: x(i) - wide / 2, y: y(v), width: wide, height: Math.max(0, base - y(v)), fill: "#93c5fd" }));
    });
    const points = spending.map((v, i) => (v === null ? null : `${x(i)},${y(v)}`)).filter(Boolean).join(" ");
    out.append(svg("polyline", { points, fill: "none", stroke: "#d97706", "stroke-width": 1.5 }));
    // The dots are what is on record; the line between them only leads the eye over months without a row.
    spending.forEach((v, i) => {
      if (v !== null) out.append(svg("circle", { cx: x(i), cy: y(v), r: 3, fill: "#d97706" }));
    });
    months.forEach((m, i) => {
      if (i % Math.ceil(months.length / 8) === 0 && x(i) < W - 20)
        out.append(svg("text", { x: x(i), y: base + 16, "text-anchor": "middle", "font-size": 11, fill: "#64748b" }, m));
    });
    out.append(svg("rect", { x: left, y: H - 14, width: 12, height: 9, fill: "#93c5fd" }));
    out.append(svg("text", { x: left + 17, y: H - 6, "font-size": 11, fill: "#334155" }, words("income") + " (" + words("yuan") + ")"));
    out.append(svg("line", { x1: left + 120, x2: left + 134, y1: H - 10, y2: H - 10, stroke: "#d97706", "stroke-width": 2 }));
    out.append(svg("text", { x: left + 139, y: H - 6, "font-size": 11, fill: "#334155" }, words("spending")));
    return out;
  };
  const open = (id) => {
    const row = rows.find((r) => get(r, "id") === id);
    state.open = id;
    const inside = el("div", null, "card");
    const head = el("header");
    head.append(el("h2", get(row, "household_id")));
    const tools = el("div", null, "tools");
    const printer = el("button", document.querySelector("#print [lang=" + lang() + "]").textContent);
    printer.type = "button";
    printer.addEventListener("click", () => window.print());
    const close = el("button", words("close"));
    close.type = "button";
    close.id = "close";
    close.addEventListener("click", () => card.close());
    tools.append(printer, close);
    head.append(tools);
    inside.append(head, el("p", get(row, "township") + " · " + get(row, "village"), "where"));
    const facts = el("dl", null, "facts");
    const hint = get(row, "foretold") ? "" : " (" + words("hint") + ")";
    fact(facts, "probability", percent(get(row, "probability")) + hint);
    if (get(row, "low") !== null) fact(facts, "interval", percent(get(row, "low")) + " – " + percent(get(row, "high")));
    fact(facts, "rule_category", category(row));
    fact(facts, "pcni", yuan(get(row, "pcni")));
    fact(facts, "line", yuan(get(row, "line")));
    if (get(row, "persons") !== null) fact(facts, "persons", get(row, "persons"));
    if (planOf(row)) fact(facts, "plan", planOf(row), "wide");
    inside.append(facts);
    if (hint) inside.append(el("p", words("hint_note"), "note"));
    const conditions = get(row, "rule_conditions").map((c) => (data.conditions[c] ? data.conditions[c][lang()] : c));
    if (conditions.length) {
      inside.append(el("h3", words("rule_conditions")));
      const list = el("ul", null, "plain");
      conditions.forEach((c) => list.append(el("li", c)));
      inside.append(list);
    }
    inside.append(el("h3", words("reasons")));
    const said = reasonsOf(row);
    const list = el("ol", null, "why");
    const most = Math.max(0.0001, ...said.map((r) => r[1]));
    for (const [cause, size, text] of said) {
      const li = el("li"), name = el("div", null, "cause"), mark = el("i");
      mark.style.width = (160 * size) / most + "px";
      name.append(el("span", cause), mark);
      li.append(name, el("p", text));
      list.append(li);
    }
    inside.append(said.length ? list : el("p", words("no_reason"), "note"));
    if (said.length) inside.append(el("p", words("reasons_note"), "note"));
    const past = history(id);
    if (past) {
      const chart = el("div", null, "chart");
      chart.append(el("h3", words("history")), past);
      inside.append(chart);
    }
    card.replaceChildren(inside);
    if (!card.open) card.showModal();
    document.body.classList.add("card-open");
  };
  card.addEventListener("close", () => {
    document.body.classList.remove("card-open");
    state.open = null;
  });
  card.addEventListener("click", (event) => { if (event.target === card) card.close(); });
  const pick = (event) => {
    const tr = event.target.closest("tr[data-id]");
    if (tr) open(Number(tr.dataset.id));
  };
  body.addEventListener("click", pick);
  body.addEventListener("keydown", (event) => { if (event.key === "Enter") pick(event); });
  for (const button of document.querySelectorAll("th [data-by]")) {
    button.addEventListener("keydown", (event) => { if (event.key === "Enter") button.click(); });
    button.addEventListener("click", () => {
      const by = button.dataset.by;
      state.down = state.by === by ? !state.down : by === "probability";
      state.by = by;
      for (const th of document.querySelectorAll("#list th")) th.removeAttribute("aria-sort");
      button.closest("th").setAttribute("aria-sort", state.down ? "descending" : "ascending");
      choose();
    });
  }
  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(choose, 120); });
  township.addEventListener("change", choose);
  kinds.addEventListener("change", choose);
  document.getElementById("previous").addEventListener("click", () => { state.page -= 1; draw(); });
  document.getElementById("next").addEventListener("click", () => { state.page += 1; draw(); });
  const speak = () => {
    search.placeholder = words("search");
    search.setAttribute("aria-label", words("search"));
    township.options[0].textContent = words("all_townships");
    const names = { "": "all_kinds", planned: "planned", flagged: "flagged", not_flagged: "not_flagged", unknown: "unknown" };
    for (const option of kinds.options) option.textContent = words(names[option.value]);
    choose();
    if (state.open !== null) open(state.open);
  };
  document.addEventListener("lang", speak);
})();
