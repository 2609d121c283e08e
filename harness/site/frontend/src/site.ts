/** The script of the first screen and of the cells; a page says by `data-page` what it is. */

import { cell } from "./cell.js";
import "./data.js";
import { first } from "./first.js";
import { QueryError, compileQuery } from "./query.js";

declare global {
  var harnessQuery: (text: string, cell: Record<string, string | null>, pins: string[]) => boolean | string;
}

/** For the tests: what a query says of a cell, or the sentence that it is refused with. */
globalThis.harnessQuery = (text, cell, pins) => {
  try {
    return compileQuery(text, pins)((key) => cell[key] ?? null);
  } catch (error) {
    if (error instanceof QueryError) return error.message;
    throw error;
  }
};

const page = document.body.dataset["page"];
if (page === "first") void first();
if (page === "cell") void cell();
