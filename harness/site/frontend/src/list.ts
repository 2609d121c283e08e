/** The list of cells: a real table of which only the rows in sight are there. */

import {
  Virtualizer, elementScroll, observeElementOffset, observeElementRect,
} from "@tanstack/virtual-core";
import type { Cells } from "./data.js";
import { byId, el, seconds } from "./dom.js";
import { address } from "./state.js";

const HEIGHT = 37;
/** Height of a row in pixels, as the style sheet has it. */
const PRINTED = 2000;
/** Rows that are printed at most. */

interface Column {
  key: string;
  head: string;
  number?: boolean;
}

export class List {
  private rows: number[] = [];
  private sort = "";
  private printing = false;
  /** Whether a part of the list was on the screen when the browser last looked. */
  private inSight = false;
  private stale = false;
  private readonly frame = byId("list");
  private readonly body = el("tbody", {});
  private readonly table: HTMLTableElement;
  private readonly heads = new Map<string, HTMLTableCellElement>();
  private readonly columns: Column[];
  private readonly virtual: Virtualizer<HTMLElement, HTMLElement>;

  constructor(
    private readonly cells: Cells,
    private readonly sorted: (sort: string) => void,
  ) {
    const some = (axis: string): boolean =>
      (cells.table.values[axis] ?? []).filter((value) => value !== null).length > 0;
    const several = (axis: string): boolean => (cells.table.values[axis] ?? []).length > 1;
    this.columns = [
      { key: "status", head: "Status" },
      { key: "path", head: "Path" },
      ...(some("transport") ? [{ key: "transport", head: "Transport" }] : []),
      ...(some("bridge") ? [{ key: "bridge", head: "Bridge" }] : []),
      ...(some("r") ? [{ key: "r", head: "R" }] : []),
      { key: "python", head: "Python" },
      { key: "framework", head: "Framework" },
      ...(several("cuda") ? [{ key: "cuda", head: "CUDA" }] : []),
      ...cells.table.axes.slice(7).map((pin) => ({ key: pin, head: pin })),
      { key: "cause", head: "Cause" },
      { key: "wall_s", head: "Time", number: true },
    ];
    this.table = el(
      "table",
      { class: "cells" },
      el("caption", { class: "hidden" }, "Cells; a heading sorts"),
      el("thead", {}, this.head()),
      this.body,
    );
    this.frame.replaceChildren(this.table);
    this.virtual = new Virtualizer<HTMLElement, HTMLElement>(this.options());
    this.virtual._didMount();
    new IntersectionObserver((entries) => {
      this.inSight = entries.at(-1)?.isIntersecting ?? false;
    }).observe(this.frame);
    addEventListener("beforeprint", () => this.print(true));
    addEventListener("afterprint", () => this.print(false));
  }

  /** Show these cells: at once where a reader sees it, else once the page has answered. */
  show(rows: number[], sort: string): void {
    this.sort = sort;
    this.rows = this.inOrder(rows);
    for (const [key, head] of this.heads) {
      const [by, down] = [sort.replace(/^-/u, ""), sort.startsWith("-")];
      if (key === by) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    this.table.setAttribute("aria-rowcount", String(rows.length + 1));
    this.stale = true;
    if (this.inSight) return this.refresh();
    this.frame.ariaBusy = "true";
    setTimeout(() => this.refresh());
  }

  private refresh(): void {
    if (!this.stale) return;
    this.stale = false;
    this.frame.ariaBusy = null;
    this.frame.scrollTop = 0;
    this.virtual.setOptions(this.options());
    this.virtual._willUpdate();
    this.virtual.measure();
    this.draw();
  }

  private options(): ConstructorParameters<typeof Virtualizer<HTMLElement, HTMLElement>>[0] {
    return {
      count: this.rows.length,
      getScrollElement: () => this.frame,
      estimateSize: () => HEIGHT,
      overscan: 12,
      initialRect: { width: 800, height: 600 },
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      onChange: () => this.draw(),
    };
  }

  private head(): HTMLTableRowElement {
    const row = el("tr", { "aria-rowindex": 1 });
    for (const { key, head, number } of this.columns) {
      const button = el("button", { type: "button" }, head);
      button.addEventListener("click", () => {
        this.sorted(this.sort === key ? `-${key}` : this.sort === `-${key}` ? "" : key);
      });
      const cell = el("th", { scope: "col", class: number ? "number" : null }, button);
      this.heads.set(key, cell);
      row.append(cell);
    }
    return row;
  }

  private inOrder(rows: number[]): number[] {
    const key = this.sort.replace(/^-/u, "");
    const column = key === "wall_s" ? this.cells.table.wall_s : this.cells.table.columns[key];
    if (!column) return rows;
    const sign = this.sort.startsWith("-") ? -1 : 1;
    return [...rows].sort((a, b) => sign * ((column[a] ?? 0) - (column[b] ?? 0)) || a - b);
  }

  private print(on: boolean): void {
    this.printing = on;
    this.draw();
  }

  private draw(): void {
    if (this.stale && !this.printing) return;
    const items = this.virtual.getVirtualItems();
    const [first, last] = this.printing
      ? [0, Math.min(this.rows.length, PRINTED)]
      : [items[0]?.index ?? 0, (items.at(-1)?.index ?? -1) + 1];
    const rows: HTMLElement[] = [];
    if (first > 0) rows.push(this.space(first));
    for (let at = first; at < last; at++) rows.push(this.line(this.rows[at] as number, at));
    const after = this.printing ? 0 : this.rows.length - last;
    if (after > 0) rows.push(this.space(after));
    // What has the keyboard's focus keeps it when the rows are drawn anew.
    const focused = document.activeElement instanceof HTMLAnchorElement &&
      this.body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    this.body.replaceChildren(...rows);
    if (focused) {
      for (const link of this.body.querySelectorAll("a")) {
        if (link.getAttribute("href") === focused) {
          link.focus({ preventScroll: true });
          break;
        }
      }
    }
  }

  private space(rows: number): HTMLElement {
    const cell = el("td", { colspan: this.columns.length });
    cell.style.height = `${rows * HEIGHT}px`;
    return el("tr", { class: "space", "aria-hidden": "true" }, cell);
  }

  private line(row: number, at: number): HTMLElement {
    const line = el("tr", { "aria-rowindex": at + 2 });
    const id = this.cells.id(row);
    for (const { key } of this.columns) {
      if (key === "status") {
        const status = this.cells.status(row);
        line.append(
          el("th", { scope: "row", class: status },
            el("a", { href: `cell.html${address({ cell: id })}`, title: id },
              el("span", { "aria-hidden": "true" }, this.cells.symbol(status)), ` ${status}`,
              el("span", { class: "hidden" }, ` ${id}`))),
        );
      } else if (key === "wall_s") line.append(this.time(row, id));
      else if (key === "cause") line.append(this.cause(row));
      else {
        const text = key === "framework" ? this.cells.framework(row) : this.cells.value(key, row);
        line.append(el("td", {}, text || "–"));
      }
    }
    return line;
  }

  private cause(row: number): HTMLElement {
    const cause = this.cells.value("cause", row);
    const message = this.cells.value("message", row) ?? "";
    if (cause && this.cells.table.causes[cause]) {
      return el("td", { title: message }, el("a", { href: `causes/${cause}.html` }, cause));
    }
    return el("td", { class: "message", title: message }, cause ?? message);
  }

  private time(row: number, id: string): HTMLElement {
    const line = (this.cells.table.first[row] ?? 0) + (this.cells.table.wall_after[row] ?? 0);
    const wall = this.cells.table.wall_s[row] ?? 0;
    if (!wall) return el("td", { class: "number" }, "–");
    return el("td", { class: "number" },
      el("a", {
        href: `cell.html${address({ cell: id, line: String(line) })}`,
        "data-line": line, "data-raw": wall, title: `results.json, line ${line}`,
      }, seconds(wall)));
  }
}
