// For a lecture: larger type, the page on the full screen, the demo alone, and a key for the next scene. All of it is
// the browser's business alone.
import { mountView } from "./mount.js";

const STORED = "explorer-large-type";
const ALONE = "explorer-demo-alone"; // kept for this tab
const LARGE = "125%"; // of the page's type, which everything else is measured in
const LEAST = 2.2; // % of the screen's height that letters have where the demo stands alone, to be read from the back row
const LABELS = 0.875; // height of the letters of a label, in those of the page
const CHART = '[data-testid="stElementContainer"]:has([data-testid="stVegaLiteChart"])';
const STAGE = `
  :root { --least: ${LEAST}vh; font-size: max(${LARGE}, ${LEAST / LABELS}vh); }
  [data-testid="stMain"] code { font-size: 1em; }
  ${CHART} > * { width: calc(100% / var(--larger, 1)) !important; }
  ${CHART} svg { zoom: var(--larger, 1); }
  [data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stExpandSidebarButton"], :has(> .st-key-lead) { display: none !important; }
  :has(> .st-key-scene), .st-key-visit { position: absolute; opacity: 0; pointer-events: none; }
  [data-testid="stMainBlockContainer"] { padding: 1rem 1.5rem !important; max-width: none !important; }`;
const WRITTEN = "input:not([type=range], [type=checkbox], [type=radio])"; // where letters are text
const WAYS = { n: "scene_next", b: "scene_back" };

function createLecture({ parentElement }) {
  const root = document.createElement("div");
  root.className = "lecture";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "For a lecture");
  root.innerHTML = `
    <button type="button" class="lecture-type">Larger type</button>
    <button type="button" class="lecture-screen">Full screen</button>
    <button type="button" class="lecture-alone" title="Key P brings it back">The demo alone (P)</button>`;
  parentElement.append(root);
  const [type, screen, alone] = root.children;
  const stage = document.createElement("style");
  stage.textContent = STAGE;

  const large = () => localStorage.getItem(STORED) === "true";
  const presenting = () => sessionStorage.getItem(ALONE) === "true";
  // A chart keeps the sizes of letters that it was drawn with: it is drawn narrower, and enlarged to its place.
  function enlargeCharts() {
    const least = presenting() ? (LEAST / 100) * innerHeight : 0;
    for (const chart of document.querySelectorAll(CHART)) {
      const letters = [...chart.querySelectorAll("svg text")].map((text) => parseFloat(getComputedStyle(text).fontSize));
      if (letters.length) chart.style.setProperty("--larger", Math.max(1, least / Math.min(...letters)));
    }
  }
  // Streamlit gives controls their widths in pixels, which larger letters would not fit into.
  function widen() {
    for (const part of document.querySelectorAll('[data-testid="stMain"] [width$="px"]')) {
      part.style.minWidth = `min(100%, ${parseFloat(part.getAttribute("width")) / 16}rem)`;
    }
  }
  function enlarge() {
    enlargeCharts();
    widen();
  }
  const added = new MutationObserver(enlarge);
  function apply() {
    document.documentElement.style.fontSize = large() && !presenting() ? LARGE : "";
    type.setAttribute("aria-pressed", large());
    alone.setAttribute("aria-pressed", presenting());
    if (presenting()) document.head.append(stage);
    else stage.remove();
    added.disconnect();
    if (!large() && !presenting()) return;
    added.observe(document.querySelector('[data-testid="stMain"]'), { childList: true, subtree: true });
    enlarge();
  }
  function present(on) {
    sessionStorage.setItem(ALONE, on);
    const here = new URL(location);
    if (on) here.searchParams.set("present", "true");
    else here.searchParams.delete("present");
    history.replaceState(history.state, "", here);
    apply();
  }
  if (new URLSearchParams(location.search).get("present") === "true") sessionStorage.setItem(ALONE, true);
  type.addEventListener("click", () => {
    localStorage.setItem(STORED, !large());
    apply();
  });

  alone.addEventListener("click", () => present(!presenting()));
  function pressed(event) {
    const typing = event.composedPath()[0].closest?.(`${WRITTEN}, textarea, select, [contenteditable]`);
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const key = event.key.toLowerCase();
    if (key === "p") present(!presenting());
    else if (key in WAYS) document.querySelector(`.st-key-${WAYS[key]} a`)?.click();
  }
  document.addEventListener("keydown", pressed);
  addEventListener("resize", enlargeCharts);

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
      document.removeEventListener("keydown", pressed);
      removeEventListener("resize", enlargeCharts);
      added.disconnect();
      stage.remove();
      root.remove();
    },
  };
}

export default function (component) {
  return mountView(component, createLecture);
}
