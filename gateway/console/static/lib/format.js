/* Numbers, money, times and sizes in the reader's language and time zone (Intl). Unknown values are a dash. */

const DASH = "–";
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const inUtc = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long", timeZone: "UTC" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const hourAndMinute = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const dayAndMonth = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const plain = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const currencies = new Map();

/** A decimal string and its currency. Prices of a second have more digits than a cent has; `digits` are those at least,
    so that a column lines up. */
export function money(amount, currency, digits = 2) {
  if (amount === null || amount === undefined) return DASH;
  const key = `${currency} ${digits}`;
  if (!currencies.has(key)) {
    const style = /** @type {Intl.NumberFormatOptions} */ ({ style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: 4 });
    currencies.set(key, new Intl.NumberFormat(undefined, style));
  }
  return currencies.get(key).format(amount);
}

/** A price in a column of prices of calls, which have hundredths of a cent. */
export const price = (amount, currency) => money(amount, currency, 4);

export const number = (value) => (value === null || value === undefined ? DASH : plain.format(value));
export const moment = (text) => (text ? dateTime.format(new Date(text)) : DASH);
/** In the reader's zone and in UTC, for a title. */
export const fullMoment = (text) => (text ? `${exact.format(new Date(text))}\n${inUtc.format(new Date(text))}` : "");
export const exactMoment = (text) => (text ? exact.format(new Date(text)) : DASH);
export const timeOfDay = (text, style = "medium") => (text ? (style === "short" ? hourAndMinute : clock).format(new Date(text))
  : DASH);
export const utcDay = (text) => dayAndMonth.format(new Date(text));

const STEPS = /** @type {[Intl.RelativeTimeFormatUnit, number][]} */ ([["day", 86_400], ["hour", 3600], ["minute", 60]]);

const SECOND = /** @type {[Intl.RelativeTimeFormatUnit, number]} */ (["second", 1]);

/** "3 hours ago", "in 2 days", "now"; for a title use `fullMoment`. What a person waits for is rounded: an invitation
 * that was just made for a week lasts 7 days. */
export function ago(text, now = Date.now()) {
  if (!text) return DASH;
  const seconds = (new Date(text).getTime() - now) / 1000;
  const [unit, size] = STEPS.find(([, length]) => Math.abs(seconds) >= length) ?? SECOND;
  return unit === "second" ? relative.format(0, "second") : relative.format((seconds < 0 ? Math.trunc : Math.round)(seconds / size), unit);
}

/** 83 -> "1:23", 3671 -> "1:01:11". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return DASH;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${hours ? String(minutes).padStart(2, "0") : minutes}:${String(rest).padStart(2, "0")}`;
  return hours ? `${hours}:${tail}` : tail;
}

const UNITS = ["", "kilobyte", "megabyte", "gigabyte"];

export function bytes(size) {
  if (size === null || size === undefined) return DASH;
  if (size < 1000) return count(size, "byte");
  const power = Math.min(Math.floor(Math.log10(Math.max(size, 1)) / 3), UNITS.length - 1);
  const style = /** @type {Intl.NumberFormatOptions} */ ({ style: "unit", unit: UNITS[power], unitDisplay: "short",
    maximumFractionDigits: 1 });
  return new Intl.NumberFormat(undefined, style).format(size / 1000 ** power);
}

const shares = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

/** 0.934 -> "93.4%". */
export const share = (value) => (value === null || value === undefined ? DASH : shares.format(value));

/** "in_progress" -> "In progress". */
export function words(name) {
  if (!name) return DASH;
  const text = name.replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
}

const PROVIDERS = { bland: "Bland AI", custom: "Custom", elevenlabs: "ElevenLabs", retell: "Retell AI", vapi: "Vapi" };

/** A provider's own spelling of its name. */
export const providerName = (name) => (name ? PROVIDERS[name] ?? name : DASH);

/** "1 call", "3 calls". */
export function count(value, singular, plural = `${singular}s`) {
  return `${number(value)} ${value === 1 ? singular : plural}`;
}
