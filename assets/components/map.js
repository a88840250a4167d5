// The modules of the course as stations of one way, each with a ring that fills with the questions answered right.
import { mountView } from "./mount.js";

function createMap({ parentElement }) {
  const root = document.createElement("nav");
  root.className = "map themed";
  root.setAttribute("aria-label", "The modules of the course");
  parentElement.append(root);

  let shown = "";

  // A link of the menu leads there in this session; the address alone would begin another.
  function open(event) {
    const menu = document.querySelectorAll('[data-testid="stSidebarNavLink"]');
    const link = [...menu].find((one) => one.pathname === event.currentTarget.pathname);
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    link.click();
  }
  function station({ page, title, icon, opened, right, total }) {
    const item = document.createElement("li");
    item.toggleAttribute("data-opened", opened);
    const link = Object.assign(document.createElement("a"), { href: new URL(page, document.baseURI).href });
    link.addEventListener("click", open);
    const stop = Object.assign(document.createElement("span"), { className: "stop" });
    stop.style.setProperty("--share", total ? right / total : Number(opened));
    const glyph = Object.assign(document.createElement("span"), { className: "icon", textContent: icon });
    glyph.setAttribute("aria-hidden", "true");
    stop.append(glyph);
    const name = Object.assign(document.createElement("strong"), { textContent: title });
    const done = document.createElement("small");
    done.textContent = opened && total ? `${right} of ${total}` : opened ? "here" : "";
    if (opened && total) link.setAttribute("aria-label", `${title} opened, ${right} of ${total} questions right`);
    link.append(stop, name, done);
    item.append(link);
    return item;
  }

  return {
    update({ data }) {
      if (JSON.stringify(data) === shown) return; // who stands on a station stays there
      shown = JSON.stringify(data);
      const list = document.createElement("ol");
      list.append(...data.stations.map(station));
      root.replaceChildren(list);
    },
    destroy() {
      root.remove();
    },
  };
}

export default function (component) {
  return mountView(component, createMap);
}
