/** The cards that are to be seen, of those that are found, in their order. */
let found = cards;

/** Finds, orders and lists the images of a page that has many. */
class Finding {
  constructor() {
    [this.bar, this.text, this.order, this.contents, this.print, this.count] =
      [".finder", "#find", "#order", "#contents", "#print", "#found"].map((each) => document.querySelector(each));
    this.bar.hidden = false;
    this.known = cards.map((card, index) => ({ card, index, text: words(card) }));
    this.list = this.contents.querySelector("ol");

    this.text.addEventListener("input", () => this.find());
    this.text.addEventListener("keydown", ({ key }) => key === "Enter" && found.length && show(found[0]));
    this.order.addEventListener("input", () => this.find());
    this.print.addEventListener("click", printAll);
    this.contents.addEventListener("toggle", () => this.contents.open && this.fill());
    this.list.addEventListener("click", () => (this.contents.open = false));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.contents.open) {
        this.contents.open = false;
        this.contents.querySelector("summary").focus();
      }
      // What is printed is drawn first, for which the browser does not wait.
      if (event.key === "p" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        printAll();
      }
    });
    document.addEventListener("click", ({ target }) => {
      if (!this.contents.contains(target)) this.contents.open = false;
    });
    this.find();
  }

  /** Shows the images whose name or class has all words that are looked for. */
  find() {
    const wanted = this.text.value.toLowerCase().split(/\s+/);
    const kept = this.known.filter(({ text }) => wanted.every((word) => text.includes(word)));
    kept.sort((one, other) => compare[this.order.value](one.card, other.card) || one.index - other.index);
    const before = found;
    found = kept.map(({ card }) => card);
    if (found.length !== before.length || found.some((card, index) => card !== before[index])) {
      // Taken out, not hidden: a browser loads all images of a page that it prints.
      const main = document.querySelector("main");
      main.replaceChildren(...found.map(({ article }) => article));
      const top = main.offsetTop - this.bar.offsetHeight;
      if (scrollY > top) scrollTo({ top });
    }
    const all = `${cards.length} images`;
    this.count.textContent = found.length === cards.length ? all : `${found.length} of ${all}`;
  }

  /** Lists what is found. */
  fill() {
    this.list.replaceChildren(...found.map((card) => (card.entry ??= entry(card))));
  }
}

/** What a card is found by: its name, and the classes that are explained. */
function words({ name, article }) {
  const labels = [...article.querySelectorAll(".target ~ .label")].map(({ textContent }) => textContent);
  return [name, ...labels].join("\n").toLowerCase();
}

const given = (card, name) => Number(card.article.dataset[name]) || 0;
const compare = {
  given: () => 0,
  name: (one, other) => one.name.localeCompare(other.name, "en", { numeric: true }),
  probability: (one, other) => given(one, "probability") - given(other, "probability"),
  error: (one, other) => given(other, "error") - given(one, "error"),
};

/** A line of the contents. */
function entry({ name, article }) {
  const [line, link, text] = ["li", "a", "span"].map((each) => document.createElement(each));
  const picture = new Image();
  Object.assign(picture, { loading: "lazy", decoding: "async", alt: "" });
  picture.src = article.querySelector(".image").src;
  link.href = `#${article.id}`;
  link.title = name;
  text.textContent = name.split(/[/\\]/).pop(); // Folders are in the title.
  link.append(picture, text);
  line.append(link);
  return line;
}

function show({ article }) {
  article.scrollIntoView();
  article.focus({ preventScroll: true });
}

/** Draws cards that come near, one in a frame, and lets go of those that went away. */
function drawNear() {
  const near = new Set();
  let drawing = false;
  const draw = async () => {
    if (drawing) return;
    drawing = true;
    for (const card of near) { // Those that come near meanwhile as well.
      if (card.shown) continue;
      await card.explain();
      await new Promise(requestAnimationFrame);
    }
    drawing = false;
  };
  const of = new Map(cards.map((card) => [card.article, card]));
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const card = of.get(target);
      if (isIntersecting) near.add(card);
      else if (near.delete(card)) card.clear();
    }
    draw();
  }, { rootMargin: "100% 0px" });
  for (const { article } of cards) observer.observe(article);
  addEventListener("afterprint", () => cards.forEach((card) => near.has(card) || card.clear()));
}

async function printAll() {
  for (const card of found) if (!card.shown) await card.explain();
  print();
}
