async function start() {
  const style = document.documentElement.style;
  const stops = Array.from({ length: 16 }, (_, index) => `rgb(${COLOURS.slice(51 * index, 51 * index + 3)})`);
  style.setProperty("--colours", `linear-gradient(to right, ${stops})`);
  style.setProperty("--layers", LAYERS.length);
  for (const article of document.querySelectorAll("article")) cards.push(new Card(article));
  if (document.querySelector(".finder")) {
    new Finding();
    drawNear();
    return;
  }
  for (const card of cards) await card.explain();
}

start();
