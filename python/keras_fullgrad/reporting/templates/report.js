"use strict";

const { layers: LAYERS, colours } = JSON.parse(document.getElementById("page").textContent);
/** 256 colours, red, green and blue of each. */
const COLOURS = Uint8Array.from(atob(colours), (character) => character.charCodeAt(0));
const together = document.getElementById("together");
const cards = [];

/** The levels of a grey picture, 0 to 255. */
async function greys(uri) {
  const picture = new Image();
  picture.src = uri;
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const levels = Uint8Array.from({ length: data.length / 4 }, (_, index) => data[4 * index]);
  return { levels, width: canvas.width, height: canvas.height };
}

/** Colours values from their least to their greatest; `clear`: low ones less, as keras_fullgrad.overlay does. */
function paint(canvas, values, width, height, { clear }) {
  let [least, greatest] = [Infinity, -Infinity];
  for (const value of values) {
    least = Math.min(least, value);
    greatest = Math.max(greatest, value);
  }
  const pixels = new ImageData(width, height);
  for (let index = 0; index < values.length; index++) {
    const unit = (values[index] - least) / (greatest - least || 1);
    const colour = Math.round(255 * unit);
    for (let channel = 0; channel < 3; channel++) {
      pixels.data[4 * index + channel] = COLOURS[3 * colour + channel];
    }
    pixels.data[4 * index + 3] = clear ? 255 * Math.sqrt(unit) : 255;
  }
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** Writes a number with the decimals that give so many digits to `scale`, which others beside it have too. */
function number(value, scale, digits = 4, signDisplay = "auto") {
  const decimals = Math.min(15, Math.max(0, digits - 1 - Math.floor(Math.log10(scale || 1))));
  const fixed = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return value.toLocaleString("en", { ...fixed, signDisplay, useGrouping: false });
}

const percent = (part, whole) => `${(100 * part / (whole || 1)).toFixed(1)}%`;
const magnitude = (values) => values.reduce((sum, value) => sum + Math.abs(value), 0);

function shape(name, attributes, ...classes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.classList.add(...classes);
  return made;
}

/** An image with its maps. What is chosen is kept by its inputs alone. */
class Card {
  constructor(article) {
    this.article = article;
    this.explanations = JSON.parse(this.find("script").textContent);
    for (const image of article.querySelectorAll(".under")) image.src = this.find(".image").src;
    article.addEventListener("input", ({ target }) => {
      const linked = together?.checked && !target.matches(".target");
      for (const card of linked ? cards : [this]) card.follow(target);
    });
  }

  find(selector) {
    return this.article.querySelector(selector);
  }

  write(texts) {
    for (const [name, text] of Object.entries(texts)) this.find(`.${name}`).textContent = text;
  }

  /** Takes over what was chosen, on this card or on another. */
  follow(input) {
    if (input.type === "radio") this.find(`.${input.className}[value="${input.value}"]`).checked = true;
    else this.find(`.${input.className}`).value = input.value;
    if (input.matches(".target")) this.explain();
    else if (this.shown) this.draw();
  }

  /** Shows the chosen class. */
  async explain() {
    const chosen = this.find(".target:checked").value;
    const explanation = this.explanations[chosen];
    const [map, cells] = await Promise.all([greys(explanation.map), greys(explanation.sheet.uri)]);
    if (chosen !== this.find(".target:checked").value) return; // Another was chosen meanwhile.
    const totals = explanation.explicit.map((value, index) => value + explanation.implicit[index]);
    this.shown = { ...explanation, cells, totals };

    paint(this.find(".map"), map.levels, map.width, map.height, { clear: true });
    this.chart();
    this.draw();
    const { logit, total } = explanation;
    const error = Math.abs((total - logit) / logit);
    this.write({
      total: number(total, Math.abs(logit), 7),
      logit: number(logit, Math.abs(logit), 7),
      error: Number.isFinite(error) ? error.toExponential(1) : "none for a logit of 0",
      "left-out": percent(explanation.left_out),
    });
  }

  /** Makes a bar for each layer: up for what it adds to the logit, down for what it takes away. */
  chart() {
    const { totals } = this.shown;
    const top = Math.max(0, ...totals);
    const height = top - Math.min(0, ...totals) || 1;
    this.column = shape("rect", { y: -top, width: 1, height }, "column");
    this.bars = totals.map((total, index) => {
      const box = { x: index + 0.1, y: -Math.max(total, 0), width: 0.8, height: Math.abs(total) };
      const kind = LAYERS[index].cell === null ? "undrawn" : total < 0 ? "minus" : "plus";
      return shape("rect", box, "bar", kind);
    });
    const zero = shape("line", { x2: totals.length, "vector-effect": "non-scaling-stroke" }, "zero");
    const chart = this.find("svg");
    chart.setAttribute("viewBox", `0 ${-top} ${totals.length} ${height}`);
    chart.replaceChildren(this.column, ...this.bars, zero);
  }

  /** Draws the chosen layer, or the sum up to it, and tells what it adds. */
  draw() {
    const { totals, implicit, logit } = this.shown;
    const depth = this.find(".depth");
    const at = Number(depth.value);
    const summed = this.find(".mode:checked").value === "sum";
    const { name, kind } = LAYERS[at];

    this.find(".map").style.opacity = this.find(".strength").value / 100;
    const drawn = LAYERS.slice(summed ? 0 : at, at + 1).filter(({ cell }) => cell !== null);
    this.find(".mapless").hidden = drawn.length > 0;
    this.drawSum(drawn.map(({ cell }) => cell));

    this.bars.forEach((bar, index) => bar.classList.toggle("faint", summed ? index > at : index !== at));
    this.column.setAttribute("x", at);
    this.find(".depths").style.setProperty("--at", at);

    const scale = Math.max(Math.abs(logit), ...totals.map(Math.abs));
    const adds = number(totals[at], scale, 4, "exceptZero");
    const share = percent(totals[at], magnitude(totals));
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

async function start() {
  const style = document.documentElement.style;
  const stops = Array.from({ length: 16 }, (_, index) => `rgb(${COLOURS.slice(51 * index, 51 * index + 3)})`);
  style.setProperty("--colours", `linear-gradient(to right, ${stops})`);
  style.setProperty("--layers", LAYERS.length);
  for (const article of document.querySelectorAll("article")) cards.push(new Card(article));
  for (const card of cards) await card.explain();
}

start();
