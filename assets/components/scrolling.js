// What is wider than its place, a formula on a phone or a line of code, takes the focus, so that the arrow keys reach
// the rest of it.
import { mountView } from "./mount.js";

const WIDE = '[data-testid="stMain"] :is(pre, .katex-display)';

function createScrolling() {
  const watched = new Set();
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => reach(target)));
  function reach(element) {
    if (element.scrollWidth > element.clientWidth + 1) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
  function look() {
    for (const element of watched) {
      if (element.isConnected) continue;
      sizes.unobserve(element);
      watched.delete(element);
    }
    for (const element of document.querySelectorAll(WIDE)) {
      if (watched.has(element)) continue;
      watched.add(element);
      sizes.observe(element);
    }
  }
  const added = new MutationObserver(look);
  added.observe(document.body, { childList: true, subtree: true });
  look();

  return {
    update() {},
    destroy() {
      added.disconnect();
      sizes.disconnect();
    },
  };
}

export default function (component) {
  return mountView(component, createScrolling);
}
