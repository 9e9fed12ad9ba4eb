// follow.mjs NODE_MODULES CHROMIUM URL: opens URL's own page in a browser, follows URL with the browser's EventSource until standard input
// ends, and prints what it was told: {"events": [{"id", "type", "data"}], "opened": times that the stream was open, "state": readyState}.
import { createRequire } from 'module';

const [, , modules, chromium, url] = process.argv;
const puppeteer = createRequire(modules + '/')('puppeteer-core');
const browser = await puppeteer.launch({
  executablePath: chromium,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});
try {
  const page = await browser.newPage();
  await page.goto(new URL('/', url).href); // an EventSource without credentials follows its own origin
  await page.evaluate((path) => {
    const source = new EventSource(path);
    window.told = { events: [], opened: 0 };
    source.onopen = () => window.told.opened++;
    for (const type of ['message', 'removed', 'reset']) {
      source.addEventListener(type, (e) => window.told.events.push({ id: e.lastEventId, type, data: e.data }));
    }
    window.source = source;
  }, url);
  console.log('following');
  const tell = setInterval(async () => {
    try {
      console.log(await page.evaluate(() => window.told.events.length));
    } catch {
      // the browser is going
    }
  }, 200);
  for await (const _ of process.stdin);
  clearInterval(tell);
  console.log(JSON.stringify(await page.evaluate(() => ({ ...window.told, state: window.source.readyState }))));
} finally {
  await browser.close();
}
