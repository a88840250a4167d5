// For a lecture: larger type, and the page on the full screen. Both are the browser's business alone.
import { mountView } from "./mount.js";

const STORED = "explorer-large-type";
const LARGE = "125%"; // of the page's type, which everything else is measured in

function createLecture({ parentElement }) {
  const root = document.createElement("div");
  root.className = "lecture";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "For a lecture");
  root.innerHTML = `
    <button type="button" class="lecture-type">Larger type</button>
    <button type="button" class="lecture-screen">Full screen</button>`;
  parentElement.append(root);
  const [type, screen] = root.children;

  const large = () => localStorage.getItem(STORED) === "true";
  function apply() {
    document.documentElement.style.fontSize = large() ? LARGE : "";
    type.setAttribute("aria-pressed", large());
  }
  type.addEventListener("click", () => {
    localStorage.setItem(STORED, !large());
    apply();
  });

  const shown = () => screen.setAttribute("aria-pressed", document.fullscreenElement !== null);
  screen.hidden = !document.fullscreenEnabled;
  screen.addEventListener("click", () =>
    document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen(),
  );
  document.addEventListener("fullscreenchange", shown);
  apply();
  shown();

  return {
    update() {},
    destroy() {
      document.removeEventListener("fullscreenchange", shown);
      root.remove();
    },
  };
}

export default function (component) {
  return mountView(component, createLecture);
}
