// The clock of an animation and its bar: play, pause, loop, speed, scrub, full screen, keys.
import { isAlone } from "./screen.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
const HOLD_SECONDS = 1; // at the last frame, before it starts again

const ICONS = {
  play: "M8 5.5v13a.6.6 0 0 0 .92.5l10.2-6.5a.6.6 0 0 0 0-1L8.92 5a.6.6 0 0 0-.92.5z",
  pause: "M7 5h3.2v14H7zM13.8 5H17v14h-3.2z",
  loop: "M7 7h10v3l4-4-4-4v3H5v6h2zm10 10H7v-3l-4 4 4 4v-3h12v-6h-2z",
  full: "M4 4h7v2.5H6.5V11H4zm16 16h-7v-2.5h4.5V13H20zM13 4h7v7h-2.5V6.5H13zM11 20H4v-7h2.5v4.5H11z",
  page: "M11 11H4V8.5h4.5V4H11zm2 2h7v2.5h-4.5V20H13zM20 11h-7V4h2.5v4.5H20zM4 13h7v7H8.5v-4.5H4z",
};

// The person asked their system for less motion.
export function prefersStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

// Builds the bar in `host` and calls options.onFrame(position), position fractional in [0, frames - 1], at most
// once an animation frame and only when there is something new to draw.
//   frames     how many
//   fps        frames a second at speed 1
//   label      what plays, for screen readers
//   autoplay   starts at once, unless the person prefers reduced motion: then the last frame is shown
//   format     position -> read-out
//   loop       starts again after a second at the end
//   root       element whose focus takes the keys (space, arrows, Home, End, f), whose sight lets time run, and which
//              goes full screen
export function createTransport(host, options) {
  const { label = "animation", autoplay = true, root = host, onFrame } = options;
  const { format = (position) => `${Math.round(position)}` } = options;
  let { frames, fps = 24, loop = true } = options;
  const still = prefersStillness();
  let playing = autoplay && !still;
  let position = still ? frames - 1 : 0;
  let speed = 1;
  let held = 0; // seconds spent at the last frame
  let visible = true;
  let dirty = false;
  let request = 0;
  let before = 0; // time of the last tick

  host.classList.add("transport");
  host.setAttribute("role", "group");
  host.setAttribute("aria-label", `Playback: ${label}`);
  host.innerHTML = `
    <div class="transport-bar">
      <button type="button" class="transport-play"></button>
      <input type="range" class="transport-scrub" min="0" step="any">
      <output class="transport-readout" aria-live="off"></output>
      <select class="transport-speed" aria-label="Speed" title="Speed">
        ${SPEEDS.map((value) => `<option value="${value}">${value}×</option>`).join("")}
      </select>
      <button type="button" class="transport-loop" aria-label="Loop" title="Loop">${icon("loop")}</button>
      <button type="button" class="transport-full"></button>
    </div>`;
  const find = (name) => host.querySelector(`.transport-${name}`);
  const names = ["play", "scrub", "readout", "speed", "loop", "full"];
  const [playButton, scrub, readout, speedSelect, loopButton, fullButton] = names.map(find);
  scrub.setAttribute("aria-label", `Position: ${label}`);
  if (!root.hasAttribute("tabindex")) root.tabIndex = 0;
  if (!root.hasAttribute("role")) root.setAttribute("role", "group");
  if (!root.hasAttribute("aria-label")) root.setAttribute("aria-label", label);

  function icon(name) {
    return `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
  }

  const last = () => frames - 1;

  function schedule() {
    if (request) return;
    before = performance.now();
    request = requestAnimationFrame(tick);
  }

  function tick(now) {
    request = 0;
    const moved = playing && visible && advance(Math.min(Math.max(now - before, 0), 100) / 1000);
    if (moved || dirty) show();
    if (playing && visible) {
      schedule();
      before = now;
    }
  }

  function refresh() {
    dirty = true;
    schedule();
  }

  // Moves time on; says whether the position changed.
  function advance(seconds) {
    if (position < last()) {
      position = Math.min(position + seconds * fps * speed, last());
      held = 0;
      if (position === last() && !loop) setPlaying(false);
      return true;
    }
    held += seconds;
    if (held < HOLD_SECONDS || last() === 0) return false;
    position = 0;
    held = 0;
    return true;
  }

  function show() {
    dirty = false;
    const text = format(position);
    scrub.value = position;
    scrub.style.setProperty("--played", `${last() ? (100 * position) / last() : 100}%`);
    readout.textContent = text;
    if (!playing) scrub.setAttribute("aria-valuetext", text); // while playing, it would be read out without end
    root.dataset.position = position.toFixed(3);
    onFrame(position);
  }

  function setPlaying(value) {
    playing = value;
    playButton.innerHTML = icon(playing ? "pause" : "play");
    playButton.title = playing ? "Pause" : "Play";
    playButton.setAttribute("aria-label", playButton.title);
    root.dataset.playing = playing;
    refresh();
  }

  function setFrames(count) {
    const share = last() ? position / last() : Number(!playing);
    frames = count;
    scrub.max = last();
    readout.style.minWidth = `${format(last()).length}ch`; // the bar does not move while the numbers grow
    position = share * last();
    refresh();
  }

  function seek(target) {
    position = Math.min(Math.max(target, 0), last());
    held = 0;
    refresh();
  }

  function play() {
    if (position === last()) seek(0);
    setPlaying(true);
  }

  const pause = () => setPlaying(false);
  const toggle = () => (playing ? pause() : play());

  // To the next whole frame (or the one before, for -1).
  function step(delta) {
    pause();
    seek(delta > 0 ? Math.floor(position + 1e-6) + delta : Math.ceil(position - 1e-6) + delta);
  }

  function setLoop(value) {
    loop = value;
    loopButton.setAttribute("aria-pressed", loop);
    held = 0;
  }

  function toggleFullScreen() {
    if (!document.fullscreenEnabled) return;
    if (isAlone(root)) document.exitFullscreen();
    else root.requestFullscreen();
  }

  function showFullScreen() {
    fullButton.innerHTML = icon(isAlone(root) ? "page" : "full");
    fullButton.ariaLabel = isAlone(root) ? "Leave full screen" : "Full screen";
    fullButton.title = `${fullButton.ariaLabel} (${isAlone(root) ? "Escape" : "f"})`;
    refresh();
  }

  const KEYS = {
    " ": toggle,
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    Home: () => (pause(), seek(0)),
    End: () => (pause(), seek(last())),
    f: toggleFullScreen,
  };

  function onKey(event) {
    const action = KEYS[event.key];
    const target = event.composedPath()[0];
    const native = target.tagName === "SELECT" || (event.key === " " && target.tagName === "BUTTON");
    if (!action || native || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  playButton.addEventListener("click", toggle);
  loopButton.addEventListener("click", () => setLoop(!loop));
  speedSelect.addEventListener("change", () => (speed = Number(speedSelect.value)));
  fullButton.hidden = !document.fullscreenEnabled; // an iPhone, or a frame that may not
  fullButton.addEventListener("click", toggleFullScreen);
  root.addEventListener("fullscreenchange", showFullScreen);
  scrub.addEventListener("input", () => {
    const target = Number(scrub.value);
    if (playing) pause();
    seek(target);
  });
  root.addEventListener("keydown", onKey);
  const sight = new IntersectionObserver((entries) => {
    visible = entries.at(-1).isIntersecting;
    if (visible) schedule();
  });
  sight.observe(root);

  speedSelect.value = speed;
  setLoop(loop);
  showFullScreen();
  setFrames(frames);
  setPlaying(playing);

  return {
    seek,
    play,
    pause,
    step,
    setFrames,
    refresh, // draws the current position again in the next animation frame
    setFps: (value) => (fps = value),
    get position() {
      return position;
    },
    get playing() {
      return playing;
    },
    destroy() {
      cancelAnimationFrame(request);
      request = -1; // nothing is scheduled any more
      sight.disconnect();
      root.removeEventListener("keydown", onKey);
      root.removeEventListener("fullscreenchange", showFullScreen);
      host.replaceChildren();
    },
  };
}
