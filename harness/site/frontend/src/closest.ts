/** The nearest of some words, as Python's `difflib.get_close_matches(word, words, n=1)` finds it. */

const CUTOFF = 0.6;

export function closest(word: string, words: readonly string[]): string | null {
  let best: [number, string] | null = null;
  for (const other of words) {
    const ratio = similarity(other, word);
    // Of two that are as near, Python takes the one that sorts last.
    if (ratio >= CUTOFF && (!best || ratio > best[0] || (ratio === best[0] && other > best[1]))) {
      best = [ratio, other];
    }
  }
  return best?.[1] ?? null;
}

/** Twice the letters in matching blocks, over all letters of both: Ratcliff and Obershelp. */
function similarity(a: string, b: string): number {
  const whole = a.length + b.length;
  return whole ? (2 * matched(a, b)) / whole : 1;
}

function matched(a: string, b: string): number {
  let [size, i, j] = [0, 0, 0];
  for (let from = 0; from < a.length; from++) {
    for (let at = 0; at < b.length; at++) {
      let length = 0;
      while (
        from + length < a.length && at + length < b.length && a[from + length] === b[at + length]
      ) length++;
      if (length > size) [size, i, j] = [length, from, at];
    }
  }
  if (!size) return 0;
  return size + matched(a.slice(0, i), b.slice(0, j)) + matched(a.slice(i + size), b.slice(j + size));
}
