// Visits of the demo shop in a real Chromium: `node visit.mjs EXECUTABLE KIND ADDRESS...`, one visit at each address, at
// once. What a visit does is printed as a line of JSON: {"said": "ended", ...} with what was really done, and
// {"said": NAME} where it waits for a line on the standard input before it goes on.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [executablePath, kind, ...addresses] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const say = (said, more = {}) => console.log(JSON.stringify({ said, ...more }));
const told = () => lines.next();

class Visitor {
  constructor(page, address) {
    this.page = page;
    this.address = address;
    this.done = { address, clicks: 0, inputs: 0, urls: [], refused: [], kinds: [] };
    this.accepted = 0;
    this.failed = 0;
    this.retried = 0;
    const ours = (request) => new URL(request.url()).hostname === "vision.test";
    this.pending = new Set();
    page.on("request", (request) => ours(request) && this.pending.add(request));
    page.on("requestfinished", (request) => this.pending.delete(request));
    page.on("response", (response) => {
      const url = new URL(response.url());
      if (!ours(response.request())) return;
      if (response.status() >= 400 && !url.pathname.endsWith("/surveys.js")) {
        this.done.refused.push(`${response.status()} ${url.pathname}`);
      }
      if (url.pathname === "/s/" && response.status() === 200) {
        this.accepted += 1;
        const kind = response.request().headers()["content-type"];
        if (!this.done.kinds.includes(kind)) this.done.kinds.push(kind);
        if (url.searchParams.has("retry_count")) this.retried += 1;
      }
    });
    page.on("requestfailed", (request) => {
      this.pending.delete(request);
      if (new URL(request.url()).pathname === "/s/") this.failed += 1;
    });
  }

  async come(path) {
    await this.page.goto(this.address + path);
    await this.arrived();
  }

  async arrived() {
    await this.page.waitForLoadState("load");
    // Until the recorder runs, nothing that is done is recorded.
    await this.page.waitForFunction(() => window.posthog?.sessionRecordingStarted?.());
    this.done.urls.push(this.page.url());
    await this.page.waitForTimeout(300);
  }

  // A hand moves the mouse there, presses, and lets go.
  async click(selector) {
    const box = await this.page.locator(selector).boundingBox();
    await this.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 12 });
    await this.page.waitForTimeout(120);
    this.done.clicks += 1;
    await this.page.mouse.down();
    await this.page.waitForTimeout(50);
    await this.page.mouse.up();
    await this.page.waitForTimeout(250);
  }

  // A page that is left takes requests along that are under way. An SDK posts what waits every 3 seconds; what it holds
  // when the page is left goes as a beacon, which survives. So a page is left just after a post was answered.
  async posted() {
    const before = this.accepted;
    for (let step = 0; this.accepted === before || this.pending.size > 0; step += 1) {
      await this.page.mouse.move(200 + (step % 2) * 30, 300);
      await this.page.waitForTimeout(100);
    }
  }

  async follow(selector) {
    await this.posted();
    const gone = this.page.waitForEvent("framenavigated");
    await this.click(selector);
    await gone;
    await this.arrived();
  }

  async type(selector, text) {
    await this.click(selector);
    await this.page.keyboard.type(text, { delay: 40 });
    this.done.inputs += text.length;
  }

  async until(condition) {
    while (!condition()) await this.page.waitForTimeout(100);
  }

  async session() {
    this.done.session_id = await this.page.evaluate(() => posthog.get_session_id());
  }

  // The browser stays until the last beacon has gone.
  async leave() {
    await this.session();
    await this.posted();
    await this.page.goto("about:blank");
    await this.page.waitForTimeout(500);
    say("ended", this.done);
  }
}

const KINDS = {
  async purchase(visitor) {
    await visitor.come("/");
    await visitor.page.mouse.wheel(0, 200);
    await visitor.click("#like");
    await visitor.follow("#glass");
    await visitor.click("#add");
    await visitor.follow("#checkout");
    await visitor.type("#name", "Ada Park");
    await visitor.type("#email", "ada.park@example.org");
    await visitor.click("#pay");
    await visitor.page.getByText("payment failed").waitFor();
    await visitor.page.waitForTimeout(500);
    await visitor.click("#pay");
    await visitor.page.getByText("Thank you").waitFor();
    await visitor.click("#help");
    await visitor.follow("#account");
    await visitor.click("#orders");
    await visitor.click("#settings");
    visitor.done.urls.push(visitor.page.url());
    await visitor.leave();
  },

  async outage(visitor) {
    await visitor.come("/");
    await visitor.click("#like");
    await visitor.until(() => visitor.accepted > 0);
    say("recorded");
    await told();
    await visitor.click("#like");
    await visitor.type("#search", "kettle");
    await visitor.until(() => visitor.failed > 0);
    say("refused");
    await told();
    await visitor.until(() => visitor.retried > 0);
    await visitor.leave();
  },
};

const browser = await chromium.launch({
  executablePath,
  args: [
    "--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND",
    ...(process.getuid() === 0 ? ["--no-sandbox"] : []),
  ],
});
try {
  await Promise.all(
    addresses.map(async (address) => {
      const context = await browser.newContext();
      context.setDefaultTimeout(60_000);
      await KINDS[kind](new Visitor(await context.newPage(), address));
    }),
  );
} finally {
  await browser.close();
}
process.exit(0);
