/** The first screen: filters, the table of R and Python against framework, the list of cells. */

import { Cells, type Table, load, positions } from "./data.js";
import { byId, el, plural } from "./dom.js";
import { List } from "./list.js";
import { type Predicate, QueryError, compileQuery } from "./query.js";
import { type State, address, read } from "./state.js";

const ORDER = [
  "pass", "fail", "crash", "timeout", "oom", "unsatisfiable", "unavailable", "unsupported",
  "skipped", "missing",
];
const ALL = "all";
const NONE = "none";
/** Lines of the table that are drawn at once: as many as a screen has. */
const AT_ONCE = 12;

export async function first(): Promise<void> {
  const table = await load<Table>("cells", "data/cells.js");
  if (table) new First(new Cells(table)).start();
}

class First {
  private state: State = {};
  private readonly form = byId<HTMLFormElement>("filters");
  private readonly query = byId<HTMLInputElement>("query");
  private readonly fault = byId("fault");
  private readonly list: List;
  private readonly everything: number[];
  private grids: Grid | null = null;

  constructor(private readonly cells: Cells) {
    this.everything = Array.from({ length: cells.size }, (_, row) => row);
    this.list = new List(cells, (sort) => this.go({ ...this.state, sort }, true));
  }

  start(): void {
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("change", (event) => {
      if (event.target !== this.query) this.go(this.ofForm());
    });
    this.query.addEventListener("input", () => this.go(this.ofForm(), true));
    byId("reset").addEventListener("click", () => this.go({}));
    addEventListener("hashchange", () => this.show(read()));
    addEventListener("beforeprint", () => this.grids?.draw(Infinity));
    document.documentElement.dataset["ready"] = "";
    this.show(read());
  }

  private go(state: State, replace = false): void {
    const to = address(state);
    if (replace) history.replaceState(null, "", to);
    else history.pushState(null, "", to);
    this.show(state);
  }

  /** What the form says; `of`, which has no field, holds until another view is asked for. */
  private ofForm(): State {
    const state: State = {};
    for (const [key, value] of new FormData(this.form)) {
      if (typeof value === "string" && value.trim()) state[key] = value.trim();
    }
    if (state["path"] === this.form.dataset["first"]) delete state["path"];
    if (this.state["sort"]) state["sort"] = this.state["sort"];
    if (this.state["of"]) state["of"] = this.state["of"];
    return state;
  }

  private show(state: State): void {
    this.state = state;
    const path = state["of"] && !state["path"] ? ALL : (state["path"] ?? this.form.dataset["first"] ?? ALL);
    this.fill(state, path);
    const predicate = this.compiled(state["q"] ?? "");
    if (!predicate) return;
    let rows = this.everything;
    if (state["of"]) {
      rows = positions(state["of"]).map((at) => this.cells.rowAt(at)).filter((row) => row >= 0);
    }
    for (const key of [...this.cells.table.axes, "status", "cause"]) {
      const wanted = key === "path" ? (path === ALL ? undefined : path) : state[key];
      if (wanted) rows = this.where(rows, key, wanted);
    }
    if (state["q"]) rows = this.cells.filter(rows, predicate);
    this.grid(rows, path);
    this.list.show(rows, state["sort"] ?? "");
    this.say(rows, path);
  }

  private where(rows: number[], key: string, wanted: string): number[] {
    const values = this.cells.table.values[key] ?? [];
    const index = wanted === NONE ? values.indexOf(null) : values.indexOf(wanted);
    const column = this.cells.table.columns[key] ?? [];
    return rows.filter((row) => column[row] === index);
  }

  private compiled(text: string): Predicate | null {
    try {
      const pins = this.cells.table.axes;
      const predicate = text.trim() ? compileQuery(text, pins) : () => true;
      this.fault.textContent = "";
      this.query.removeAttribute("aria-invalid");
      return predicate;
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      this.fault.textContent = error.message;
      this.query.setAttribute("aria-invalid", "true");
      return null;
    }
  }

  /** Put the state into the form: it may come from the address. */
  private fill(state: State, path: string): void {
    for (const field of this.form.elements) {
      if (field instanceof HTMLInputElement && field.type === "radio") {
        field.checked = field.value === path;
      } else if (field instanceof HTMLSelectElement) {
        field.value = state[field.name] ?? "";
      } else if (field === this.query && this.query.value.trim() !== (state["q"] ?? "")) {
        this.query.value = state["q"] ?? "";
      }
    }
    this.open();
  }

  /** Show the fields that are in use. */
  private open(): void {
    const used = [...this.form.querySelectorAll("select")].some((field) => field.value);
    if (used) byId<HTMLDetailsElement>("more").open = true;
  }

  private say(rows: number[], path: string): void {
    const found = new Map<string, number>();
    for (const row of rows) {
      const status = this.cells.status(row);
      found.set(status, (found.get(status) ?? 0) + 1);
    }
    const words = ORDER.filter((status) => found.has(status)).map(
      (status) => `${found.get(status)?.toLocaleString("en")} ${status}`,
    );
    const where = path === ALL ? "" : ` on ${path}`;
    byId("said").textContent = rows.length
      ? `${plural(rows.length, "cell")}${where}: ${words.join(", ")}`
      : `No cell${where} fits. Take a filter away, or choose all paths.`;
    byId("chosen").hidden = !this.state["of"];
  }

  private grid(rows: number[], path: string): void {
    this.grids = new Grid(this.cells, rows, path, this.state);
    byId("grid").replaceChildren(this.grids.table);
    this.further(this.grids);
  }

  /** Draw what is not in sight once the page has answered, a few lines at a time. */
  private further(grid: Grid): void {
    byId("grid").ariaBusy = grid.done ? null : "true";
    if (grid.done) return;
    setTimeout(() => {
      if (this.grids !== grid) return;
      grid.draw(AT_ONCE);
      this.further(grid);
    });
  }
}

/** The table; its markup is that of `templates/_grid.html`. */
class Grid {
  readonly table = el("table", { class: "grid" });
  private readonly lines: Iterator<void>;
  done = false;

  constructor(cells: Cells, rows: number[], path: string, state: State) {
    this.lines = drawn(this.table, cells, rows, path, state);
    this.draw(AT_ONCE);
  }

  /** Draw so many lines more. */
  draw(lines: number): void {
    for (let line = 0; line < lines && !this.done; line++) {
      this.done = this.lines.next().done ?? false;
    }
  }
}

/** Draws a line of the table each time that it is asked. */
function* drawn(
  table: HTMLElement, cells: Cells, rows: number[], path: string, state: State,
): Generator<void> {
  const { columns, values } = cells.table;
  const keys = ["r", "python", "framework", "cuda"] as const;
  const [r, python, framework, cuda] = keys.map((key) => columns[key] ?? []) as [
    number[], number[], number[], number[],
  ];
  const cudas = (values["cuda"] ?? []).length || 1;
  const pythons = (values["python"] ?? []).length || 1;
  const boxes = new Map<number, Map<number, number[]>>();
  const heads = new Set<number>();
  for (const row of rows) {
    const line = (r[row] ?? 0) * pythons + (python[row] ?? 0);
    const head = (framework[row] ?? 0) * cudas + (cuda[row] ?? 0);
    heads.add(head);
    let of = boxes.get(line);
    if (!of) boxes.set(line, (of = new Map()));
    const box = of.get(head);
    if (box) box.push(row);
    else of.set(head, [row]);
  }
  const shown = [...heads].sort((a, b) => a - b);
  const lines = [...boxes.keys()].sort((a, b) => a - b);
  const rOf = (line: number): string | null => values["r"]?.[Math.floor(line / pythons)] ?? null;
  const hasR = lines.some((line) => rOf(line) !== null);
  const cudaOf = (head: number): string | null => values["cuda"]?.[head % cudas] ?? null;
  const showsCuda = shown.some((head) => !["cpu", null].includes(cudaOf(head)));
  const top = el("tr", {});
  if (hasR) top.append(el("th", { scope: "col" }, "R"));
  top.append(el("th", { scope: "col" }, "Python"));
  for (const head of shown) {
    const name = cells.table.labels[Math.floor(head / cudas)] || "no framework";
    const device = cudaOf(head) ?? "cpu";
    const text = showsCuda && device !== "cpu" ? `${name}, CUDA ${device}` : name;
    top.append(el("th", { scope: "col" }, text));
  }
  const title = path === ALL ? "Every path" : path;
  table.append(
    el("caption", { class: "hidden" }, `${title}: R and Python against framework`),
    el("thead", {}, top),
  );
  let body: HTMLElement | null = null;
  let before: string | null | undefined;
  for (const line of lines) {
    const version = rOf(line);
    if (version !== before || !body) table.append((body = el("tbody", {})));
    const tr = el("tr", {});
    if (hasR && (version !== before || before === undefined)) {
      const span = lines.filter((other) => rOf(other) === version).length;
      tr.append(el("th", { scope: "rowgroup", rowspan: span }, version ?? "none"));
    }
    before = version;
    const pythonOf = values["python"]?.[line % pythons] ?? null;
    tr.append(el("th", { scope: "row" }, pythonOf ?? "none"));
    for (const head of shown) {
      const box = boxes.get(line)?.get(head);
      tr.append(
        box
          ? boxOf(cells, box, { ...state, path, r: version ?? NONE, python: pythonOf ?? NONE,
              framework: values["framework"]?.[Math.floor(head / cudas)] ?? NONE,
              cuda: showsCuda ? (cudaOf(head) ?? NONE) : (state["cuda"] ?? "") })
          : el("td", { class: "none" }, el("span", { class: "hidden" }, "no cell")),
      );
    }
    body.append(tr);
    yield;
  }
}

function boxOf(cells: Cells, box: number[], state: State): HTMLElement {
  const found = new Map<string, number>();
  for (const row of box) {
    const status = cells.status(row);
    found.set(status, (found.get(status) ?? 0) + 1);
  }
  const tally = ORDER.filter((status) => found.has(status));
  const one = box.length === 1 ? (box[0] as number) : null;
  const link = el("a", {
    href: one === null ? address({ ...state, sort: "" }) : `cell.html${address({ cell: cells.id(one) })}`,
  });
  for (const status of tally) {
    const number = box.length > 1 ? `${found.get(status)} ` : "";
    const mark = el("span", { "aria-hidden": "true" }, cells.symbol(status));
    link.append(el("span", { class: `s ${status}` }, mark, ` ${number}${status}`));
  }
  return el("td", { class: tally.length === 1 ? (tally[0] as string) : "mixed" }, link);
}


