// Keeps one view for each mounted component, though Streamlit calls a component again with every new data.
const MOUNTED = new WeakMap(); // the element that Streamlit gives -> { update(component), destroy() }

// create(component) builds a view, once; view.update(component) follows, now and on every later call.
// Returns what a component returns: the function that Streamlit calls when the component goes away.
export function mountView(component, create) {
  const { parentElement } = component;
  const mounted = MOUNTED.get(parentElement) ?? { view: create(component) };
  MOUNTED.set(parentElement, mounted);
  mounted.view.update(component);
  mounted.latest = component;
  return () => {
    // Streamlit drops a call that a later one overtook by calling what it returned: the view lives on.
    if (mounted.latest !== component) return;
    mounted.view.destroy();
    MOUNTED.delete(parentElement);
  };
}
