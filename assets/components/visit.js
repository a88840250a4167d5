// Remembers the visitor, so that a reload within a day finds the work that is still running.
export default function (component) {
  const { cookie, value } = component.data;
  document.cookie = `${cookie}=${value}; path=/; max-age=86400; samesite=strict`;
}
