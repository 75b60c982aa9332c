/* Copyright the airflow-provider-adgen authors */
/* SPDX-License-Identifier: Apache-2.0 */
"use strict";
(() => {
  const cards = JSON.parse(document.getElementById("data").textContent).cards;
  const PAGE = 48;
  const get = (id) => document.getElementById(id);
  const grid = get("grid"), pager = get("pager"), dialog = get("details"), search = get("search"), facets = get("facets");
  const STATUS = new Map([["completed", "made"], ["missing", "no result"]]);
  const REVIEW = { true: "approved", false: "rejected", undefined: "not reviewed" };

  /* Whatever comes from outside passes through here, as text: there is no innerHTML in this file. */
  const make = (name, attributes, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === true) node.setAttribute(key, "");
      else if (value !== undefined && value !== false && value !== null) node.setAttribute(key, String(value));
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
    return node;
  };
  const number = new Intl.NumberFormat("en");
  const size = (bytes) =>
    bytes < 1e3 ? `${bytes} B` : bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  const length = (seconds) =>
    seconds < 60 ? `${Math.round(seconds * 10) / 10} s` : `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, "0")} min`;
  const measures = (file) =>
    [file.width && `${file.width} × ${file.height}`, file.seconds && length(file.seconds)].filter(Boolean).join(" · ");
  const statusOf = (card) => STATUS.get(card.status) || card.status;
  const name = (card) => card.title || card.product || card.key;
  const setting = (card) => [card.brief, card.format, card.locale].filter(Boolean).join(" · ");

  /* --- filters --- */

  const FACETS = [
    ["product", "Product", (card) => card.product, (card) => (card.title ? `${card.title} (${card.product})` : card.product)],
    ["brief", "Brief", (card) => card.brief],
    ["vendor", "Vendor", (card) => card.vendor],
    ["status", "Status", statusOf],
    ["review", "Review", (card) => REVIEW[card.approved]],
    ["kind", "Kind", (card) => card.kind],
    ["format", "Format", (card) => card.format],
    ["locale", "Locale", (card) => card.locale],
  ];
  const selects = new Map();
  for (const [id, label, value, text] of FACETS) {
    const found = new Map();
    for (const card of cards) {
      const key = value(card);
      if (key === undefined) continue;
      const one = found.get(key) || { text: text ? text(card) : key, count: 0 };
      one.count += 1;
      found.set(key, one);
    }
    if (found.size < 2 && !(found.size === 1 && [...found.values()][0].count < cards.length)) continue;
    const options = [...found].sort((a, b) => a[1].text.localeCompare(b[1].text, "en", { numeric: true }));
    const select = make("select", { id: `by-${id}` }, make("option", { value: "" }, "All"));
    for (const [key, one] of options) select.append(make("option", { value: key }, `${one.text} · ${number.format(one.count)}`));
    facets.append(make("label", {}, make("span", {}, label), select));
    selects.set(id, [select, value]);
  }
  if (!selects.size) get("toggle").hidden = true;

  const haystacks = new Map();
  const haystack = (card) => {
    if (!haystacks.has(card)) {
      const copy = (card.variants || []).flatMap((one) => [one.hook, one.body, one.cta]);
      const words = [card.key, card.title, card.product, card.brief, card.vendor, card.conn_id, card.prompt, card.reason, card.job];
      haystacks.set(card, [...words, ...copy].filter(Boolean).join("\n").toLowerCase());
    }
    return haystacks.get(card);
  };

  let shown = cards, page = 0;
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = [...selects.values()].filter(([select]) => select.value !== "");
    shown = cards.filter(
      (card) =>
        wanted.every(([select, value]) => value(card) === select.value) &&
        (!words.length || words.every((word) => haystack(card).includes(word))),
    );
    get("reset").hidden = !words.length && !wanted.length;
    get("toggle").textContent = wanted.length ? `Filters (${wanted.length})` : "Filters";
    const all = number.format(cards.length);
    get("count").textContent = shown.length === cards.length ? `${all} items` : `${number.format(shown.length)} of ${all} items`;
  };

  /* The address keeps what is shown, so that a view can be sent to somebody. */
  const remember = () => {
    const state = new URLSearchParams();
    if (search.value) state.set("q", search.value);
    for (const [id, [select]] of selects) if (select.value) state.set(id, select.value);
    if (page) state.set("page", page + 1);
    history.replaceState(null, "", `#${state}`);
  };
  const recall = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    search.value = state.get("q") || "";
    for (const [id, [select]] of selects) {
      select.value = state.get(id) || "";
      if (select.selectedIndex < 0) select.value = "";
    }
    filter();
    page = Math.max(0, (parseInt(state.get("page"), 10) || 1) - 1);
  };

  /* --- media --- */

  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        near.unobserve(entry.target);
        entry.target.preload = "metadata";
        entry.target.src = entry.target.dataset.src;
      }
    },
    { rootMargin: "200px" },
  );
  const failed = (file) => make("p", { class: "nothing" }, "This file could not be loaded. ", make("code", {}, file.uri));
  const player = (file, label, inDialog) => {
    let node;
    if (!file.link) return make("p", { class: "nothing" }, "Stored elsewhere: ", make("code", {}, file.uri));
    if (file.kind === "image") {
      node = make("img", { alt: label, loading: inDialog ? "eager" : "lazy", decoding: "async", width: file.width, height: file.height });
      node.src = file.link;
    } else if (file.kind === "video" || file.kind === "audio") {
      node = make(file.kind, { controls: true, preload: "none", playsinline: true, "aria-label": label, width: file.width, height: file.height });
      /* The fragment makes browsers show a picture of the film instead of nothing. */
      node.dataset.src = file.kind === "video" ? `${file.link}#t=0.1` : file.link;
      near.observe(node);
    } else {
      return make("p", { class: "nothing" }, make("a", { href: file.link, download: true }, `${file.media_type || file.kind} · ${size(file.size || 0)}`));
    }
    node.addEventListener("error", () => node.src && node.replaceWith(failed(file)), { once: true });
    return node;
  };
  const copyOf = (variant) =>
    make(
      "blockquote",
      { dir: "auto" },
      variant.hook && make("strong", {}, variant.hook),
      variant.body && make("p", {}, variant.body),
      variant.cta && make("p", { class: "cta" }, variant.cta),
      variant.hashtags && make("p", { class: "tags" }, variant.hashtags.map((tag) => `#${String(tag).replace(/^#/, "")}`).join(" ")),
    );
  const labelOf = (card, file) => `${file.kind} for ${name(card)}, ${setting(card)}`;

  /* --- cards --- */

  const badge = (card) => {
    const rejected = card.approved === false && card.origin;
    return make("span", { class: `badge ${rejected ? "rejected" : card.status}` }, rejected ? "rejected" : statusOf(card));
  };
  const draw = (card) => {
    const files = card.files || [], variants = card.variants || [], first = files[0];
    const stage = make("div", { class: "stage" });
    const open = () => show(card);
    if (first && first.kind === "image" && first.link) {
      const button = make("button", { type: "button", class: "zoom", "aria-label": `Details of ${name(card)}, ${setting(card)}` }, player(first, labelOf(card, first)));
      button.addEventListener("click", open);
      stage.append(button);
    } else if (variants.length) {
      stage.classList.add("copy");
      stage.append(...variants.map(copyOf));
    } else if (first) {
      stage.append(player(first, labelOf(card, first)));
    } else {
      stage.append(make("p", { class: "nothing" }, card.reason || "There is no result."));
    }
    if (files.length > 1) stage.append(make("span", { class: "more" }, `1 of ${files.length}`));
    const details = make("button", { type: "button", class: "plain" }, "Details");
    details.addEventListener("click", open);
    const facts = [card.vendor || card.conn_id, first && measures(first), variants.length > 1 && `${variants.length} variants`].filter(Boolean);
    return make(
      "article",
      { class: `card${variants.length && !(first && first.kind !== "archive" && first.link) ? " wide" : ""}`, "data-key": card.key },
      stage,
      make(
        "div",
        { class: "about" },
        make("div", { class: "line" }, make("h2", { dir: "auto", title: name(card) }, name(card)), badge(card)),
        make("p", { class: "setting" }, setting(card)),
        make("div", { class: "line" }, make("p", { class: "facts" }, facts.join(" · ")), details),
      ),
    );
  };
  const drawPager = (pages) => {
    pager.replaceChildren();
    if (pages < 2) return;
    const step = (text, to) => {
      const button = make("button", { type: "button", disabled: to < 0 || to >= pages }, text);
      button.addEventListener("click", () => turn(to));
      return button;
    };
    const choice = make("select", { "aria-label": "Page" });
    for (let one = 0; one < pages; one += 1) choice.append(make("option", { value: one }, `Page ${one + 1} of ${pages}`));
    choice.value = page;
    choice.addEventListener("change", () => turn(Number(choice.value)));
    pager.append(step("‹ Previous", page - 1), choice, step("Next ›", page + 1));
  };
  const drawAll = () => {
    const pages = Math.ceil(shown.length / PAGE);
    page = Math.min(page, Math.max(0, pages - 1));
    near.disconnect();
    const some = shown.slice(page * PAGE, (page + 1) * PAGE).map(draw);
    grid.replaceChildren(...(some.length ? some : [make("p", { class: "note" }, cards.length ? "Nothing fits these filters." : "This run has no items.")]));
    drawPager(pages);
  };
  const turn = (to) => {
    page = to;
    drawAll();
    remember();
    grid.focus({ preventScroll: true });
    get("bar").scrollIntoView();
  };

  /* --- one creative --- */

  const show = (card) => {
    const at = shown.indexOf(card);
    const step = (text, label, to) => {
      const button = make("button", { type: "button", "aria-label": label, disabled: !shown[to], "data-step": to }, text);
      button.addEventListener("click", () => show(shown[to]));
      return button;
    };
    const close = make("button", { type: "button", "aria-label": "Close" }, "✕");
    close.addEventListener("click", () => dialog.close());
    const facts = make("dl", {});
    const fact = (label, value) => value && facts.append(make("dt", {}, label), make("dd", { dir: "auto" }, value));
    fact("Status", card.reason ? `${statusOf(card)}: ${card.reason}` : statusOf(card));
    fact("Review", card.approved === undefined ? null : REVIEW[card.approved]);
    fact("Prompt", card.prompt);
    fact("Settings", card.settings);
    fact("Made by", [card.vendor, card.conn_id, card.choice > 1 && `choice ${card.choice}`].filter(Boolean).join(" · "));
    fact("Credits", card.origin === "reused" ? "reused, nothing was paid" : card.credits);
    fact("Job", card.job && make("code", {}, card.job));
    fact("Finished", card.done);
    fact("Product", card.product && make("code", {}, card.product));
    fact("Key", make("code", {}, card.key));
    const figures = (card.files || []).map((file) =>
      make(
        "figure",
        {},
        player(file, labelOf(card, file), true),
        make(
          "figcaption",
          {},
          [file.media_type || file.kind, measures(file), file.size !== undefined && size(file.size)].filter(Boolean).join(" · "),
          file.link && make("a", { href: file.link, target: "_blank", rel: "noopener" }, "Open the file"),
          make("code", {}, file.uri),
          file.sha256 && make("code", {}, `SHA-256 ${file.sha256}`),
        ),
      ),
    );
    dialog.replaceChildren(
      make(
        "div",
        { class: "top" },
        make("div", {}, make("h2", { id: "details-title", dir: "auto" }, name(card)), make("p", { class: "setting" }, setting(card))),
        step("‹", "Previous", at - 1),
        step("›", "Next", at + 1),
        close,
      ),
      make("div", { class: "inside" }, make("div", { class: "shown" }, figures, (card.variants || []).map(copyOf), !figures.length && !card.variants && make("p", { class: "nothing" }, "There is no result.")), facts),
    );
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    dialog.focus();
  };
  dialog.addEventListener("keydown", (event) => {
    if (/^(VIDEO|AUDIO)$/.test(event.target.tagName)) return;
    const step = { ArrowLeft: "Previous", ArrowRight: "Next" }[event.key];
    if (step) dialog.querySelector(`.top [aria-label=${step}]`).click();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.replaceChildren());

  /* --- begin --- */

  const changed = () => {
    page = 0;
    filter();
    drawAll();
    remember();
  };
  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(changed, 120);
  });
  facets.addEventListener("change", changed);
  get("bar").addEventListener("submit", (event) => event.preventDefault());
  get("bar").addEventListener("reset", () => setTimeout(changed));
  get("toggle").addEventListener("click", () => {
    const open = get("bar").classList.toggle("open");
    get("toggle").setAttribute("aria-expanded", open);
  });
  addEventListener("hashchange", () => {
    recall();
    drawAll();
  });
  recall();
  drawAll();
})();
