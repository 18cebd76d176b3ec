// Opens an HTML report in headless Chromium, from file://, and fails where it does not work as a reader expects.
//
//   npm install --no-package-lock --prefix tests/browser
//   node tests/browser/check.mjs report.html [OUT]
//
// OUT gets screenshots at phone and desktop width, light and dark, and the printed page (default: beside the report, in
// `browser/`). CHROMIUM names the browser (default: /usr/bin/chromium). Exit code 1: something failed, and is listed.
//
// Checked: no request leaves the file, no error in the console, no dialog, no element made by a name from the model; the
// verdict shows; each column sorts both ways; search and filters narrow the tables; no sideways scrolling of the page; it prints;
// it reads without JavaScript.

import { chromium } from "playwright-core";
import { mkdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [report, out = report && join(dirname(report), "browser")] = process.argv.slice(2);
if (!report) {
  console.error("usage: check.mjs report.html [OUT]");
  process.exit(2);
}
mkdirSync(out, { recursive: true });

const address = pathToFileURL(resolve(report)).href;
const failures = [];
const check = (holds, message) => {
  if (!holds) failures.push(message);
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("request", (request) => {
    const url = request.url();
    check(url === address || url.startsWith("blob:"), `asked for ${url}`);
  });
  page.on("console", (message) => check(!["error", "warning"].includes(message.type()), `console: ${message.text()}`));
  page.on("pageerror", (error) => failures.push(`uncaught: ${error.message}`));
  page.on("dialog", (dialog) => {
    failures.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(address);
  return page;
}

async function verdict(page) {
  const box = page.locator("#verdict");
  if (!(await box.isVisible())) {
    failures.push("the verdict does not show");
    return;
  }
  const word = await box.locator(".word").innerText();
  check(word.trim().length > 3, `the verdict says "${word}"`);
  const { y } = await box.boundingBox();
  check(y < 400, `the verdict stands ${y} px down the page`);
}

// Two scripts and one style are ours; what else there is came out of a name.
async function injected(page) {
  const counts = await page.evaluate(() => ({
    scripts: document.scripts.length,
    images: document.images.length,
    handlers: document.querySelectorAll("[onerror], [onload], [onclick]").length,
    json: (() => {
      try {
        return typeof JSON.parse(document.getElementById("report-json").textContent).schema;
      } catch (error) {
        return String(error);
      }
    })(),
    outside: [...document.querySelectorAll("a[href]")].filter((a) => new URL(a.href).protocol !== "file:").length,
  }));
  const expected = { scripts: 2, images: 0, handlers: 0, json: "number", outside: 0 };
  check(JSON.stringify(counts) === JSON.stringify(expected), `elements: ${JSON.stringify(counts)}`);
}

async function accessible(page) {
  const problems = await page.evaluate(() => {
    const found = [];
    for (const th of document.querySelectorAll("th")) if (!th.scope) found.push(`th without scope: ${th.textContent}`);
    for (const svg of document.querySelectorAll("svg")) {
      const named = (svg.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id));
      if (named.length < 2 || named.some((each) => !each?.textContent.trim())) found.push("svg without title or desc");
    }
    const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
    for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push(`id twice: ${id}`);
    for (const table of document.querySelectorAll("table")) if (!table.caption) found.push("table without caption");
    return found;
  });
  failures.push(...problems);
}

// What a column holds, in the order shown, as the page sorts it: numbers where all are numbers; empty cells last.
const column = (table, index) =>
  table.evaluate(
    (element, at) => [...element.tBodies[0].rows].map((row) => row.cells[at].dataset.value ?? row.cells[at].textContent.trim()),
    index,
  );

async function sorting(page) {
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const numeric = (values) => values.every((value) => value === "" || Number.isFinite(Number(value)));
  let sorted = 0;
  for (const table of await page.locator("table:has(thead button)").all()) {
    await table.evaluate((element) => element.closest("details")?.setAttribute("open", ""));
    const heads = await table.locator("thead th").all();
    for (const [index, head] of heads.entries()) {
      const button = head.locator("button");
      if (!(await button.count())) continue;
      const name = await button.innerText();
      const before = (await column(table, index)).slice().sort();
      const directions = [];
      for (const press of ["click", "key"]) {
        if (press === "click") await button.click();
        else await button.press("Enter");
        const direction = await head.getAttribute("aria-sort");
        directions.push(direction);
        const values = await column(table, index);
        check(JSON.stringify(values.slice().sort()) === JSON.stringify(before), `sorting by "${name}" loses rows`);
        const filled = values.filter((value) => value !== "");
        check(values.slice(0, filled.length).every((value) => value !== ""), `"${name}": empty cells are not last`);
        const compare = numeric(filled) ? (a, b) => Number(a) - Number(b) : collator.compare;
        const sign = direction === "ascending" ? 1 : -1;
        const inOrder = filled.every((value, i) => i === 0 || sign * compare(filled[i - 1], value) <= 0);
        check(inOrder, `"${name}" is not ${direction}: ${filled.slice(0, 6).join(", ")}`);
      }
      check(directions.slice().sort().join() === "ascending,descending", `"${name}" sorts ${directions.join()}`);
      check((await table.locator("thead th[aria-sort=ascending], thead th[aria-sort=descending]").count()) === 1,
        `"${name}": more than one column says that it is sorted`);
      sorted += 1;
    }
  }
  return sorted;
}

async function filtering(page) {
  let filters = 0;
  for (const tools of await page.locator("[data-filters]").all()) {
    await tools.evaluate((element) => element.closest("details")?.setAttribute("open", ""));
    const rows = page.locator(`#${await tools.getAttribute("data-filters")} tbody tr`);
    const shown = () => rows.evaluateAll((all) => all.filter((row) => !row.hidden).length);
    const total = await rows.count();
    const search = tools.locator("input[type=search]");
    const name = (await rows.last().locator("th code").first().innerText()).trim();
    await search.fill(name.toUpperCase());
    const found = await shown();
    check(found >= 1 && (found < total || total === 1), `searching "${name}" shows ${found} of ${total}`);
    check((await tools.locator("[data-shown]").innerText()) === `${found} of ${total} shown`, "the count of rows is wrong");
    await search.fill("no such name, surely");
    check((await shown()) === 0, "a search for nothing finds something");
    await search.fill("");
    check((await shown()) === total, "clearing the search does not bring the rows back");
    for (const button of await tools.locator("button[data-status]").all()) {
      await button.click();
      const status = await button.getAttribute("data-status");
      const said = Number((await button.innerText()).replace(/[^0-9]/g, ""));
      check((await shown()) === said, `filter "${status || "all"}" says ${said} and shows ${await shown()}`);
      check((await button.getAttribute("aria-pressed")) === "true", `filter "${status}" does not say that it is on`);
      check((await tools.locator("button[aria-pressed=true]").count()) === 1, "two filters are on");
      filters += 1;
    }
    const all = tools.locator('button[data-status=""]');
    if (await all.count()) await all.click();
    filters += 1;
  }
  return filters;
}

async function fits(page, width) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  check(wide <= width, `the page is ${wide} px wide in a window of ${width}`);
}

let counts = "";
for (const width of [375, 1280]) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open({ viewport: { width, height: 900 }, colorScheme });
    await verdict(page);
    await fits(page, width);
    await page.screenshot({ path: join(out, `${width}-${colorScheme}.png`), fullPage: true });
    if (colorScheme === "light") {
      await injected(page);
      await accessible(page);
      counts = `${await sorting(page)} columns sorted, ${await filtering(page)} filters used`;
      await fits(page, width);
    }
    await page.context().close();
  }
}

const printed = await open({ viewport: { width: 1280, height: 900 }, colorScheme: "dark" });
const pdf = join(out, "print.pdf");
await printed.pdf({ path: pdf, format: "A4", printBackground: true, preferCSSPageSize: true });
check(statSync(pdf).size > 5000, "the printed page is empty");
await printed.context().close();

const plain = await open({ viewport: { width: 1280, height: 900 }, javaScriptEnabled: false });
check(await plain.locator("#verdict .word").isVisible(), "without JavaScript the verdict does not show");
await plain.context().close();

await browser.close();
for (const failure of new Set(failures)) console.error(`failed: ${failure}`);
console.log(`${report}: ${failures.length ? "FAILED" : "ok"}, ${counts}; screenshots in ${out}`);
process.exit(failures.length ? 1 : 0);
