// Lays a dashboard out as Grafana does, and draws its panels with Grafana's own components. `input.json` has the
// dashboard and the data; the theme is the address's part behind `#`. When all is drawn, the body has `data-drawn`.

import '@fontsource/inter/latin-400.css';
import '@fontsource/inter/latin-500.css';
import '@fontsource/roboto-mono/latin-400.css';
import { Component, ReactNode, useMemo } from 'react';
import { createRoot } from 'react-dom/client';
import { createTheme, dateTime, standardTransformers, standardTransformersRegistry, ThemeContext } from '@grafana/data';
import { PanelChrome, PortalContainer } from '@grafana/ui';
import { Drawn, useFrames } from './panels';
import { Input, Panel, frames } from './results';

const WIDTH = 1600;
const COLUMNS = 24;
const ROW = 30;
const GAP = 8;
const EDGE = 16;
const TOP = 56;

function place({ x, y, w, h }: Panel['gridPos']) {
  const column = (WIDTH - 2 * EDGE - GAP * (COLUMNS - 1)) / COLUMNS;
  return {
    left: EDGE + x * (column + GAP),
    top: TOP + y * (ROW + GAP),
    width: w * column + (w - 1) * GAP,
    height: h * ROW + (h - 1) * GAP,
  };
}

/** A panel that fails leaves the others alone, and says so on the console. */
class Guard extends Component<{ children: ReactNode }, { failed: boolean }> {
  state = { failed: false };
  static getDerivedStateFromError() {
    return { failed: true };
  }
  render() {
    return this.state.failed ? null : this.props.children;
  }
}

function Cell({ panel, input }: { panel: Panel; input: Input }) {
  const where = place(panel.gridPos);
  const raw = useMemo(() => frames(panel, input.answers[panel.id] ?? {}), [panel, input]);
  const data = useFrames(panel, raw);
  const timeRange = useMemo(() => {
    const [from, to] = [dateTime(input.from), dateTime(input.to)];
    return { from, to, raw: { from, to } };
  }, [input]);
  return (
    <div data-panel={panel.id} style={{ position: 'absolute', ...where }}>
      <PanelChrome title={panel.title} width={where.width} height={where.height}>
        {(width, height) => data && <Drawn {...{ panel, data, timeRange, width, height }} />}
      </PanelChrome>
    </div>
  );
}

function Board({ input, theme }: { input: Input; theme: ReturnType<typeof createTheme> }) {
  const { panels, title } = input.board;
  const height = Math.max(...panels.map((panel) => place(panel.gridPos).top + place(panel.gridPos).height)) + EDGE;
  const text = { color: theme.colors.text.primary, fontFamily: theme.typography.fontFamily };
  return (
    <ThemeContext.Provider value={theme}>
      <style>{`
        * { box-sizing: border-box; }
        body { margin: 0; background: ${theme.colors.background.canvas}; color: ${theme.colors.text.primary};
          font: ${theme.typography.body.fontWeight} 14px/22px ${theme.typography.fontFamily};
          letter-spacing: ${theme.typography.body.letterSpacing}; -webkit-font-smoothing: antialiased; }
        h1, h2, h3, h4, h5, h6 { margin: 0; font-weight: 500; }
        button { font: inherit; color: inherit; }
      `}</style>
      <div style={{ position: 'relative', width: WIDTH, height, ...text }}>
        <div style={{ position: 'absolute', left: EDGE, top: 14, fontSize: 18, fontWeight: 500 }}>{title}</div>
        <div style={{ position: 'absolute', right: EDGE, top: 18, color: theme.colors.text.secondary }}>
          {dateTime(input.from).utc().format('YYYY-MM-DD HH:mm')} to {dateTime(input.to).utc().format('HH:mm')} UTC
        </div>
        {panels.map((panel) =>
          panel.type === 'row' ? (
            <div
              key={panel.id}
              data-panel={panel.id}
              style={{ position: 'absolute', ...place(panel.gridPos), fontSize: 16, fontWeight: 500 }}
            >
              {panel.title}
            </div>
          ) : (
            <Guard key={panel.id}>
              <Cell panel={panel} input={input} />
            </Guard>
          )
        )}
      </div>
      <PortalContainer />
    </ThemeContext.Provider>
  );
}

async function main() {
  standardTransformersRegistry.setInit(() =>
    [standardTransformers.organizeFieldsTransformer, standardTransformers.mergeTransformer].map((one) => ({
      id: one.id,
      name: one.name,
      transformation: one,
      editor: () => null,
    })) as any
  );
  const input: Input = await (await fetch('input.json')).json();
  const theme = createTheme({ colors: { mode: location.hash === '#light' ? 'light' : 'dark' } });
  // Loaded before anything is measured: the width of a text decides on its size.
  await Promise.all(
    ['400 14px "Inter"', '500 14px "Inter"', '400 14px "Roboto Mono"'].map((font) => document.fonts.load(font))
  );
  createRoot(document.getElementById('root')!).render(<Board input={input} theme={theme} />);
  let last = '';
  const quiet = async () => {
    await document.fonts.ready;
    for (let same = 0; same < 5; ) {
      await new Promise((done) => setTimeout(done, 100));
      const now = document.body.innerHTML;
      same = now === last ? same + 1 : 0;
      last = now;
    }
  };
  await quiet();
  document.body.dataset.drawn = 'true';
}

void main();
