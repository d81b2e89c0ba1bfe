/** A bar for each layer: up for what it adds to the logit, down for what it takes away. */
class Chart {
  constructor(article, told) {
    [this.chart, this.svg, this.scroller, this.depths, this.depth, this.tip] =
      [".chart", "svg", ".scroller", ".depths", ".depth", ".tip"].map((each) => article.querySelector(each));
    this.told = told;
    this.depth.addEventListener("pointermove", (event) => this.tell(this.pointed(event)));
    this.depth.addEventListener("pointerleave", () => this.tell(null));
    this.depth.addEventListener("blur", () => this.tell(null));
    this.scroller.addEventListener("scroll", () => this.tell(null));
    this.depth.addEventListener("keydown", ({ key }) => key === "Escape" && this.tell(null));
    this.depth.addEventListener("keyup", ({ key }) => key !== "Escape" && this.tell(Number(this.depth.value)));
  }

  /** Makes the bars, relative to the largest. */
  draw(totals) {
    const top = Math.max(0, ...totals);
    // SVG counts in single precision, in which the terms of a tiny logit are nothing.
    const unit = (top - Math.min(0, ...totals)) / 100 || 1;
    this.column = shape("rect", { y: -top / unit, width: 1, height: 100 }, "column");
    this.bars = totals.map((total, index) => {
      const [y, height] = [-Math.max(total, 0) / unit, Math.abs(total) / unit];
      const kind = LAYERS[index].cell === null ? "undrawn" : total < 0 ? "minus" : "plus";
      return shape("rect", { x: index + 0.1, y, width: 0.8, height }, "bar", kind);
    });
    const zero = shape("line", { x2: totals.length, "vector-effect": "non-scaling-stroke" }, "zero");
    this.svg.setAttribute("viewBox", `0 ${-top / unit} ${totals.length} 100`);
    this.svg.replaceChildren(this.column, ...this.bars, zero);
  }

  clear() {
    this.svg.replaceChildren();
    this.tell(null);
  }

  /** Shows which layers are drawn, and brings the last of them into sight. */
  mark(at, summed) {
    this.bars.forEach((bar, index) => bar.classList.toggle("faint", summed ? index > at : index !== at));
    this.column.setAttribute("x", at);
    this.depths.style.setProperty("--at", at);
    const { scrollWidth, clientWidth, scrollLeft } = this.scroller;
    const bar = (at + 0.5) / LAYERS.length * scrollWidth;
    const edge = Math.min(40, clientWidth / 4);
    if (scrollWidth > clientWidth && (bar < scrollLeft + edge || bar > scrollLeft + clientWidth - edge)) {
      this.scroller.scrollLeft = bar - clientWidth / 2;
    }
  }

  /** The layer whose bar is pointed at. */
  pointed({ clientX }) {
    const { left, width } = this.depths.getBoundingClientRect();
    const index = Math.floor((clientX - left) / width * LAYERS.length);
    return Math.min(LAYERS.length - 1, Math.max(0, index));
  }

  /** Tells of a layer beside its bar; of null, nothing. */
  tell(index) {
    this.tip.hidden = index === null || !this.bars;
    if (this.tip.hidden) return;
    this.tip.textContent = this.told(index);
    const { left, width } = this.depths.getBoundingClientRect();
    const frame = this.chart.getBoundingClientRect();
    const bar = left - frame.left + (index + 0.5) / LAYERS.length * width;
    const room = this.tip.offsetWidth / 2;
    this.tip.style.left = `${Math.min(frame.width - room, Math.max(room, bar))}px`;
  }
}

function shape(name, attributes, ...classes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.classList.add(...classes);
  return made;
}
