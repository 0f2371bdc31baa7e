// Shows the values under the pointer; without it the page reads the same, less the hovering.
for (const plot of document.querySelectorAll("[data-hover]")) {
  const { at, when, series } = JSON.parse(plot.dataset.hover);
  const rule = plot.appendChild(Object.assign(document.createElement("i"), { className: "rule" }));
  const tip = plot.appendChild(Object.assign(document.createElement("div"), { className: "tip" }));
  const nearest = (x) => {
    let low = 0, high = at.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (at[middle] < x) low = middle; else high = middle;
    }
    return x - at[low] < at[high] - x ? low : high;
  };
  const say = (text, style) => {
    const row = tip.appendChild(document.createElement("div"));
    row.textContent = text;
    if (style) row.className = `key ${style}`;
  };
  const show = (event) => {
    const box = plot.getBoundingClientRect();
    const place = nearest((event.clientX - box.left) / box.width);
    const left = at[place];
    tip.replaceChildren();
    say(when[place]);
    for (const { name, style, words } of series) say(`${name} ${words[place]}`, style);
    rule.style.left = tip.style.left = `${100 * left}%`;
    tip.classList.toggle("left", left > 0.5);
    plot.classList.add("pointed");
  };
  plot.addEventListener("pointermove", show);
  plot.addEventListener("pointerdown", show);
  plot.addEventListener("pointerleave", () => plot.classList.remove("pointed"));
}
