"use strict";

const { layers: LAYERS, colours } = JSON.parse(document.getElementById("page").textContent);
/** 256 colours, red, green and blue of each. */
const COLOURS = Uint8Array.from(atob(colours), (character) => character.charCodeAt(0));

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
  if (scale && !(scale >= 1e-3 && scale < 1e6)) {
    if (value === 0) return "0";
    return (signDisplay === "exceptZero" && value > 0 ? "+" : "") + value.toExponential(digits - 1);
  }
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(scale || 1)));
  const fixed = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return value.toLocaleString("en", { ...fixed, signDisplay, useGrouping: false });
}

const percent = (part, whole) => `${(100 * part / (whole || 1)).toFixed(1)}%`;
const magnitude = (values) => values.reduce((sum, value) => sum + Math.abs(value), 0);
