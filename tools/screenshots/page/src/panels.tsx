// One panel of each type that the dashboards have, made of the components that Grafana's own panels are made of.
// What lies between panel and component is a part of Grafana, and written anew here: as little as is needed.

import { useEffect, useState } from 'react';
import {
  DataFrame,
  FieldDisplay,
  TimeRange,
  VizOrientation,
  applyFieldOverrides,
  cacheFieldDisplayNames,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  transformDataFrame,
} from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, VizRepeater, useTheme2 } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { registry, unknown } from './fields';
import { Panel } from './results';

export interface Content {
  panel: Panel;
  data: DataFrame[];
  timeRange: TimeRange;
  width: number;
  height: number;
}

/** Only the variables that a name of a series may have. */
function replaceVariables(text: string, scoped?: any): string {
  const field = scoped?.__dataContext?.value?.field;
  return text.replace(/\$\{__field\.labels\.(\w+)\}/g, (_, name: string) => field?.labels?.[name] ?? '');
}

export function useFrames(panel: Panel, raw: DataFrame[]): DataFrame[] | undefined {
  const theme = useTheme2();
  const [found, setFound] = useState<DataFrame[]>();
  useEffect(() => {
    const steps = (panel.transformations ?? []).filter((step) => !step.disabled);
    const subscription = transformDataFrame(steps, raw).subscribe((frames) => {
      const fieldConfig = panel.fieldConfig;
      const made = applyFieldOverrides({
        data: frames,
        fieldConfig,
        fieldConfigRegistry: registry,
        replaceVariables,
        theme,
        timeZone: 'utc',
      });
      // The colours go by these names.
      cacheFieldDisplayNames(made);
      setFound(made);
    });
    return () => subscription.unsubscribe();
  }, [panel, raw, theme]);
  return found;
}

function Lines({ panel, data, timeRange, width, height }: Content) {
  return (
    <TimeSeries
      frames={data}
      timeRange={timeRange}
      timeZone="utc"
      width={width}
      height={height}
      legend={panel.options.legend}
      options={panel.options}
    />
  );
}

function values(panel: Panel, data: DataFrame[], theme: ReturnType<typeof useTheme2>): FieldDisplay[] {
  return getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions ?? { values: false, calcs: ['lastNotNull'] },
    replaceVariables,
    theme,
    data,
    timeZone: 'utc',
  });
}

function Bars({ panel, data, width, height: all }: Content) {
  const theme = useTheme2();
  const { options, fieldConfig } = panel;
  return (
    <VizRepeater<FieldDisplay, ReturnType<typeof getDisplayValueAlignmentFactors>>
      source={data}
      getValues={() => values(panel, data, theme)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width, height, orientation, alignmentFactors, count }) => (
        <BarGauge
          // Grafana shows no name where there is one series, unless the panel sets one.
          value={count === 1 && !fieldConfig.defaults.displayName ? { ...value.display, title: undefined } : value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex ?? 0)}
          width={width}
          height={height}
          orientation={orientation}
          alignmentFactors={count > 1 ? alignmentFactors : undefined}
          displayMode={options.displayMode}
          showUnfilled={options.showUnfilled}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
          theme={theme}
          itemSpacing={10}
          isOverflow={(height + 10) * count - 10 > all}
        />
      )}
      renderCounter={0}
      width={width}
      height={all}
      itemSpacing={10}
      minVizWidth={options.minVizWidth}
      minVizHeight={options.minVizHeight}
      maxVizHeight={options.maxVizHeight}
      orientation={options.orientation}
    />
  );
}

function Stat({ panel, data, width, height }: Content) {
  const theme = useTheme2();
  const { options } = panel;
  return (
    <VizRepeater<FieldDisplay, ReturnType<typeof getDisplayValueAlignmentFactors>>
      source={data}
      getValues={() => values(panel, data, theme)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width, height, alignmentFactors, count }) => (
        <BigValue
          value={value.display}
          count={count}
          width={width}
          height={height}
          alignmentFactors={count > 1 ? alignmentFactors : undefined}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode}
          disableWideLayout={!options.wideLayout}
          theme={theme}
        />
      )}
      renderCounter={0}
      autoGrid
      width={width}
      height={height}
      itemSpacing={3}
      orientation={options.orientation === 'auto' ? VizOrientation.Auto : options.orientation}
    />
  );
}

function Table({ data, panel, timeRange, width, height }: Content) {
  return (
    <TableNG
      data={data[0]}
      width={width}
      height={height}
      cellHeight={panel.options.cellHeight}
      noHeader={!panel.options.showHeader}
      timeRange={timeRange}
      fieldConfig={panel.fieldConfig}
      enableVirtualization={false}
    />
  );
}

const TYPES: Record<string, (content: Content) => JSX.Element> = {
  timeseries: Lines,
  bargauge: Bars,
  stat: Stat,
  table: Table,
};

/** Raises for what could not be drawn as Grafana draws it. */
export function Drawn(content: Content) {
  const { panel, data, height } = content;
  const Type = TYPES[panel.type];
  const left = unknown(panel.fieldConfig);
  if (!Type || left.length) {
    throw new Error(`panel ${panel.id} "${panel.title}": nobody draws ${Type ? left.join(', ') : panel.type}`);
  }
  // Grafana's bars and numbers say themselves that there is nothing; of the others it is the panel that says so.
  if ((panel.type === 'timeseries' || panel.type === 'table') && !data.some((frame) => frame.length > 0)) {
    return (
      <div style={{ height, display: 'flex', alignItems: 'center', justifyContent: 'center' }}>
        {panel.fieldConfig.defaults.noValue ?? 'No data'}
      </div>
    );
  }
  return <Type {...content} />;
}
