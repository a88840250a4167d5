// Words in a row; each says what it means under the pointer, to a touch and to the keyboard, until it is left, something
// else is touched, or Escape is pressed.
import { mountView } from "./mount.js";

const MARGIN = 8; // to the edges of the screen, CSS pixels

function createTerms({ parentElement }) {
  const row = document.createElement("p");
  row.className = "terms";
  parentElement.append(row);
  let open = null;
  let shown = "";

  function hide() {
    open?.querySelector("[popover]").hidePopover();
    open = null;
  }
  // Under its word where there is room, else above it; for a finger under the
  // whole row, so that no other word is hidden. Never over an edge of the screen.
  function place() {
    if (!open) return;
    const [word, meaning] = [...open.children].map((part) => part.getBoundingClientRect());
    const { top, bottom } = matchMedia("(pointer: coarse)").matches ? row.getBoundingClientRect() : word;
    const left = Math.min(word.left, innerWidth - meaning.width - MARGIN);
    const y = bottom + meaning.height + MARGIN > innerHeight ? top - meaning.height : bottom;
    Object.assign(open.lastChild.style, { left: `${Math.max(left, MARGIN)}px`, top: `${y}px` });
  }
  function show(term) {
    if (open === term) return;
    hide();
    open = term;
    term.lastChild.showPopover();
    place();
  }
  function termOf([label, meaning], index) {
    const term = document.createElement("span");
    term.className = "term";
    term.innerHTML = `<button type="button" aria-describedby="meaning-${index}"></button>
      <span role="tooltip" popover="manual" id="meaning-${index}"></span>`;
    const [word, told] = term.children;
    term.replaceChildren(word, told);
    word.textContent = label;
    told.textContent = meaning;
    word.addEventListener("focus", () => show(term));
    word.addEventListener("blur", hide);
    word.addEventListener("click", () => show(term));
    term.addEventListener("pointerenter", (event) => event.pointerType !== "touch" && show(term));
    term.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && hide());
    return term;
  }

  const pressed = (event) => event.key === "Escape" && hide();
  const touched = (event) => open && !event.composedPath().includes(open) && hide();
  document.addEventListener("keydown", pressed);
  document.addEventListener("pointerdown", touched);
  document.addEventListener("scroll", place, true);

  return {
    update({ data }) {
      if (JSON.stringify(data.words) === shown) return; // who reads a meaning goes on reading
      shown = JSON.stringify(data.words);
      hide();
      row.replaceChildren("Words:", ...data.words.map(termOf));
    },
    destroy() {
      hide();
      document.removeEventListener("keydown", pressed);
      document.removeEventListener("pointerdown", touched);
      document.removeEventListener("scroll", place, true);
      row.remove();
    },
  };
}

export default function (component) {
  return mountView(component, createTerms);
}
