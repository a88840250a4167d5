// Opens each link once in a frame that nobody sees, one after another, so that its page is computed before it is shown.
import { mountView } from "./mount.js";

const LONGEST = 20_000; // ms that a page may take

function createWarm({ parentElement }) {
  const root = document.createElement("p");
  root.className = "warm";
  root.setAttribute("role", "status");
  parentElement.append(root);
  let frame = null;
  let timer = 0;
  let done = "";

  const drop = () => {
    clearTimeout(timer);
    frame?.remove();
    frame = null;
  };
  const settled = () => {
    const app = frame?.contentDocument?.querySelector('[data-testid="stApp"]');
    return app?.dataset.testScriptState === "notRunning" && app.querySelector('[data-testid="stMainBlockContainer"] h1');
  };
  function warm(links, at) {
    drop();
    if (at === links.length) {
      root.textContent = `All ${links.length} scenes are computed and wait in the server's memory.`;
      return;
    }
    root.textContent = `Computing scene ${at + 1} of ${links.length} before it is shown…`;
    frame = document.createElement("iframe");
    frame.src = new URL(links[at], document.baseURI).href;
    frame.title = "a scene that is being computed";
    frame.setAttribute("aria-hidden", "true");
    frame.tabIndex = -1;
    frame.style.cssText = "position: fixed; width: 1280px; height: 800px; left: -3000px; top: 0; border: 0";
    document.body.append(frame);
    const end = performance.now() + LONGEST;
    let calm = 0;
    const look = () => {
      calm = settled() ? calm + 1 : 0;
      if (calm > 2 || performance.now() > end) warm(links, at + 1);
      else timer = setTimeout(look, 400);
    };
    timer = setTimeout(look, 800);
  }

  return {
    update({ data }) {
      const wanted = JSON.stringify(data.links);
      if (wanted === done) return;
      done = wanted;
      warm(data.links, 0);
    },
    destroy() {
      drop();
      root.remove();
    },
  };
}

export default function (component) {
  return mountView(component, createWarm);
}
