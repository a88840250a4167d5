// Follows the theme of the page. palette: { light: { role: colour }, dark: { role: colour } }.

// Sets --data, --noise, --model, --exact on `root` for its background, and again whenever the theme changes;
// then calls `onChange`, so that a canvas can be painted again. Returns a function that stops watching.
export function followTheme(root, palette, onChange = () => {}) {
  const apply = () => {
    const [red, green, blue] = getComputedStyle(root).backgroundColor.match(/[\d.]+/g).map(Number);
    const dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128;
    root.dataset.theme = dark ? "dark" : "light";
    for (const [role, colour] of Object.entries(palette[root.dataset.theme])) {
      root.style.setProperty(`--${role}`, colour);
    }
    onChange();
  };
  // A transition on the background (theme.css) is the only event that a change of a CSS variable causes.
  const changed = (event) => event.target === root && event.propertyName === "background-color" && apply();
  root.addEventListener("transitionend", changed);
  apply();
  return () => root.removeEventListener("transitionend", changed);
}
