// For a lecture: larger type, the page on the full screen, the demo alone, and a key for the next scene. All of it is
// the browser's business alone.
import { mountView } from "./mount.js";

const STORED = "explorer-large-type";
const ALONE = "explorer-demo-alone"; // kept for this tab
const LARGE = "125%"; // of the page's type, which everything else is measured in
const STAGE = `
  [data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stExpandSidebarButton"], .st-key-lead { display: none !important; }
  .st-key-scene { position: absolute; opacity: 0; pointer-events: none; }
  [data-testid="stMainBlockContainer"] { padding: 1rem 1.5rem !important; max-width: none !important; }`;
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
  function apply() {
    document.documentElement.style.fontSize = large() || presenting() ? LARGE : "";
    type.setAttribute("aria-pressed", large());
    alone.setAttribute("aria-pressed", presenting());
    if (presenting()) document.head.append(stage);
    else stage.remove();
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
    const typing = event.composedPath()[0].closest?.("input, textarea, select, [contenteditable], [role=slider]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const key = event.key.toLowerCase();
    if (key === "p") present(!presenting());
    else if (key in WAYS) document.querySelector(`.st-key-${WAYS[key]} a`)?.click();
  }
  document.addEventListener("keydown", pressed);

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
      stage.remove();
      root.remove();
    },
  };
}

export default function (component) {
  return mountView(component, createLecture);
}
