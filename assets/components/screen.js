// How much of the screen a player may take: on the page, and alone on the whole screen.
const HEADER = 60; // of Streamlit, which covers what scrolls under it

export const isAlone = (root) => root.matches(":fullscreen");

// Heights that what `root` holds may have, in CSS pixels, the dearest first: what the first screen leaves below its
// upper edge, then a screen that is scrolled to it. Alone it has the whole screen, but for its padding.
export function roomsFor(root) {
  const screen = document.documentElement.clientHeight;
  if (isAlone(root)) return [screen - 2 * parseFloat(getComputedStyle(root).paddingTop)];
  const page = document.querySelector('[data-testid="stMain"]') ?? document.scrollingElement;
  return [screen - root.getBoundingClientRect().top - page.scrollTop, screen - HEADER];
}

// Upper edge of what `root` holds: alone, that stands in the middle of the screen.
export function topOf(root) {
  return Math.min(...[...root.children].map((child) => child.getBoundingClientRect().top));
}

// Calls `fit` in the next animation frame after the screen, the width of `root` or its place on the page is another, so
// also when what stands above it grows; what `fit` itself changes calls it no more. Twice, because with another size
// labels may take other lines. Returns a function that stops watching.
export function followScreen(root, fit) {
  let request = 0;
  let fitted = "";
  function check() {
    const screen = [document.documentElement.clientHeight, root.clientWidth, ...roomsFor(root).map(Math.round)].join();
    if (screen === fitted) return;
    fitted = screen;
    fit();
    fit();
  }
  const later = () => {
    cancelAnimationFrame(request);
    request = requestAnimationFrame(check);
  };
  const watched = new ResizeObserver(later);
  watched.observe(root);
  const page = document.querySelector('[data-testid="stMainBlockContainer"]');
  if (page) watched.observe(page);
  addEventListener("resize", later);
  root.addEventListener("fullscreenchange", later);
  return () => {
    cancelAnimationFrame(request);
    watched.disconnect();
    removeEventListener("resize", later);
  };
}
