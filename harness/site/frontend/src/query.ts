/**
 * The selection grammar of the command line (`harness/query.py`), word for word: what it covers,
 * and what it says of a slip.  `tests/unit/site/queries.yaml` runs through both.
 */

import { satisfies, validRange } from "@renovatebot/pep440";
import { closest } from "./closest.js";

/** A cell's value of a key; `null` where an axis does not apply. */
export type Values = (key: string) => string | null;
export type Predicate = (cell: Values) => boolean;

export const KEYS = [
  "bridge", "cause", "cuda", "framework", "id", "message", "path", "phase", "probe", "python", "r",
  "status", "transport",
];

export class QueryError extends Error {}

interface Token {
  kind: "paren" | "not" | "quoted" | "word" | "and" | "or";
  word: string;
  at: number;
}

const TOKEN = /\s*(?:(?<paren>[()])|(?<not>!)(?=[^=])|"(?<quoted>[^"]*)"|(?<word>(?:[^\s()"]|"[^"]*")+))/suy;
const COMPARISON = /^(?<name>[A-Za-z][\w.-]*)?\s*(?<specifier>(?:[<>!=~]=?|===).*)$/u;
const VERSION = /^\d+(\.\d+)*$/u;
const REQUIREMENT = /^(?<name>[A-Za-z][\w-]*)(\[(?<extras>[^\]]*)\])?(==(?<version>.+))?$/u;
const MAX_DEPTH = 50;

/** Turn a query into a predicate; throws `QueryError` with the place of a fault, from 1. */
export function compileQuery(text: string, furtherKeys: Iterable<string> = []): Predicate {
  return new Parser(text, [...new Set([...KEYS, ...furtherKeys])].sort()).parse();
}

interface Apart {
  name: string | null;
  extras: string[];
  version: string | null;
}

/** Name, extras and version of a value: `keras[jax]==3.15.1`, `==1.26`, `4.5.0`. */
function takenApart(value: string): Apart {
  if (VERSION.test(value)) return { name: null, extras: [], version: value };
  if (value.startsWith("==") && !value.includes(",")) {
    return { name: null, extras: [], version: value.slice(2) };
  }
  const found = REQUIREMENT.exec(value)?.groups;
  if (!found) return { name: null, extras: [], version: null };
  return {
    name: found["name"] ?? null,
    extras: (found["extras"] ?? "").split(",").filter(Boolean),
    version: found["version"] ?? null,
  };
}

function inRange(version: string, specifier: string): boolean {
  if (isFaulty(specifier)) return false;
  try {
    return satisfies(version, specifier, { prereleases: true });
  } catch {
    return false;
  }
}

/** A comma at the end, or two in a row, is passed over, as Python's `packaging` does. */
function isFaulty(specifier: string): boolean {
  const parts = specifier.split(",").map((part) => part.trim()).filter(Boolean);
  return parts.some((part) => !validRange(part));
}

/** Whether one value of an axis is covered by one pattern. */
export function matcher(given: string): (value: string | null) => boolean {
  const pattern = given.trim();
  const folded = pattern.toLowerCase();
  const found = COMPARISON.exec(pattern)?.groups;
  const wanted = found?.["name"]?.toLowerCase();
  const specifier = found?.["specifier"]?.split(",").filter((part) => part.trim()).join(",");
  const isVersion = VERSION.test(pattern);
  // Brackets are part of a framework's name here (keras[jax]), not a set of characters.
  const shell = glob(folded.replaceAll("[", "[[]"));
  const seen = new Map<string | null, boolean>();
  function covers(value: string | null): boolean {
    if (value === null) return folded === "none" || folded === "";
    if (pattern === value) return true;
    const { name, extras, version } = takenApart(value);
    if (specifier !== undefined) {
      if (wanted !== undefined && wanted !== (name ?? "").toLowerCase()) return false;
      return version !== null && inRange(version, specifier);
    }
    if (isVersion && version !== null) {
      return version === pattern || version.startsWith(`${pattern}.`);
    }
    if (name !== null && [name, ...extras].some((word) => word.toLowerCase() === folded)) {
      return true;
    }
    return shell.test(value.toLowerCase());
  }
  return (value) => {
    let is = seen.get(value);
    if (is === undefined) {
      is = covers(value);
      seen.set(value, is);
    }
    return is;
  };
}

/** Python's `fnmatchcase`: `*`, `?`, `[seq]` and `[!seq]`. */
export function glob(pattern: string): RegExp {
  let out = "";
  let at = 0;
  const letters = [...pattern];
  const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/gu, "\\$&");
  while (at < letters.length) {
    const letter = letters[at++] ?? "";
    if (letter === "*") {
      if (!out.endsWith(".*")) out += ".*";
    } else if (letter === "?") out += ".";
    else if (letter === "[") {
      let end = at;
      if (letters[end] === "!") end++;
      if (letters[end] === "]") end++;
      while (end < letters.length && letters[end] !== "]") end++;
      if (end >= letters.length) out += "\\[";
      else {
        out += setOf(letters.slice(at, end));
        at = end + 1;
      }
    } else out += escaped(letter);
  }
  return new RegExp(`^${out}$`, "su");
}

function setOf(letters: string[]): string {
  const negated = letters[0] === "!";
  const body = negated ? letters.slice(1) : letters;
  let out = "";
  for (let at = 0; at < body.length; at++) {
    const [first, dash, last] = [body[at] ?? "", body[at + 1], body[at + 2]];
    const code = (letter: string): string => `\\u{${(letter.codePointAt(0) ?? 0).toString(16)}}`;
    if (dash === "-" && last !== undefined) {
      if (first <= last) out += `${code(first)}-${code(last)}`;
      at += 2;
    } else out += code(first);
  }
  if (!out) return negated ? "." : "(?!)";
  return negated ? `[^${out}]` : `[${out}]`;
}

/** Say in one sentence what is wrong with a pattern, or `null`. */
export function faultOf(pattern: string): string | null {
  const found = COMPARISON.exec(pattern.trim())?.groups;
  if (found && isFaulty(found["specifier"] ?? "")) {
    return `'${pattern}' is no comparison of versions; write '>=4.2' or '>=3.10,<3.13'`;
  }
  return null;
}

/** Recursive descent over `or` < `and` < `not` < term. */
class Parser {
  private readonly tokens: Token[];
  private index = 0;
  private depth = 0;

  constructor(
    private readonly text: string,
    private readonly keys: string[],
  ) {
    this.tokens = this.scan();
  }

  parse(): Predicate {
    if (!this.tokens.length) {
      throw new QueryError("the query is empty; write, for instance, 'path:reticulate r:>=4.2'");
    }
    const predicate = this.or();
    if (this.index < this.tokens.length) this.fail("is out of place here");
    return predicate;
  }

  private scan(): Token[] {
    const tokens: Token[] = [];
    const end = this.text.trimEnd().length;
    let at = 0;
    while (at < end) {
      TOKEN.lastIndex = at;
      const found = TOKEN.exec(this.text);
      if (!found?.groups) {
        throw new QueryError(
          `query '${this.text}', character ${count(this.text, at) + 1}: a quotation mark is not closed`,
        );
      }
      const [kind, word] = Object.entries(found.groups).find(([, part]) => part !== undefined) ?? [
        "word",
        "",
      ];
      const start = at + found[0].length - word.length - (kind === "quoted" ? 1 : 0);
      const lower = word.toLowerCase();
      const named = kind === "word" && ["and", "or", "not"].includes(lower) ? lower : kind;
      tokens.push({ kind: named as Token["kind"], word, at: count(this.text, start) + 1 });
      at += found[0].length;
    }
    return tokens;
  }

  private kind(): string | null {
    const token = this.tokens[this.index];
    if (!token) return null;
    return token.kind === "paren" ? token.word : token.kind;
  }

  private fail(what: string): never {
    const token = this.tokens[this.index];
    if (token) {
      throw new QueryError(`query '${this.text}', character ${token.at}: '${token.word}' ${what}`);
    }
    throw new QueryError(`query '${this.text}' ends where a term should follow`);
  }

  private or(): Predicate {
    const terms = [this.and()];
    while (this.kind() === "or") {
      this.index++;
      terms.push(this.and());
    }
    return terms.length === 1 ? (terms[0] as Predicate) : (cell) => terms.some((term) => term(cell));
  }

  private and(): Predicate {
    const terms = [this.not()];
    while (![null, "or", ")"].includes(this.kind())) {
      if (this.kind() === "and") this.index++;
      terms.push(this.not());
    }
    return terms.length === 1 ? (terms[0] as Predicate) : (cell) => terms.every((term) => term(cell));
  }

  private not(): Predicate {
    let negated = false;
    while (this.kind() === "not") {
      this.index++;
      negated = !negated;
    }
    const term = this.term();
    return negated ? (cell) => !term(cell) : term;
  }

  private term(): Predicate {
    const kind = this.kind();
    if (kind === "(") {
      this.depth++;
      if (this.depth > MAX_DEPTH) {
        throw new QueryError(`the query has more than ${MAX_DEPTH} parentheses in each other`);
      }
      this.index++;
      const inner = this.or();
      if (this.kind() !== ")") this.fail("stands where ')' should");
      this.index++;
      this.depth--;
      return inner;
    }
    if (kind !== "word" && kind !== "quoted") this.fail("stands where a term should");
    const token = this.tokens[this.index++] as Token;
    return this.ofWord(token.word, token.at, kind === "quoted");
  }

  private ofWord(word: string, at: number, quoted: boolean): Predicate {
    const colon = word.indexOf(":");
    if (quoted || colon < 0) {
      const needle = word.toLowerCase();
      return (cell) => (cell("id") ?? "").toLowerCase().includes(needle);
    }
    const key = word.slice(0, colon).toLowerCase();
    const pattern = word.slice(colon + 1).replaceAll('"', "");
    let fault = faultOf(pattern);
    if (!this.keys.includes(key)) {
      const near = closest(key, this.keys);
      const meant = near ? `did you mean '${near}:'?` : `keys are ${this.keys.join(", ")}`;
      fault = `'${word}' has no known key; ${meant}`;
    } else if (!pattern) fault = `'${word}' has no pattern behind the colon`;
    if (fault !== null) throw new QueryError(`query '${this.text}', character ${at}: ${fault}`);
    if (key === "id" || key === "message") {
      const folded = pattern.toLowerCase();
      const shell = glob(/[*?]/u.test(folded) ? folded : `*${folded}*`);
      return (cell) => shell.test((cell(key) ?? "").toLowerCase());
    }
    const covers = matcher(pattern);
    return (cell) => covers(cell(key));
  }
}

/** Characters before `at`, as people and Python count them. */
function count(text: string, at: number): number {
  return [...text.slice(0, at)].length;
}
