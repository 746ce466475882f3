// Draws dashboards in Chromium: node draw.mjs CHROMIUM OUT INPUT...
//
// Each INPUT is a JSON file with a dashboard and its data (src/results.ts). Writes OUT/<name>-light.png and -dark.png,
// and one line of JSON for each to standard output: its file, the panels that were drawn, and what went wrong.
//
// Rule: no network. Whatever the page asks for comes from memory; what is not there is an error.

import { readFile, mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const HERE = dirname(fileURLToPath(import.meta.url));
const ICONS = join(HERE, 'node_modules/@grafana/ui/dist/public');
const [executablePath, out, ...inputs] = process.argv.slice(2);
const WIDTH = 1600;
const ORIGIN = 'http://dashboards.invalid/';

// What no dashboard here needs: code editor, maps, rich text, forms. npm is given nothing in their place (package.json).
const UNUSED = /^(@grafana\/faro-web-sdk|@hello-pangea\/dnd|@monaco-editor\/react|@rc-component\/.*|@react-aria\/(dialog|overlays)|jquery|monaco-editor|ol|react-dropzone|react-hook-form|react-router-dom(-v5-compat)?|slate(-[a-z-]+)?)(\/|$)/;
const unused = {
  name: 'unused',
  setup(build) {
    build.onResolve({ filter: UNUSED }, ({ path }) => ({ path, namespace: 'unused' }));
    build.onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {}' }));
  },
};

async function bundle() {
  const built = await build({
    plugins: [unused],
    entryPoints: [join(HERE, 'src/main.tsx')],
    outdir: 'out',
    bundle: true,
    write: false,
    format: 'esm',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
    loader: { '.woff': 'dataurl', '.woff2': 'dataurl', '.svg': 'dataurl', '.png': 'dataurl' },
    logLevel: 'warning',
  });
  return Object.fromEntries(built.outputFiles.map((file) => [basename(file.path), file.text]));
}

const { 'main.js': script, 'main.css': style } = await bundle();
const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><link rel="stylesheet" href="main.css">
<div id="root"></div><script type="module" src="main.js"></script>`;

async function draw(browser, input, theme) {
  const wrong = [];
  const context = await browser.newContext({ viewport: { width: WIDTH, height: 1000 }, timezoneId: 'UTC', locale: 'en-GB' });
  const tab = await context.newPage();
  tab.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) wrong.push(message.text());
  });
  tab.on('pageerror', (error) => wrong.push(String(error.stack ?? error)));
  await tab.route('**', async (route) => {
    const { pathname } = new URL(route.request().url());
    const known = {
      '/': ['text/html', page],
      '/main.js': ['text/javascript', script],
      '/main.css': ['text/css', style],
      '/input.json': ['application/json', await readFile(input, 'utf-8')],
    }[pathname];
    if (known) return route.fulfill({ contentType: known[0], body: known[1] });
    const icon = pathname.match(/\/img\/icons\/[a-z0-9_/-]+\.svg$/);
    if (icon) return route.fulfill({ contentType: 'image/svg+xml', path: join(ICONS, icon[0]) });
    wrong.push(`asked for ${route.request().url()}`);
    return route.abort();
  });
  await tab.goto(`${ORIGIN}#${theme}`);
  await tab.waitForSelector('body[data-drawn]', { state: 'attached', timeout: 60_000 });
  const file = join(out, `${basename(input, '.json')}-${theme}.png`);
  // What is out of the window is not laid out in full (content-visibility), so the window gets as high as the page.
  const height = await tab.evaluate(() => document.documentElement.scrollHeight);
  await tab.setViewportSize({ width: WIDTH, height });
  await tab.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const panels = await tab.$$eval('[data-panel]', (cells) =>
    cells.map((cell) => {
      // A table may have more rows than it shows: its cells are not to be cut.
      const cut = [...cell.querySelectorAll('*')].filter((one) => {
        const { textOverflow, overflowY } = getComputedStyle(one);
        const scrolls = ['auto', 'scroll'].includes(overflowY) && !one.matches('[role=grid]');
        return (
          (textOverflow === 'ellipsis' && one.scrollWidth > one.clientWidth) ||
          (scrolls && one.scrollHeight > one.clientHeight + 1)
        );
      });
      return { id: Number(cell.dataset.panel), text: cell.innerText, cut: cut.map((one) => one.innerText) };
    })
  );
  await tab.screenshot({ path: file });
  await context.close();
  console.log(JSON.stringify({ name: basename(input, '.json'), file, panels, wrong }));
}

await mkdir(out, { recursive: true });
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
try {
  for (const input of inputs) {
    for (const theme of ['light', 'dark']) await draw(browser, input, theme);
  }
} finally {
  await browser.close();
}
