const together = document.getElementById("together");
const cards = [];
const STEP = 250; // Milliseconds for each layer while they are played.

/** An image with its maps. What is chosen is kept by its inputs alone. */
class Card {
  constructor(article) {
    this.article = article;
    this.name = this.find("h2").textContent;
    this.awaited = new Map();
    article.addEventListener("input", ({ target }) => {
      const linked = together?.checked && !target.matches(".target");
      for (const card of linked ? cards : [this]) card.follow(target);
    });
    article.addEventListener("click", ({ target }) => this.press(target.closest("button")));
  }

  find(selector) {
    return this.article.querySelector(selector);
  }

  write(texts) {
    for (const [name, text] of Object.entries(texts)) this.find(`.${name}`).textContent = text;
  }

  /** Adds what every card has, once it is needed. */
  build() {
    if (this.explanations) return;
    this.explanations = JSON.parse(this.find("script").textContent);
    this.find(".first").after(document.getElementById("pictures").content.cloneNode(true));
    this.find(".classes").after(document.getElementById("numbers").content.cloneNode(true));
    const { src, width, height } = this.find(".image");
    for (const image of this.article.querySelectorAll(".under")) Object.assign(image, { width, height, src });
    for (const mode of this.article.querySelectorAll(".mode")) mode.name = `mode-${this.article.id}`;
    this.find(".depth").value = this.article.dataset.start;
    this.chart = new Chart(this.article, (index) => this.tip(index));
    for (const [kind, value] of this.awaited) this.set(kind, value);
  }

  set(kind, value) {
    if (!this.explanations) this.awaited.set(kind, value);
    else if (kind === "mode") this.find(`.mode[value="${value}"]`).checked = true;
    else this.find(`.${kind}`).value = value;
  }

  /** Takes over what was chosen, on this card or on another. */
  follow(input) {
    if (input.matches(".target")) return this.explain();
    this.set(input.className, input.value);
    if (this.shown) this.draw();
  }

  press(button) {
    if (!button) return;
    if (button.matches(".play")) this.play(!this.playing);
    else this.step(button.matches(".next") ? 1 : -1);
  }

  /** Goes so many layers on. Returns whether there was one. */
  step(layers) {
    const depth = this.find(".depth");
    const before = depth.value;
    depth.value = Number(before) + layers;
    depth.dispatchEvent(new Event("input", { bubbles: true }));
    return depth.value !== before;
  }

  /** Goes through all layers, from where it is, or anew from the input. */
  play(going) {
    clearInterval(this.playing);
    this.playing = null;
    if (going) {
      if (Number(this.find(".depth").value) === LAYERS.length - 1) this.step(-LAYERS.length);
      this.playing = setInterval(() => this.shown && this.step(1) || this.play(false), STEP);
    }
    this.find(".play").classList.toggle("playing", going);
    this.find(".play").ariaLabel = this.find(".play").title = going ? "Pause" : "Play through all layers";
  }

  /** Shows the chosen class. */
  async explain() {
    this.build();
    const chosen = this.find(".target:checked").value;
    const asked = this.asked = {};
    const explanation = this.explanations[chosen];
    const [map, cells] = await Promise.all([greys(explanation.map), greys(explanation.sheet.uri)]);
    if (asked !== this.asked) return; // Another was chosen meanwhile, or none is to be seen.
    const totals = explanation.explicit.map((value, index) => value + explanation.implicit[index]);
    const { logit, total } = explanation;
    this.shown = { ...explanation, cells, totals, scale: Math.max(Math.abs(logit), ...totals.map(Math.abs)) };

    paint(this.find(".map"), map.levels, map.width, map.height, { clear: true });
    this.chart.draw(totals);
    this.draw();
    const error = Math.abs((total - logit) / logit);
    this.write({
      total: number(total, Math.abs(logit), 7),
      logit: number(logit, Math.abs(logit), 7),
      error: Number.isFinite(error) ? error.toExponential(1) : "none for a logit of 0",
      "left-out": percent(explanation.left_out),
    });
  }

  /** Lets go of the pictures of a card that is not to be seen. */
  clear() {
    this.asked = null;
    if (!this.shown) return;
    this.shown = null;
    this.play(false);
    this.chart.clear();
    for (const canvas of this.article.querySelectorAll("canvas")) canvas.width = canvas.height = 0;
  }

  /** What a layer adds to the logit, in words. */
  added(index) {
    const { totals, scale } = this.shown;
    return {
      adds: number(totals[index], scale, 4, "exceptZero"),
      share: percent(totals[index], magnitude(totals)),
    };
  }

  tip(index) {
    const { adds, share } = this.added(index);
    const { name, kind } = LAYERS[index];
    return `${name}\n${kind}: ${adds}, ${share} of all terms`;
  }

  /** Draws the chosen layer, or the sum up to it, and tells what it adds. */
  draw() {
    const { totals, implicit, scale } = this.shown;
    const depth = this.find(".depth");
    const at = Number(depth.value);
    const summed = this.find(".mode:checked").value === "sum";
    const { name, kind } = LAYERS[at];

    this.find(".map").style.opacity = this.find(".strength").value / 100;
    const drawn = LAYERS.slice(summed ? 0 : at, at + 1).filter(({ cell }) => cell !== null);
    this.find(".mapless").hidden = drawn.length > 0;
    this.drawSum(drawn.map(({ cell }) => cell));
    this.chart.mark(at, summed);

    const { adds, share } = this.added(at);
    this.write({
      name: summed ? `up to ${name}` : name,
      kind,
      place: `${at + 1} of ${totals.length}`,
      adds,
      share,
      implicit: number(implicit[at], scale, 4, "exceptZero"),
      "so-far": number(totals.slice(0, at + 1).reduce((sum, value) => sum + value), scale),
    });
    this.find(".name").title = name;
    depth.setAttribute("aria-valuetext", `${name}, ${kind}: adds ${adds}, ${share} of all terms`);
    this.find(".previous").disabled = at === 0;
    this.find(".next").disabled = at === totals.length - 1;
  }

  drawSum(places) {
    const { cells, sheet: { cell: [height, width], columns, least, greatest } } = this.shown;
    const values = new Float32Array(height * width);
    for (const place of places) {
      const corner = Math.floor(place / columns) * height * cells.width + (place % columns) * width;
      const scale = (greatest[place] - least[place]) / 255;
      for (let index = 0; index < values.length; index++) {
        const level = cells.levels[corner + Math.floor(index / width) * cells.width + (index % width)];
        values[index] += least[place] + scale * level;
      }
    }
    paint(this.find(".layer"), values, width, height, { clear: false });
  }
}
