// Keeps the cookies that the page gives for a day: how much the visitor has, and who they are where the server has not
// said so, as to a page that runs alone; and keeps the browser's history a history of pages: Streamlit adds an entry when
// a control that was in the address goes, and when a page is left takes its settings out of its entry first, so that Back
// would lead to the page without them.

// Settings of the embedding, which belong to every page.
const SHARED = /^embed/;

// The path of the page of this app that a click opens in this window, or null.
function destination(event) {
  const link = event.composedPath().find((node) => node.tagName === "A");
  const elsewhere = event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  if (!link || elsewhere || link.origin !== location.origin || (link.target && link.target !== "_self")) return null;
  return link.pathname === location.pathname ? null : link.pathname;
}

function keepHistoryOfPages() {
  const { pushState, replaceState } = history;
  let leaving = null; // the path of the page that was asked for last, until its address appears
  const owners = {}; // of each setting that has stood in an address: the path of its page

  addEventListener("click", (event) => (leaving = destination(event) ?? leaving), true);
  addEventListener("popstate", () => (leaving = null));

  function withOwnSettings(url) {
    for (const name of [...url.searchParams.keys()]) {
      if ((owners[name] ?? url.pathname) !== url.pathname) url.searchParams.delete(name);
    }
    return url.href;
  }

  history.pushState = function (state, unused, address) {
    const url = new URL(address ?? location.href, location.href);
    if (url.pathname !== location.pathname) {
      leaving = null;
      for (const name of new URLSearchParams(location.search).keys()) {
        if (!SHARED.test(name)) owners[name] ??= location.pathname;
      }
      pushState.call(history, state, unused, withOwnSettings(url));
    } else if (leaving === null) {
      replaceState.call(history, state, unused, withOwnSettings(url));
    }
  };
}

export default function (component) {
  for (const [name, value] of Object.entries(component.data.cookies)) {
    document.cookie = `${name}=${value}; path=/; max-age=86400; samesite=strict`;
  }
  if (history.keepsPages) return; // once a window
  history.keepsPages = true;
  keepHistoryOfPages();
}
