/* The look of a white-label host: its colors as custom properties of the page, with text that stays readable. Colors are
   #rrggbb. All but `wear` are pure. */

// The least contrast of text to what is behind it (WCAG 2.2, 1.4.3), and the colors of the suite's own light theme.
export const LEAST = 4.5;
const OWN = { primaryColor: "#0f766e", primaryTextColor: "#ffffff", backgroundColor: "#f6f8f8", textColor: "#15201f" };
const DARK = { card: "#172020", ink: "#e6eeed" };
// Steps in which a color is moved until it can be read.
const STEPS = 20;

const channels = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
const hex = (numbers) => `#${numbers.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;

/** The relative luminance of a color, from 0 to 1 (WCAG 2.2). */
export function luminance(color) {
  const [red, green, blue] = channels(color).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The contrast ratio of two colors, from 1 to 21 (WCAG 2.2). */
export function contrast(one, other) {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

/** `share` of the second color in the first. */
export function mix(one, other, share) {
  const [a, b] = [channels(one), channels(other)];
  return hex(a.map((value, at) => value + (b[at] - value) * share));
}

/** The color, moved to black or white until text of it can be read on every one of `behind`. */
export function readable(color, ...behind) {
  const toward = luminance(behind[0]) > 0.18 ? "#000000" : "#ffffff";
  for (let step = 0; step < STEPS; step += 1) {
    const moved = mix(color, toward, step / STEPS);
    if (behind.every((other) => contrast(moved, other) >= LEAST)) return moved;
  }
  return toward;
}

/** The custom properties of a look; none of them for the suite's own colors. `dark` is the reader's scheme: there only
    the color of buttons and links is the organization's. */
export function paletteOf(look, dark) {
  if (Object.entries(OWN).every(([name, color]) => look[name].toLowerCase() === color)) return {};
  if (dark) {
    const accent = readable(look.primaryColor, DARK.card, mix(DARK.card, look.primaryColor, 0.2));
    return { "--accent": accent, "--accent-ink": readable(look.primaryTextColor, accent),
      "--wash": mix(DARK.card, accent, 0.14) };
  }
  const paper = look.backgroundColor;
  const card = mix(paper, luminance(paper) > 0.18 ? "#ffffff" : "#000000", 0.5);
  const wash = mix(paper, look.primaryColor, 0.1);
  const ink = readable(look.textColor, paper, card, wash);
  return {
    "--paper": paper, "--card": card, "--ink": ink, "--soft": readable(mix(ink, paper, 0.35), paper, card),
    "--line": mix(paper, ink, 0.16), "--wash": wash, "--accent": readable(look.primaryColor, paper, card, wash),
    "--accent-ink": readable(look.primaryTextColor, readable(look.primaryColor, paper, card, wash)),
  };
}

/** Shows the page in a look, now and when the reader's scheme changes. */
export function wear(look) {
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  let worn = [];
  const show = () => {
    const { style } = document.documentElement;
    worn.forEach((name) => style.removeProperty(name));
    const palette = paletteOf(look, scheme.matches);
    worn = Object.keys(palette);
    worn.forEach((name) => style.setProperty(name, palette[name]));
  };
  show();
  scheme.addEventListener("change", show);
}

/** The path of a logo on this origin. Its address names the installation's own host, which the page's policy refuses. */
export const logoPath = (look) => (look?.logoUrl ? new URL(look.logoUrl).pathname : "");
