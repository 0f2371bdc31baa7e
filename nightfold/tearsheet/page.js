// Shows the values under the pointer; without it the page reads the same, less the hovering.
const tipOf = (plot) => {
  const tip = plot.appendChild(Object.assign(document.createElement("div"), { className: "tip" }));
  return (left, lines) => {
    tip.replaceChildren(...lines.map(([text, style]) => {
      const row = Object.assign(document.createElement("div"), { textContent: text });
      if (style) row.className = `key ${style}`;
      return row;
    }));
    tip.style.left = `${100 * left}%`;
    tip.classList.toggle("left", left > 0.5);
    plot.classList.add("pointed");
  };
};
const follow = (plot, show) => {
  const tell = (event) => {
    const box = plot.getBoundingClientRect();
    show((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height, box);
  };
  plot.addEventListener("pointermove", tell);
  plot.addEventListener("pointerdown", tell);
  plot.addEventListener("pointerleave", () => plot.classList.remove("pointed"));
};
// Lines tell of the point that lies nearest across.
for (const plot of document.querySelectorAll("[data-hover]")) {
  const { at, when, series } = JSON.parse(plot.dataset.hover);
  const rule = plot.appendChild(Object.assign(document.createElement("i"), { className: "rule" }));
  const say = tipOf(plot);
  const nearest = (x) => {
    let low = 0, high = at.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (at[middle] < x) low = middle; else high = middle;
    }
    return x - at[low] < at[high] - x ? low : high;
  };
  follow(plot, (x) => {
    const place = nearest(x);
    rule.style.left = `${100 * at[place]}%`;
    say(at[place], [[when[place]], ...series.map(({ name, style, words }) => [`${name} ${words[place]}`, style])]);
  });
}
// Dots tell of the nearest one; a name in the legend takes its dots away and brings them back.
for (const plot of document.querySelectorAll("[data-points]")) {
  const points = JSON.parse(plot.dataset.points), hidden = new Set();
  const spot = plot.appendChild(Object.assign(document.createElement("i"), { className: "spot" }));
  const say = tipOf(plot);
  follow(plot, (x, y, box) => {
    const far = ([left, up]) => ((left - x) * box.width) ** 2 + ((up - y) * box.height) ** 2;
    const shown = points.filter((point) => !hidden.has(point[2]));
    if (!shown.length) return plot.classList.remove("pointed");
    const [left, up, style, first, ...rest] = shown.reduce((best, point) => (far(point) < far(best) ? point : best));
    Object.assign(spot.style, { left: `${100 * left}%`, top: `${100 - 100 * up}%` });
    say(left, [[first, style], ...rest.map((text) => [text])]);
  });
  for (const key of plot.parentElement.querySelectorAll(".legend .key")) {
    const style = key.classList[1];
    const button = Object.assign(document.createElement("button"), { type: "button", className: key.className, textContent: key.textContent });
    button.setAttribute("aria-pressed", "true");
    button.addEventListener("click", () => {
      const gone = !hidden.delete(style) && hidden.add(style);
      button.setAttribute("aria-pressed", String(!gone));
      for (const dots of plot.querySelectorAll(`.dots.${style}`)) dots.style.display = gone ? "none" : "";
    });
    key.replaceWith(button);
  }
}
