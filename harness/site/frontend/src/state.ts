/** The state of a page in its address, so that a view can be linked. */

export type State = Record<string, string>;

export function read(): State {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

export function address(state: State): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) if (value) params.set(key, value);
  // Legible: a fragment may hold these as they are.
  const text = params.toString();
  return `#${text.replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/")}`;
}
