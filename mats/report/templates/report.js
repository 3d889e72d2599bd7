// Draws each chart when it comes into view, in the colors of the page; again when those change, and before printing.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const boxes = [...document.querySelectorAll(".chart")];
  const drawn = new Set();
  const paper = matchMedia("print");

  const color = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const colored = value => {
    if (typeof value === "string") return value.startsWith("$") ? color(value.slice(1)) : value;
    if (Array.isArray(value)) return value.map(colored);
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, k === "bdata" ? v : colored(v)]));
    return value;
  };
  const axis = { gridcolor: "$grid", linecolor: "$grid", zerolinecolor: "$quiet", zerolinewidth: 1, automargin: true };
  const dressed = (layout, height) => {
    const axes = Object.keys(layout).filter(key => /^[xy]axis/.test(key));
    const own = Object.fromEntries(axes.map(key => {
      const quiet = key.startsWith("x") ? { showgrid: false } : {};
      const title = { standoff: 8, font: { size: 12, color: "$soft" }, ...(layout[key].title || {}) };
      return [key, { ...axis, ...quiet, ...layout[key], title }];
    }));
    return colored({
      height, paper_bgcolor: "$page", plot_bgcolor: "$page", margin: { l: 64, r: 12, t: 28, b: 40 }, separators: ".,",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: "$soft" },
      legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", font: { color: "$ink" } },
      hoverlabel: { bgcolor: "$raised", bordercolor: "$grid", font: { color: "$ink" } }, ...layout, ...own,
    });
  };
  const draw = box => {
    const { data, layout } = figures[box.dataset.figure];
    const buttons = [["zoom2d", "pan2d", "resetScale2d", "toImage"]];
    const options = { responsive: true, displaylogo: false, modeBarButtons: buttons };
    Plotly.react(box, colored(data), dressed(layout, Number(box.dataset.height)), options);
    drawn.add(box);
  };
  const seen = new IntersectionObserver(entries => entries.forEach(entry => {
    if (entry.isIntersecting && !drawn.has(entry.target)) draw(entry.target);
  }), { rootMargin: "300px" });
  boxes.forEach(box => seen.observe(box));

  const again = () => drawn.forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  paper.addEventListener("change", again);
  addEventListener("beforeprint", () => boxes.filter(box => box.offsetParent).forEach(draw));

  document.querySelectorAll("select[data-shows]").forEach(choice => choice.addEventListener("change", () => {
    document.querySelectorAll(`[data-of="${choice.dataset.shows}"]`).forEach(part => {
      part.hidden = part.dataset.at !== choice.value;
    });
  }));
})();
