/** The data of the site: scripts that call `harnessData`, since a page on a disk may load no other. */

import type { Values } from "./query.js";

const arrived = new Map<string, unknown>();
const awaited = new Map<string, (value: unknown) => void>();

declare global {
  var harnessData: (name: string, value: unknown) => void;
}

globalThis.harnessData = (name, value) => {
  arrived.set(name, value);
  awaited.get(name)?.(value);
};

/** What the script at `path` hands over under `name`; `null` where there is no such file. */
export function load<T>(name: string, path: string): Promise<T | null> {
  if (arrived.has(name)) return Promise.resolve(arrived.get(name) as T);
  return new Promise((resolve) => {
    awaited.set(name, (value) => resolve(value as T));
    if (document.querySelector(`script[src="${CSS.escape(path)}"]`)) return;
    const script = document.createElement("script");
    script.src = path;
    script.addEventListener("error", () => resolve(null));
    document.head.append(script);
  });
}

/** As `harness/site/columns.py` writes it. */
export interface Table {
  matrix: string;
  harness: string;
  started_at: string;
  machines: string[];
  chunk: number;
  axes: string[];
  symbols: string[];
  values: Record<string, (string | null)[]>;
  columns: Record<string, number[]>;
  labels: string[];
  parts: string[];
  ids: number[][];
  at: number[];
  first: number[];
  status_after: number[];
  wall_after: number[];
  wall_s: number[];
  day: [(string | null)[], number[]];
  machine: number[];
  control: number[];
  helped: number[];
  logs: Record<number, number>;
  causes: Record<string, Cause>;
}

export interface Cause {
  means: string;
  why: string;
  remedies: { id: string; text: string; command: string | null; system: boolean }[];
}

export class Cells {
  readonly size: number;
  private rows: Map<string, number> | null = null;
  private places: Map<number, number> | null = null;

  constructor(readonly table: Table) {
    this.size = table.ids.length;
  }

  id(row: number): string {
    return (this.table.ids[row] ?? []).map((part) => this.table.parts[part]).join("__");
  }

  value(key: string, row: number): string | null {
    if (key === "id") return this.id(row);
    const column = this.table.columns[key];
    return column ? (this.table.values[key]?.[column[row] ?? 0] ?? null) : null;
  }

  index(key: string, row: number): number {
    return this.table.columns[key]?.[row] ?? 0;
  }

  status(row: number): string {
    return this.value("status", row) ?? "";
  }

  symbol(status: string): string {
    return this.table.symbols[this.table.values["status"]?.indexOf(status) ?? -1] ?? "";
  }

  /** A framework as people say it: `keras 3.15.1 +jax`. */
  framework(row: number): string {
    return this.table.labels[this.index("framework", row)] ?? "";
  }

  /** The row of the cell with this id, or -1. */
  row(id: string): number {
    this.rows ??= new Map(Array.from({ length: this.size }, (_, row) => [this.id(row), row]));
    return this.rows.get(id) ?? -1;
  }

  /** The row of the cell at this position of `results.json`, or -1. */
  rowAt(position: number): number {
    this.places ??= new Map(this.table.at.map((at, row) => [at, row]));
    return this.places.get(position) ?? -1;
  }

  /** The rows that a predicate covers, out of `rows`. */
  filter(rows: Iterable<number>, predicate: (cell: Values) => boolean): number[] {
    let row = 0;
    const values: Values = (key) => this.value(key, row);
    const found: number[] = [];
    for (row of rows) if (predicate(values)) found.push(row);
    return found;
  }
}

/** `0-3,7` as positions. */
export function positions(text: string): number[] {
  return text.split(",").flatMap((part) => {
    const [first = NaN, last = first] = part.split("-").map(Number);
    if (!Number.isInteger(first) || !Number.isInteger(last) || last - first > 1e6) return [];
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
}
