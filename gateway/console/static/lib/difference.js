/* The difference of two texts by lines: a longest common subsequence (Hunt and Szymanski's problem, by the plain table).
   Prompts have hundreds of lines, so the table is small; beyond LARGEST cells the texts are shown whole. Pure. */

const LARGEST = 4_000_000;

/** Rows `{kind: "same" | "out" | "in", text}` that lead from `before` to `after`. */
export function differences(before, after) {
  const [a, b] = [before.split("\n"), after.split("\n")];
  if (a.length * b.length > LARGEST) return [...a.map((text) => ({ kind: "out", text })),
    ...b.map((text) => ({ kind: "in", text }))];
  const lengths = table(a, b);
  const rows = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      rows.push({ kind: "same", text: a[i] });
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && lengths[i + 1][j] >= lengths[i][j + 1])) {
      rows.push({ kind: "out", text: a[i] });
      i += 1;
    } else {
      rows.push({ kind: "in", text: b[j] });
      j += 1;
    }
  }
  return rows;
}

/** The rows beside each other: pairs `[before, after]` of rows, null where one side has no line. */
export function beside(rows) {
  const pairs = [];
  let [outs, ins] = [[], []];
  const close = () => {
    for (let i = 0; i < Math.max(outs.length, ins.length); i += 1) pairs.push([outs[i] ?? null, ins[i] ?? null]);
    [outs, ins] = [[], []];
  };
  for (const row of rows) {
    if (row.kind === "out") outs.push(row);
    else if (row.kind === "in") ins.push(row);
    else {
      close();
      pairs.push([row, row]);
    }
  }
  close();
  return pairs;
}

/** `lengths[i][j]`: how many lines a[i..] and b[j..] have in common, in order. */
function table(a, b) {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  return lengths;
}
